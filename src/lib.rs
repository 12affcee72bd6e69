//! rollcall: a self-hosted, webhook-driven directory of the users of your Smooch apps.
//!
//! A webhook travels `http` → `smooch` → `ingest` → `domain` → `store`, and is answered 200 once it is
//! on disk. `docs/architecture.md` follows it step by step.

pub mod cli;
pub mod clock;
pub mod config;
pub mod diagnosis;
pub mod directory;
pub mod domain;
pub mod exit;
pub mod format;
pub mod http;
pub mod ingest;
pub mod log;
pub mod metrics;
pub mod operators;
pub mod rebuild;
pub mod request_context;
pub mod schedule;
pub mod server;
pub mod smooch;
pub mod store;
pub mod supervisor;
