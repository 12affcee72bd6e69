//! Everything that is tested from outside, as one program.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "one program, whose modules share freely")]

mod answers;
mod at_hand;
mod backup;
mod clients;
mod crash;
mod decide;
mod facts;
mod feed;
mod fixtures;
mod forget;
mod histories;
mod history;
mod ingress;
mod input;
mod keep;
mod layers;
mod lists;
mod logs;
mod look_up;
mod model;
mod openapi;
mod outputs;
mod portable;
mod process;
mod raw;
mod readme;
mod reads;
mod rebuild;
mod replay;
mod rest;
mod run;
mod seeing;
mod skips;
mod storage_faults;
mod store_files;
mod suites;
mod support;
mod tokens;
mod told;
mod walk;
