//! One file for each subcommand but `serve`.

pub mod check_config;
pub mod replay;
pub mod token;
