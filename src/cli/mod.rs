//! The subcommands but `serve`, one file each, and their shared parts.

mod admin_client;
mod apps;
pub mod backup;
pub mod check_config;
pub mod check_health;
mod database;
pub mod describe;
pub mod doctor;
pub mod erase;
pub mod export;
pub mod import;
pub mod journal;
pub mod listing;
mod progress;
pub mod quarantine;
pub mod rebuild;
pub mod replay;
pub mod restore;
pub mod tail;
mod task_progress;
pub mod token;
pub mod verify;

use crate::exit::CommandError;
