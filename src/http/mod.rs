//! The HTTP interface: webhooks, REST, the change feed and the admin listener.

mod accept;
mod addresses;
mod admin;
mod admin_actions;
mod answers;
mod api_request;
mod app_users;
mod auth;
mod body;
mod console;
#[cfg(feature = "console")]
mod console_files;
mod devices;
mod erasure;
mod error;
mod export;
mod feed;
mod history;
mod host;
mod import;
pub(crate) mod jwt;
mod list_request;
pub mod listen;
mod metric_counts;
mod middleware;
mod not_offered;
pub mod openapi;
mod page_links;
mod parameters;
mod paths;
mod rate_limits;
mod reads;
mod request_id;
mod router;
mod signature;
mod state;
mod stray_webhooks;
mod users;
mod web_file;
mod webhooks;

pub use export::parse_filter;
pub use import::PIECE;
pub use router::{admin_router, public_router, starting_admin_router, starting_router};
pub use state::HttpState;
pub use webhooks::QUARANTINED;
