//! Classifies changed settings: applied by a reload, left to a restart, or refused.

use std::net::SocketAddr;

use super::problem::{SettingLocation, SettingsProblem, SettingsProblems};
use super::rules::{BEYOND_LOOPBACK, is_beyond_loopback};
use super::settings::{AppSettings, Settings, SigningKey, named_for_restart};

impl Settings {
    /// Checks whether a running service with these settings and bound addresses, the public one and the admin listener's, may
    /// reload to `new`.
    ///
    /// # Errors
    /// The file looks truncated, emptied or removed; or a start with `new` on these addresses would be refused.
    pub fn may_become(&self, new: &Self, listening: &[SocketAddr; 2]) -> Result<(), SettingsProblems> {
        let (was, is) = (&self.origin, &new.origin);
        let mut problems = Vec::new();
        let mut of_file = |text: String| problems.push(SettingsProblem::of_file(&is.file, text));
        if was.exists && !is.exists {
            of_file("is missing".to_owned());
        } else if was.keys > 0 && is.keys == 0 {
            of_file("no longer sets any key".to_owned());
        }
        if is.demo_app && !was.demo_app {
            of_file("no longer names an app, which would put the demo in force".to_owned());
        } else if !self.apps.iter().any(|app| new.apps.iter().any(|kept| kept.id == app.id)) {
            let ids: Vec<&str> = self.apps.iter().map(|app| app.id.as_str()).collect();
            let ids = ids.join(", ");
            of_file(format!(
                "has none of the apps in force ({ids}): restart the service if this is intended"
            ));
        }
        let public = listening.iter().find(|address| is_beyond_loopback(**address));
        if let Some(address) = public {
            let text = format!("is the demo's, which is public, and the service listens on {address}");
            let known = new.demo_secrets().into_iter();
            let place = SettingLocation::File(is.file.clone(), None);
            problems.extend(known.map(|key| SettingsProblem::of_key(&place, &key, text.as_str())));
        }
        if !new.console.names_operators() && is_beyond_loopback(listening[1]) {
            let place = SettingLocation::File(is.file.clone(), None);
            problems.push(SettingsProblem::of_key(&place, "server.admin_listen", BEYOND_LOOPBACK));
        }
        SettingsProblems::from_list(problems)
    }

    /// The keys that differ in `new`; of `account_keys`, `apps` and `console` the whole.
    pub fn changed_keys(&self, new: &Self) -> Vec<&'static str> {
        let Self {
            origin: _,
            account_keys,
            server,
            limits,
            ingest,
            reads,
            store,
            retention,
            feed,
            backup,
            log,
            apps,
            console,
        } = self;
        let lists = [
            (
                "account_keys",
                account_keys
                    .iter()
                    .map(SigningKey::content)
                    .ne(new.account_keys.iter().map(SigningKey::content)),
            ),
            ("console", console.content() != new.console.content()),
            ("apps", apps.iter().map(AppSettings::content).ne(new.apps.iter().map(AppSettings::content))),
        ];
        let lists = lists.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
        [
            lists,
            server.changed(&new.server),
            limits.changed(&new.limits),
            ingest.changed(&new.ingest),
            reads.changed(&new.reads),
            store.changed(&new.store),
            retention.changed(&new.retention),
            feed.changed(&new.feed),
            backup.changed(&new.backup),
            log.changed(&new.log),
        ]
        .concat()
    }

    /// What is to be named of `new` because it takes effect with a restart only, each once.
    pub fn need_restart(&self, new: &Self) -> Vec<&'static str> {
        let mut named: Vec<_> = self.changed_keys(new).into_iter().filter_map(named_for_restart).collect();
        named.dedup();
        named
    }
}
