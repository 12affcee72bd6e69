//! The settings. Flags override the environment, which overrides the user's file, which overrides the shipped
//! `config.toml`. One reading reports every problem; no report quotes a value, so that no secret reaches a log.

mod console;
mod layers;
mod names;
mod origin;
mod places;
mod problem;
mod read;
mod reload;
mod report;
mod rules;
mod secret;
mod settings;
mod source_file;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub use console::{ConsoleSettings, OperatorSettings, ProxySettings};
use layers::ENVIRONMENT;
pub use names::{KEY_FILE, is_hidden, is_same_name, operator_name};
pub use origin::SettingsOrigin;
pub use problem::{SettingLocation, SettingsProblem, SettingsProblems};
pub use report::{ReportedSetting, ReportedValue, SettingsReport, SettingsSources};
pub use secret::Secret;
pub use settings::{
    AppSettings, BackupSettings, FeedSettings, IngestSettings, LimitSettings, LogSettings, ReadSettings,
    RetentionSettings, ServerSettings, Settings, SigningKey, StoreSettings,
};
pub use values::{ConsoleUrl, LogFormat, Role, StoreUrl, duration};

const DEFAULT_FILE: &str = "config.toml";

impl Settings {
    /// Reads the settings of this process: `overrides` (dotted key and value, from flags), the
    /// environment, and the file at `path`. Without a path, `config.toml` in the working directory is
    /// read if there is one.
    ///
    /// # Errors
    /// Every problem at once; a file that was named and cannot be read is one.
    pub fn load(path: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, SettingsProblems> {
        Self::read(path, overrides, source_file::read_text)
    }

    /// As [`Settings::load`], for a running service: waits until a file that is being written is complete.
    ///
    /// # Errors
    /// As [`Settings::load`]; or the file is still being written after two seconds.
    pub fn load_again(path: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, SettingsProblems> {
        Self::read(path, overrides, origin::read_complete)
    }

    fn read(
        path: Option<&Path>,
        overrides: &[(String, String)],
        read: impl Fn(&Path) -> std::io::Result<String>,
    ) -> Result<Self, SettingsProblems> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let name = file.display().to_string();
        let (text, exists) = match read(file) {
            Ok(text) => (text, true),
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                (String::new(), false)
            }
            Err(error) => {
                return Err(SettingsProblem::of_file(&name, format!("cannot be read: {error}")).into());
            }
        };
        // An emptied file must not turn a service into the demo.
        if path.is_some() && layers::without_mark(&text).trim().is_empty() && file.is_file() {
            let text = "is empty: write settings into it, or name no file to run the demo";
            return Err(SettingsProblem::of_file(&name, text).into());
        }
        let mut settings = Self::parse(&text, &name, &read_environment()?, overrides)?;
        settings.origin.exists = exists;
        Ok(settings)
    }

    /// Parses these sources as [`Settings::load`] does. Reads only `text` and the files that `…_FILE` variables name;
    /// other variables in `env` are ignored.
    ///
    /// # Errors
    /// Every problem at once. A `text` that is not TOML is judged no further than its syntax.
    pub fn parse(
        text: &str,
        file_name: &str,
        env: &BTreeMap<String, String>,
        overrides: &[(String, String)],
    ) -> Result<Self, SettingsProblems> {
        let layers = layers::Layers::of(text, file_name, env, overrides)?;
        let mut reader = read::SettingsReader::new(layers);
        let settings = Self::from_reader(&mut reader);
        rules::check(&settings, &mut reader);
        reader.finish().map(|()| settings)
    }
}

/// The variables of this process that begin with the prefix of the settings.
fn read_environment() -> Result<BTreeMap<String, String>, SettingsProblem> {
    let ours = |name: &std::ffi::OsString| name.as_encoded_bytes().starts_with(ENVIRONMENT.as_bytes());
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_string_lossy().into_owned();
        match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsProblem::of_variable(&name, "is not UTF-8")),
        }
    };
    std::env::vars_os().filter(|(name, _)| ours(name)).map(text).collect()
}
