//! One file for each subcommand but `serve`.

pub mod check_config;
pub mod erase;
pub mod export;
pub mod replay;
mod service;
pub mod token;
