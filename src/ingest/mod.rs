//! From the receiver to the disk: one bounded queue, one worker.

mod commands;
mod failure;
pub mod heard;
mod imports;
mod load_plan;
mod mint;
pub mod news;
pub mod pulse;
pub mod queue;
pub mod refold;
pub mod upkeep;
mod walks;
mod work;
pub mod worker;
