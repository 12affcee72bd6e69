//! All integration tests, as one program.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "one program, whose modules share freely")]

mod answers;
mod arrival_orders;
mod backup;
mod bounds;
mod clients;
mod conformance;
mod convergence;
mod crash;
mod decide;
mod erasure;
mod examples;
mod export_import;
mod feed;
mod fixtures;
mod history;
mod ingress;
mod input;
mod json_test_suite;
mod layers;
mod lists;
mod logs;
mod look_up;
mod model;
mod observability;
mod openapi;
mod operations;
mod operator_commands;
mod outputs;
mod process;
mod readme;
mod reads;
mod rebuild;
mod replay;
mod rest;
mod retention;
mod skips;
mod sockets;
mod storage_faults;
mod store_files;
mod stories;
mod support;
mod tokens;
mod triggers;
mod walk;
