//! The long tasks of operators: `/jobs`. One runs at a time.

mod answer;
mod backup_work;
mod begin;
mod bodies_request;
mod bodies_work;
mod calls;
mod export_file;
mod filter;
mod replay_request;
mod replay_work;
mod request;
mod runner;
mod spec;
mod step;
mod users_work;

pub(super) use backup_work::{start as start_backup, start_verification};
pub(super) use begin::read_body;
pub(super) use bodies_request::{drop, redrive};
pub(super) use calls::{cancel, create, failures, list, show};
pub(super) use export_file::{delete_outdated_files, send as file};
pub(super) use filter::read_filter;
pub(super) use replay_work::replay;
pub use runner::run_operator_jobs;
