//! One file for each subcommand but `serve`.

pub mod backup;
pub mod check_config;
mod progress;
pub mod replay;
pub mod restore;
pub mod token;
pub mod verify;
