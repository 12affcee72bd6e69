//! From the receiver to the disk: one bounded queue, one worker.

pub mod again;
mod commands;
pub mod heard;
mod imports;
mod mint;
pub mod news;
pub mod pulse;
pub mod queue;
pub mod refold;
mod upkeep;
mod walks;
mod work;
pub mod worker;
