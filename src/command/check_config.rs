//! `rollcall check-config`: every problem of the settings, or that there is none.

use std::io::Write as _;
use std::process::ExitCode;

use crate::config::{Problems, Settings};
use crate::exit;

/// Says on stdout that the settings are fine and the database can be where they say, or on stderr what is wrong,
/// one problem a line. Returns what to exit with: 0, or [`exit::SETTINGS`].
pub fn run(loaded: &Result<Settings, Problems>) -> ExitCode {
    let found = match loaded {
        Ok(settings) => settings.check_places().map(|()| settings),
        Err(problems) => Err(problems.clone()),
    };
    match found {
        Ok(settings) => {
            // Whoever closed the pipe still gets the exit code.
            let _ = writeln!(std::io::stdout(), "{}", summary(settings));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            let _ = writeln!(std::io::stderr(), "{problems}");
            ExitCode::from(exit::SETTINGS)
        }
    }
}

fn summary(settings: &Settings) -> String {
    let apps = match settings.apps.len() {
        1 => "1 app".to_owned(),
        count => format!("{count} apps"),
    };
    let server = &settings.server;
    format!(
        "settings are fine: {apps}, listening on {} and, for the console, {}",
        server.listen, server.admin_listen
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_exit_code_tells_fine_from_wrong() {
        let load = |text| Settings::parse(text, "config.toml", &BTreeMap::new(), &[]);
        let shipped = load("");
        assert_eq!(
            summary(shipped.as_ref().unwrap()),
            "settings are fine: 1 app, listening on 127.0.0.1:8787 and, for the console, 127.0.0.1:8788"
        );
        // ExitCode has no ==, but a Debug that differs.
        assert_eq!(format!("{:?}", run(&shipped)), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(format!("{:?}", run(&load("nonsense = 1"))), format!("{:?}", ExitCode::from(78)));
    }
}
