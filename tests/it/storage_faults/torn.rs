//! F3: any part of the unsynced tail reaches the disk: nothing, a part, in any order, damaged. Acknowledged events
//! are there, and of the rest only complete deliveries.

use rollcall::directory::open_reader;
use rollcall::domain::Digest;
use rollcall::store::sqlite::StoreOptions;

use super::*;
use crate::crash::seed;
use crate::crash::traffic::{Delivery, Rng};
use crate::support::journal;

/// The acknowledged events in order, and the length of the WAL at each.
struct Recorded {
    database: Vec<u8>,
    wal: Vec<u8>,
    deliveries: Vec<(Vec<Digest>, usize)>,
}

fn record(rng: &mut Rng) -> Recorded {
    let home = used("");
    let program = home.start();
    let wal = home.path().join("rollcall.db-wal");
    let mut deliveries = Vec::new();
    let mut made = Sender::new(1, rng.next());
    while deliveries.len() < 30 {
        let delivery: Delivery = made.fresh();
        assert_eq!(program.webhook(&delivery.body).status, 200);
        deliveries.push((delivery.events, std::fs::metadata(&wal).unwrap().len() as usize));
    }
    // Nothing is written while nothing comes, so that these two belong together.
    let recorded = Recorded {
        database: std::fs::read(home.database()).unwrap(),
        wal: std::fs::read(wal).unwrap(),
        deliveries,
    };
    assert_eq!(recorded.wal.len(), recorded.deliveries.last().unwrap().1);
    assert!(recorded.deliveries.is_sorted_by(|one, next| one.1 < next.1), "the WAL only grew");
    program.kill();
    recorded
}

impl Recorded {
    /// The number of deliveries acknowledged at a length of the WAL.
    fn acknowledged(&self, length: usize) -> usize {
        self.deliveries.partition_point(|(_, end)| *end <= length)
    }

    /// The database once the whole log has been copied into it.
    fn checkpointed(&self) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rollcall.db");
        std::fs::write(&path, &self.database).unwrap();
        std::fs::write(dir.path().join("rollcall.db-wal"), &self.wal).unwrap();
        let conn = rusqlite::Connection::open(&path).unwrap();
        let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0);
        std::fs::read(&path).unwrap()
    }

    /// Opens the file with this WAL; gives how many deliveries are there.
    fn recover(&self, wal: &[u8], what: &str) -> usize {
        self.recover_with(&self.database, wal, what)
    }

    fn recover_with(&self, database: &[u8], wal: &[u8], what: &str) -> usize {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rollcall.db");
        std::fs::write(&path, database).unwrap();
        std::fs::write(dir.path().join("rollcall.db-wal"), wal).unwrap();
        let options = StoreOptions { path: path.clone(), wal_checkpoint: 1 << 20, wal_limit: 1 << 22 };
        let store = crate::support::open_store(&options);
        let entries = journal(&open_reader(&path).unwrap(), 1, 10_000);
        let integrity: String = rusqlite::Connection::open(&path)
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(integrity, "ok", "{what}");
        drop(store);
        let found: Vec<Digest> = entries.into_iter().map(|(entry, _)| entry.digest).collect();
        let mut expected: Vec<Digest> = Vec::new();
        for (n, (events, _)) in self.deliveries.iter().enumerate() {
            if expected.len() == found.len() {
                assert_eq!(expected, found, "{what}");
                return n;
            }
            expected.extend(events);
        }
        assert_eq!(expected, found, "{what}: whole deliveries, in their order");
        self.deliveries.len()
    }
}

