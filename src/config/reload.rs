//! Which settings a running service takes over, which only a restart changes, and which it refuses.

use std::net::SocketAddr;

use super::problem::{SettingLocation, SettingsProblem, SettingsProblems};
use super::settings::Settings;

impl Settings {
    /// Whether a service that runs with these settings, and listens at these addresses, may go on with `new`.
    ///
    /// # Errors
    /// A file that was cut off, emptied or removed while the service ran would lead to `new`; or a start with
    /// `new` would be refused, were it to listen at these addresses.
    pub fn may_become(&self, new: &Self, listening: &[SocketAddr]) -> Result<(), SettingsProblems> {
        let (was, is) = (&self.origin, &new.origin);
        let mut problems = Vec::new();
        let mut of_file = |text: String| problems.push(SettingsProblem::of_file(&is.file, text));
        if was.exists && !is.exists {
            of_file("is gone".to_owned());
        } else if was.keys > 0 && is.keys == 0 {
            of_file("sets nothing any more".to_owned());
        }
        if is.demo_app && !was.demo_app {
            of_file("names no app any more, which would put the demo in force".to_owned());
        } else if !self.apps.iter().any(|app| new.apps.iter().any(|kept| kept.id == app.id)) {
            let ids: Vec<&str> = self.apps.iter().map(|app| app.id.as_str()).collect();
            let ids = ids.join(", ");
            of_file(format!("has none of the apps in force ({ids}): restart the service if that is meant"));
        }
        let public = listening.iter().find(|address| super::rules::is_beyond_loopback(**address));
        if let Some(address) = public {
            let text = format!("is the demo's, which everybody knows, and the service listens on {address}");
            let known = new.demo_secrets().into_iter();
            problems.extend(known.map(|key| SettingsProblem {
                place: SettingLocation::File(is.file.clone(), None),
                key: Some(key),
                text: text.clone(),
            }));
        }
        SettingsProblems::from_list(problems)
    }

    /// The keys that differ in `new` and take effect with a restart only.
    pub fn need_restart(&self, new: &Self) -> Vec<&'static str> {
        let Self {
            origin: _,
            account_keys: _,
            server,
            limits,
            ingest,
            reads,
            store,
            retention,
            feed,
            backup,
            log,
            apps: _,
        } = self;
        [
            server.need_restart(&new.server),
            limits.need_restart(&new.limits),
            ingest.need_restart(&new.ingest),
            reads.need_restart(&new.reads),
            retention.need_restart(&new.retention),
            store.need_restart(&new.store),
            feed.need_restart(&new.feed),
            backup.need_restart(&new.backup),
            log.need_restart(&new.log),
        ]
        .concat()
    }
}
