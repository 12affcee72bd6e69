//! `rollcall doctor`: diagnoses the installation and proposes remedies.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use super::admin_client::{self, Readiness};
use crate::config::{ServerSettings, Settings, SettingsProblems};
use crate::diagnosis::{self, Finding, Severity};
use crate::exit;

const AFTER_HELP: &str = "\
Checks the settings, file permissions, the key file, disk space and file system, SQLite, the database and its derived tables, the \
clock, the last event of each app, the quarantine, the feed, erasures, backups, unfinished files and the two \
listeners. Changes nothing.

Exit codes: 0 nothing is wrong, warnings aside, 1 something is.

Examples:
  rollcall doctor
  rollcall doctor --json | jq '.[] | select(.state != \"fine\")'";

/// The arguments of `rollcall doctor`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs all checks and prints the findings. Returns the exit code: 0, or 1 if something is wrong.
///
/// # Errors
/// Stdout cannot be written.
pub async fn run(
    args: &DoctorArgs,
    loaded: &Result<Settings, SettingsProblems>,
    config: Option<PathBuf>,
) -> anyhow::Result<ExitCode> {
    let mut findings = vec![diagnosis::library()];
    match loaded {
        Err(problems) => findings.extend(problems.iter().map(|problem| {
            let remedy = "correct it; `rollcall check-config` names every problem";
            Finding::wrong("settings", problem.to_string(), remedy)
        })),
        Ok(settings) => {
            findings.extend(diagnosis::examine(settings, config, Arc::default()));
            findings.extend(check_listeners(&settings.server).await);
        }
    }
    print(&findings, args.json)?;
    let wrong = findings.iter().any(|finding| finding.state == Severity::Wrong);
    Ok(if wrong { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

fn print(findings: &[Finding], as_json: bool) -> anyhow::Result<()> {
    let mut text = String::new();
    if as_json {
        // As a value, whose members are sorted.
        text = serde_json::to_value(findings).context("the findings could not be printed")?.to_string();
    } else {
        for Finding { check, state, said, remedy } in findings {
            let state = match state {
                Severity::Fine => "fine   ",
                Severity::Warning => "WARNING",
                Severity::Wrong => "WRONG  ",
            };
            text.push_str(&format!("{state} {check}: {said}\n"));
            if !remedy.is_empty() {
                text.push_str(&format!("        {remedy}\n"));
            }
        }
    }
    writeln!(std::io::stdout(), "{}", text.trim_end()).context("the findings could not be printed")
}

async fn check_listeners(server: &ServerSettings) -> Vec<Finding> {
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
    let other = |said: String| {
        Finding::wrong(check, said, format!("something else listens there: stop it, or change {key}"))
    };
    match admin_client::get(at, path).await {
        Ok((503, _)) if path == "/readyz" => match admin_client::readiness(at).await {
            Readiness::Ready => Finding::fine(check, format!("{at} answers")),
            Readiness::NotReady(why) => {
                let remedy = "it is starting, stopping, or cannot store: see its log";
                Finding::wrong(check, format!("{at} is not ready: {why}"), remedy)
            }
            Readiness::Absent(why) => other(format!("{at} {why}")),
        },
        Ok((200, _)) => match admin_client::get(at, own).await {
            Ok((200, text)) if text.contains("rollcall") => Finding::fine(check, format!("{at} answers")),
            _ => other(format!("{at} answers, but not as rollcall does ({own})")),
        },
        Ok((status, _)) => other(format!("{at} answers {status} to GET {path}")),
        Err(why) => {
            let remedy = format!("start the service, restart it if it hangs, or correct {key}");
            Finding::wrong(check, format!("{at} {why}"), remedy)
        }
    }
}
