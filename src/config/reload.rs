//! Which settings a running service takes over, and which only a restart changes.

use super::{Ingest, Log, Server, Settings, Store};

impl Settings {
    /// The keys that are different in `new` and that a running service cannot change. Whoever adds a key decides
    /// here what it is: none is left out by name.
    pub fn need_restart(&self, new: &Self) -> Vec<&'static str> {
        let Self {
            account_keys: _,
            server: _,
            limits: _,
            ingest: _,
            store: _,
            retention: _,
            feed: _,
            backup: _,
            log: _,
            apps: _,
        } = new;
        let Server {
            listen,
            admin_listen,
            header_timeout: _,
            body_timeout: _,
            idle_timeout: _,
            header_bytes: _,
            max_connections,
            connections_per_address: _,
            cors_origins: _,
            drain_within: _,
        } = &new.server;
        let Ingest {
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
        let Store { url, wal_checkpoint, wal_limit } = &new.store;
        let Log { format, level } = &new.log;
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
