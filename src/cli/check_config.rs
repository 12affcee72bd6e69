//! `rollcall check-config`: reports every problem of the settings.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use super::database;
use crate::config::{Settings, SettingsProblems};
use crate::exit;
use crate::schedule;

/// Checks the settings, the paths of the database and its backups, and the apps of the database. Prints a summary on
/// stdout, or the problems on stderr, one a line. Returns the exit code: 0, or [`exit::SETTINGS`].
///
/// # Errors
/// Stdout cannot be written.
pub fn run(loaded: &Result<Settings, SettingsProblems>) -> anyhow::Result<ExitCode> {
    let found = match loaded {
        Ok(settings) => settings
            .check_database(database::refused_name(settings))
            .and_then(|()| settings.check_backups(|folder| schedule::refused_folder(settings, folder)))
            .and_then(|()| settings.check_apps(&stored_apps(settings)))
            .map(|()| settings),
        Err(problems) => Err(problems.clone()),
    };
    match found {
        Ok(settings) => {
            writeln!(std::io::stdout(), "{}", summary(settings))
                .context("the verdict could not be printed")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            // A closed stderr is ignored.
            let _ = writeln!(std::io::stderr(), "{problems}");
            Ok(ExitCode::from(exit::SETTINGS))
        }
    }
}

/// The apps of the database, if the demo app is in force. An unreadable database is no problem of the settings:
/// `doctor` and `verify` report it.
fn stored_apps(settings: &Settings) -> Vec<String> {
    if !settings.origin.demo_app {
        return Vec::new();
    }
    let stored = database::open(settings).ok().and_then(|reader| reader.list_apps().ok());
    stored.unwrap_or_default().iter().map(|app| app.as_str().to_owned()).collect()
}

fn summary(settings: &Settings) -> String {
    let apps = match settings.apps.len() {
        1 => "1 app".to_owned(),
        count => format!("{count} apps"),
    };
    let server = &settings.server;
    format!("settings are fine: {apps}, listening on {}, admin on {}", server.listen, server.admin_listen)
}
