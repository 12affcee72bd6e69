//! Checks of the paths in the settings against this machine.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{Access, access};

use super::problem::{SettingLocation, SettingsProblem, SettingsProblems};
use super::settings::Settings;
use super::values::StoreUrl;

impl Settings {
    /// Checks that the database can be opened or created at `store.url`. `refused` is the store's reason for refusing its
    /// name.
    ///
    /// # Errors
    /// Its folder is missing or not writable, the path is no file, or the name is refused.
    pub fn check_database(&self, refused: Option<&str>) -> Result<(), SettingsProblems> {
        let StoreUrl::Sqlite(path) = &self.store.url;
        let wrong = wrong_with(path).or_else(|| refused.map(str::to_owned));
        refuse(wrong, &self.origin.store_url, "store.url")
    }

    /// Checks that backups can be made in `backup.folder`; `refused` gives the store's reason for refusing a folder. The
    /// service starts in any case, and retries.
    ///
    /// # Errors
    /// The folder, or its parent if it does not exist yet, is missing or not writable, or the path is no folder.
    pub fn check_backups(&self, refused: impl Fn(&Path) -> Option<String>) -> Result<(), SettingsProblems> {
        refuse(self.wrong_with_backups(refused), &self.origin.backup_folder, "backup.folder")
    }

    /// The problem of [`check_backups`](Self::check_backups), without the key.
    pub fn wrong_with_backups(&self, refused: impl Fn(&Path) -> Option<String>) -> Option<String> {
        let folder = self.backup.folder.as_deref()?;
        if folder.is_dir() {
            return refused(folder).or_else(|| wrong_with_folder(folder));
        }
        if folder.symlink_metadata().is_ok() {
            return Some(format!("{} is no folder", folder.display()));
        }
        // The folder is created.
        wrong_with_folder(parent_folder(folder)).or_else(|| refused(folder))
    }

    /// Refuses the demo app for a database of other apps: a settings file that lost its apps would have their webhooks
    /// answered 401, which is final.
    ///
    /// # Errors
    /// The settings name no app, and the database has other apps only.
    pub fn check_apps(&self, stored: &[String]) -> Result<(), SettingsProblems> {
        if !self.origin.demo_app || stored.is_empty() || self.apps.iter().any(|app| stored.contains(&app.id))
        {
            return Ok(());
        }
        let stored = stored.join(", ");
        let text = format!(
            "the settings name no app, which puts the demo in force, but the database is of the apps {stored}: name \
             them, or another database"
        );
        Err(SettingsProblem::of_file(&self.origin.file, text).into())
    }
}

fn refuse(wrong: Option<String>, place: &SettingLocation, key: &str) -> Result<(), SettingsProblems> {
    wrong.map_or(Ok(()), |text| Err(SettingsProblem::of_key(place, key, text).into()))
}

fn parent_folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn wrong_with_folder(folder: &Path) -> Option<String> {
    let name = folder.display();
    match folder.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Some(format!("there is no folder {name}: make it, or name another"));
        }
        Err(error) => return Some(format!("the folder {name} cannot be used: {error}")),
        Ok(found) if !found.is_dir() => return Some(format!("{name} is no folder")),
        Ok(_) => {}
    }
    let usable = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    usable.err().map(|error| format!("the folder {name} cannot be written by this user: {error}"))
}

fn wrong_with(database: &Path) -> Option<String> {
    if let Some(wrong) = wrong_with_folder(parent_folder(database)) {
        return Some(wrong);
    }
    let name = database.display();
    match database.metadata() {
        Ok(found) if !found.is_file() => Some(format!("{name} is no file")),
        Ok(_) => {
            let usable = access(database, Access::READ_OK | Access::WRITE_OK);
            usable.err().map(|error| format!("{name} cannot be read and written by this user: {error}"))
        }
        Err(_) => None,
    }
}
