//! Everything that is tested from outside, as one program.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "one program, whose modules share freely")]

mod answers;
mod facts;
mod histories;
mod ingress;
mod layers;
mod look_up;
mod model;
mod raw;
mod replay;
mod support;
mod tokens;
