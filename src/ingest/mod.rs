//! The way of a job to disk: a bounded queue and one worker that commits in batches.

pub mod app_activity;
mod audit;
pub mod audit_log;
mod batch;
mod commands;
pub mod commit_notifier;
mod duplicate_check;
pub mod heartbeat;
mod imports;
pub mod job;
mod load_plan;
pub mod maintenance;
mod operator_jobs;
pub mod queue;
pub mod reapply;
pub mod worker;