#[test]
fn a_log_torn_anywhere_gives_back_all_that_was_whole_and_nothing_in_part() {
    let mut rng = seed("torn");
    let recorded = record(&mut rng);
    let frame = 24 + 4096;
    let ends: Vec<usize> = recorded.deliveries.iter().map(|(_, end)| *end).collect();
    let frames = (32..recorded.wal.len()).step_by(frame);
    let near = ends.iter().flat_map(|end| [end - 1, *end, end + 1, end + 24, end + 4119]);
    let random: Vec<usize> = (0..60).map(|_| rng.below(recorded.wal.len() as u64) as usize).collect();
    let cuts: Vec<usize> = frames.chain(near).chain(random).filter(|at| *at <= recorded.wal.len()).collect();
    for at in &cuts {
        let found = recorded.recover(&recorded.wal[..*at], &format!("cut at {at}"));
        assert_eq!(found, recorded.acknowledged(*at), "cut at {at}");
    }
    println!("{} cuts of a log of {} bytes", cuts.len(), recorded.wal.len());
}

#[test]
fn a_damaged_or_reordered_tail_takes_away_nothing_that_was_acknowledged() {
    let mut rng = seed("damaged");
    let recorded = record(&mut rng);
    let mut lost = 0;
    for n in 0..120 {
        // Data after this acknowledgement had not been synced.
        let known = rng.below(recorded.deliveries.len() as u64) as usize;
        let from = recorded.deliveries[known].1;
        let mut wal = recorded.wal.clone();
        let tail = &mut wal[from..];
        match n % 3 {
            0 if !tail.is_empty() => {
                let at = rng.below(tail.len() as u64) as usize;
                tail[at] ^= 1 << rng.below(8);
            }
            1 => tail.chunks_mut(512).filter(|_| rng.below(4) == 0).for_each(|sector| sector.fill(0)),
            _ => tail.chunks_mut(512).filter(|_| rng.below(8) == 0).for_each(|sector| sector.reverse()),
        }
        let found = recorded.recover(&wal, &format!("damage {n} after {known}"));
        assert!(found > known, "damage {n}: {found} deliveries, {} were acknowledged", known + 1);
        lost += usize::from(found < recorded.deliveries.len());
    }
    assert!(lost > 60, "the damage did some: {lost}");
}

/// While a checkpoint copies the log into the database, any part of its writes may be on disk: the log is not
/// truncated before all of them are.
#[test]
fn a_database_torn_in_the_middle_of_a_checkpoint_has_everything_that_was_acknowledged() {
    let mut rng = seed("checkpoint");
    let recorded = record(&mut rng);
    let copied = recorded.checkpointed();
    let (sectors, mut differing) = (copied.len() / 512, 0);
    for n in 0..60 {
        // The part of the file's new length that is there, and its sectors; one may be half written.
        let length = recorded.database.len() / 512 + rng.below((sectors + 1) as u64) as usize;
        let length = length.min(sectors);
        let mut database = recorded.database.clone();
        database.resize(length * 512, 0);
        for at in (0..length * 512).step_by(512) {
            if rng.below(4) < n % 4 {
                continue;
            }
            let (sector, new) = (&mut database[at..at + 512], &copied[at..at + 512]);
            if sector != new {
                let written = if rng.below(8) == 0 { rng.below(512) as usize } else { 512 };
                sector[..written].copy_from_slice(&new[..written]);
                differing += 1;
            }
        }
        let found = recorded.recover_with(&database, &recorded.wal, &format!("torn {n}"));
        assert_eq!(found, recorded.deliveries.len(), "torn {n}");
    }
    println!("{differing} sectors of {sectors} times 60 written");
    assert!(differing > 1000, "{differing}");
    // Without the log, the result of a torn checkpoint is not enough: this test would see a loss.
    assert_eq!(recorded.recover_with(&recorded.database, &[], "no log"), 0);
}

/// The other side of the coin: if this did not lose anything, the tests above would see nothing.
#[test]
fn damage_before_an_acknowledgement_is_seen_by_this_test() {
    let recorded = record(&mut Rng(3));
    let mut wal = recorded.wal.clone();
    wal[recorded.deliveries[9].1 + 700] ^= 1;
    assert_eq!(recorded.recover(&wal, "one bit in the eleventh delivery"), 10);
}
