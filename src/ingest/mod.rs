//! From the receiver to the disk: one bounded queue, one worker.

pub mod queue;
mod walks;
pub mod worker;
