//! Everything that is tested from outside, as one program.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod facts;
mod histories;
mod layers;
mod model;
mod support;
mod answers;
mod replay;
mod raw;
