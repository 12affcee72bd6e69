//! Checks of the two listeners.

use std::net::SocketAddr;

use super::super::admin_client::{self, Readiness};
use super::finding::Finding;
use crate::config::ServerSettings;

pub(super) async fn check_listeners(server: &ServerSettings) -> Vec<Finding> {
    let public = look("listen", "server.listen", server.listen, ["/webhooks", "/openapi.json"]).await;
    let admin =
        look("admin listen", "server.admin_listen", server.admin_listen, ["/readyz", "/metrics"]).await;
    vec![public, admin]
}

/// Requests the first path for the state, and the second for the identity: a body that names this program.
async fn look(check: &'static str, key: &str, listen: SocketAddr, [path, own]: [&str; 2]) -> Finding {
    let Some(at) = admin_client::reached_at(listen) else {
        let remedy = "set a fixed port";
        return Finding::warning(check, format!("{key} has port 0: not checked"), remedy);
    };
    match admin_client::get(at, path).await {
        Ok((503, _)) if path == "/readyz" => not_ready(check, key, at).await,
        Ok((200, _)) => match admin_client::get(at, own).await {
            Ok((200, text)) if text.contains("rollcall") => Finding::fine(check, format!("{at} answers")),
            _ => {
                let remedy = format!("something else listens there: stop it, or change {key}");
                Finding::wrong(check, format!("{at} answers, but not as rollcall does ({own})"), remedy)
            }
        },
        Ok((status, _)) => {
            let remedy = format!("something else listens there: stop it, or change {key}");
            Finding::wrong(check, format!("{at} answers {status} to GET {path}"), remedy)
        }
        Err(why) => {
            let remedy = format!("start the service, restart it if it hangs, or correct {key}");
            Finding::wrong(check, format!("{at} {why}"), remedy)
        }
    }
}

async fn not_ready(check: &'static str, key: &str, at: SocketAddr) -> Finding {
    match admin_client::readiness(at).await {
        Readiness::Ready => Finding::fine(check, format!("{at} answers")),
        Readiness::NotReady(why) => {
            let remedy = "it is starting, stopping, or cannot store: see its log";
            Finding::wrong(check, format!("{at} is not ready: {why}"), remedy)
        }
        Readiness::Foreign(why) | Readiness::Silent(why) => {
            let remedy = format!("something else listens there: stop it, or change {key}");
            Finding::wrong(check, format!("{at} {why}"), remedy)
        }
    }
}
