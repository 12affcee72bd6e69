//! One file for each subcommand but `serve`.

mod ask;
pub mod backup;
pub mod check_config;
pub mod check_health;
pub mod describe;
pub mod doctor;
mod progress;
pub mod replay;
pub mod restore;
pub mod token;
pub mod verify;
