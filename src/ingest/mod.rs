//! From the receiver to the disk: one bounded queue, one worker.

pub mod again;
mod commands;
mod mint;
pub mod news;
pub mod queue;
mod upkeep;
mod walks;
mod work;
pub mod worker;
