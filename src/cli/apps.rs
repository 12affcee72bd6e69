//! The app of a command. An unknown one is a usage error that lists the known apps.

use super::CommandError;
use crate::config::{AppSettings, Settings};
use crate::directory::DirectoryReader;
use crate::domain::brand::{Name, several_brands};
use crate::domain::{AppId, View, brands_of};

/// The app of the settings with this id, or their only one.
/// Fails if there is no such app, or there are several and none is named.
pub(super) fn of_settings<'a>(
    wanted: Option<&str>,
    apps: &'a [AppSettings],
) -> Result<&'a AppSettings, CommandError> {
    match (wanted, apps) {
        (None, [only]) => Ok(only),
        (None, _) => {
            let (count, ids) = (apps.len(), apps.iter().map(|app| app.id.as_str()).collect::<Vec<_>>());
            let why = format!("the settings have {count} apps: name one with --app ({})", ids.join(", "));
            Err(CommandError::Usage(why))
        }
        (Some(id), _) => apps
            .iter()
            .find(|app| app.id == id)
            .ok_or_else(|| unknown(id, "the settings have", apps.iter().map(|app| app.id.as_str()))),
    }
}

/// The named app of the settings or of the database, if one is named.
/// Fails if neither has it.
pub(super) fn of_database(
    wanted: Option<&str>,
    reader: &mut DirectoryReader,
    settings: &Settings,
) -> anyhow::Result<Option<AppId>> {
    let Some(id) = wanted else { return Ok(None) };
    let mut known: Vec<String> = settings.apps.iter().map(|app| app.id.clone()).collect();
    known.extend(reader.list_apps()?.iter().map(|app| app.as_str().to_owned()));
    known.sort();
    known.dedup();
    if !known.iter().any(|app| app == id) {
        let known = known.iter().map(String::as_str);
        return Err(unknown(id, "the settings and the database have", known).into());
    }
    Ok(Some(id.into()))
}

/// The same for commands that need an app: the only one of the settings if none is named.
pub(super) fn one_of_database(
    wanted: Option<&str>,
    reader: &mut DirectoryReader,
    settings: &Settings,
) -> anyhow::Result<AppId> {
    match of_database(wanted, reader, settings)? {
        Some(app) => Ok(app),
        None => Ok(of_settings(None, &settings.apps)?.id.as_str().into()),
    }
}

/// The app user with this `_id` or `userId`; `None` if there is none.
/// Fails if the name is a `userId` of several brands.
pub(super) fn find_app_user(
    reader: &mut DirectoryReader,
    app: &AppId,
    name: &Name,
) -> anyhow::Result<Option<View>> {
    let Some(found) = reader.find_by_name(app, name)? else { return Ok(None) };
    if name.brand.is_none() && !found.has_id(&name.text) {
        let brands = brands_of(&reader.find_carriers(app, &name.text)?);
        if brands.len() > 1 {
            let why = several_brands(&brands.into_iter().collect::<Vec<_>>(), "--brand");
            return Err(CommandError::Usage(why).into());
        }
    }
    Ok(Some(found))
}

fn unknown<'a>(id: &str, who: &str, known: impl Iterator<Item = &'a str>) -> CommandError {
    let known = known.collect::<Vec<_>>().join(", ");
    CommandError::Usage(format!("there is no app {id:?}; {who} {known}"))
}
