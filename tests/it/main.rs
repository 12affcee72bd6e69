//! Everything that is tested from outside, as one program.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod histories;
mod model;
