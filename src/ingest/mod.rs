//! From the receiver to the disk: one bounded queue, one worker.

pub mod app_activity;
mod batch;
mod batch_error;
mod commands;
pub mod commit_notifier;
mod duplicate_check;
pub mod heartbeat;
mod id_generator;
mod imports;
mod load_plan;
pub mod maintenance;
pub mod queue;
pub mod reapply;
pub mod worker;
