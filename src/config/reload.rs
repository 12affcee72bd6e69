//! Which settings a running service takes over, which only a restart changes, and which it refuses.

use std::net::SocketAddr;

use super::{
    IngestSettings, LogSettings, ServerSettings, SettingLocation, Settings, SettingsProblem,
    SettingsProblems, StoreSettings,
};

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

    /// The keys that are different in `new` and that a running service cannot change. Whoever adds a key decides
    /// here what it is: none is left out by name.
    pub fn need_restart(&self, new: &Self) -> Vec<&'static str> {
        let Self {
            origin: _,
            account_keys: _,
            server: _,
            limits: _,
            ingest: _,
            reads: _,
            store: _,
            retention: _,
            feed: _,
            backup: _,
            log: _,
            apps: _,
        } = new;
        let ServerSettings {
            listen,
            admin_listen,
            admin_hosts: _,
            header_timeout: _,
            body_timeout: _,
            idle_timeout: _,
            header_bytes: _,
            max_connections,
            connections_per_address: _,
            cors_origins: _,
            drain_within: _,
        } = &new.server;
        let IngestSettings {
            queue_jobs,
            queue_bytes,
            batch_jobs,
            answer_within,
            signature_tolerance: _,
            future_tolerance: _,
            quarantine_rows,
            quarantine_bytes,
            group_members,
            silent_after: _,
        } = &new.ingest;
        let StoreSettings { url, wal_checkpoint, wal_limit } = &new.store;
        let LogSettings { format, level } = &new.log;
        let (server, ingest, store, log) = (&self.server, &self.ingest, &self.store, &self.log);
        let kept = [
            ("server.listen", server.listen == *listen),
            ("server.admin_listen", server.admin_listen == *admin_listen),
            ("server.max_connections", server.max_connections == *max_connections),
            ("ingest.queue_jobs", ingest.queue_jobs == *queue_jobs),
            ("ingest.queue_bytes", ingest.queue_bytes == *queue_bytes),
            ("ingest.batch_jobs", ingest.batch_jobs == *batch_jobs),
            ("ingest.answer_within", ingest.answer_within == *answer_within),
            ("ingest.quarantine_rows", ingest.quarantine_rows == *quarantine_rows),
            ("ingest.quarantine_bytes", ingest.quarantine_bytes == *quarantine_bytes),
            ("ingest.group_members", ingest.group_members == *group_members),
            ("reads", self.reads == new.reads),
            ("retention", self.retention == new.retention),
            ("store.url", store.url == *url),
            ("store.wal_checkpoint", store.wal_checkpoint == *wal_checkpoint),
            ("store.wal_limit", store.wal_limit == *wal_limit),
            ("log.format", log.format == *format),
            ("log.level", log.level == *level),
        ];
        kept.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}
