//! The answers that senders got, and whether the database agrees.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use rollcall::domain::Digest;
use rusqlite::{Connection, OpenFlags};

use super::traffic::{Delivery, Rng, Sent};
use crate::rebuild::{Rebuilt, expected};
use crate::support::{Connection as Line, KEY_ID, KEY_SECRET, Program, basic};

/// The number of app users of earlier rounds that each round looks up again.
const SAMPLE: usize = 100;

#[derive(Clone, Default)]
pub struct Ledger {
    acknowledged: HashSet<Digest>,
    sent: HashSet<Digest>,
    /// The first event of each delivery that was acknowledged.
    stored: HashSet<Digest>,
    batches: Vec<Vec<Digest>>,
    users: BTreeSet<String>,
    new_users: BTreeSet<String>,
    acks: u64,
    refusals: u64,
}

impl Ledger {
    pub fn note(&mut self, Sent { delivery, acknowledged }: Sent) {
        self.sent.extend(&delivery.events);
        if acknowledged {
            self.acks += 1;
            self.stored.extend(delivery.events.first());
            self.acknowledged.extend(&delivery.events);
            self.new_users.extend(delivery.users);
        } else {
            self.refusals += 1;
        }
        if delivery.events.len() > 1 {
            self.batches.push(delivery.events);
        }
    }

    /// A body that was sent and acknowledged by other means.
    pub fn knows(&mut self, body: &str) {
        let delivery = Delivery::new(&serde_json::from_str(body).unwrap(), Vec::new());
        self.sent.extend(&delivery.events);
        self.acknowledged.extend(&delivery.events);
    }

    /// Different deliveries that were acknowledged.
    pub fn stored(&self) -> usize {
        self.stored.len()
    }

    /// Everything acknowledged is there, once; nothing in part; nothing that was never sent.
    pub fn verify(&self, database: &Path, when: &str) {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(database, flags).unwrap();
        if let Some(trouble) = self.trouble(&conn) {
            panic!("{when}: {trouble}");
        }
    }

    /// The database is a backup started when the ledger was `then`: events acknowledged since may be missing.
    pub fn restored(&mut self, then: &Self) {
        self.acknowledged.clone_from(&then.acknowledged);
        self.stored.clone_from(&then.stored);
        self.users.clone_from(&then.users);
        self.new_users.clone_from(&then.new_users);
    }

    /// App users that were acknowledged.
    pub fn users(&self) -> impl Iterator<Item = &String> {
        self.users.union(&self.new_users)
    }

    /// The fault in the events that were sent; other events in the journal do not matter.
    pub fn lost(&self, conn: &Connection) -> Option<String> {
        let journal = journal(conn);
        let lost = self.acknowledged.iter().filter(|digest| !journal.contains_key(*digest)).count();
        let is_doubled = |digest: &&Digest| journal.get(*digest).is_some_and(|count| *count > 1);
        let doubled = self.sent.iter().filter(is_doubled).count();
        ([lost, doubled] != [0; 2]).then(|| format!("{lost} acknowledged events lost, {doubled} doubled"))
    }

    /// The fault of the database, if any.
    pub fn trouble(&self, conn: &Connection) -> Option<String> {
        let integrity: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        if integrity != "ok" {
            return Some(integrity);
        }
        let journal = journal(conn);
        let lost = self.acknowledged.iter().filter(|digest| !journal.contains_key(*digest)).count();
        let doubled = journal.values().filter(|count| **count > 1).count();
        let invented = journal.keys().filter(|digest| !self.sent.contains(*digest)).count();
        let there = |batch: &[Digest]| batch.iter().filter(|digest| journal.contains_key(*digest)).count();
        let torn = self.batches.iter().filter(|batch| ![0, batch.len()].contains(&there(batch))).count();
        if [lost, doubled, invented, torn] != [0; 4] {
            let events = journal.len();
            return Some(format!(
                "of {events} events {lost} acknowledged lost, {doubled} doubled, {invented} invented, {torn} batches in part"
            ));
        }
        let gaps = "SELECT count(*) FROM feeds f WHERE
                    f.seq <> (SELECT count(*) FROM changes c WHERE c.app = f.app) OR
                    f.seq <> (SELECT max(c.seq) FROM changes c WHERE c.app = f.app)";
        let gaps: i64 = conn.query_row(gaps, [], |row| row.get(0)).unwrap();
        (gaps > 0).then(|| "a feed has a gap".to_owned())
    }

    /// All app users acknowledged since the last call, and some others (or all of them), are found over HTTP with the
    /// content of the journal.
    pub fn look_up(&mut self, program: &Program, rebuilt: &Rebuilt, rng: &mut Rng, all: bool) {
        let mut ids = std::mem::take(&mut self.new_users);
        self.users.extend(ids.iter().cloned());
        if all {
            ids.clone_from(&self.users);
        } else {
            let known: Vec<&String> = self.users.iter().collect();
            let sample = (0..SAMPLE.min(known.len())).map(|_| known[rng.below(known.len() as u64) as usize]);
            ids.extend(sample.cloned());
        }
        let mut line = Line::open(program.listen);
        let credentials = basic(KEY_ID, KEY_SECRET);
        for id in ids {
            let path = format!("/v1/appusers/{id}");
            let live = line.ask("GET", &path, &[("authorization", &credentials)], b"");
            assert_eq!((live.status, Some(live.text)), (200, expected(&rebuilt.directory, &id)), "{id}");
        }
    }
}

/// The number of journal entries of each event.
fn journal(conn: &Connection) -> HashMap<Digest, i64> {
    let mut select = conn.prepare("SELECT digest, count(*) FROM journal GROUP BY digest").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, users) = (self.sent.len(), self.users.union(&self.new_users).count());
        write!(
            f,
            "{sent} events sent, {} requests acknowledged, {} not, {users} app users",
            self.acks, self.refusals
        )
    }
}
