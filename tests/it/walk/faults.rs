//! Faults of the disk and the files.

use std::process::Command;

use super::Walk;
use crate::support::{first_message, until};

/// Damage that a directory can have, each of another kind.
const DAMAGE: [&str; 2] = [
    "UPDATE app_users SET listed = 0 WHERE id = (SELECT id FROM app_users WHERE listed AND id > 'to-be' LIMIT 1)",
    "DELETE FROM app_users WHERE id = (SELECT id FROM app_users WHERE listed AND id > 'to-be' LIMIT 1)",
];

impl Walk {
    fn file_size(&self, bytes: &str) {
        let pid = self.program().pid().to_string();
        let done =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// No file may grow: every write is refused, reads work, and the service reports it; then there is room again.
    pub fn full(&mut self) {
        self.file_size("1:unlimited");
        self.persons += 1;
        let body = first_message("while-full", 1_500_000_000.0 + self.persons as f64);
        assert_eq!(self.program().webhook(&body).status, 503, "nothing is acknowledged");
        assert_eq!(self.program().admin("/readyz").status, 503, "and that is no health");
        assert_eq!(self.program().admin("/livez").status, 200);
        self.file_size("unlimited:unlimited");
        let program = self.program();
        until("it is stored", || program.webhook(&body).status == 200);
        self.ledger.knows(&body);
        assert_eq!(self.program().admin("/readyz").status, 200);
    }

    /// The result of a verification beside the service, while retention trims the journal.
    pub fn verified(&self, code: i32, about: &str) {
        let verified = self.command(&["rebuild", "--verify"]);
        assert_eq!(verified.code, Some(code), "{about}: {verified:?}");
    }

    /// A directory that differs from the journal is never reported as whole, and is repaired.
    pub fn damaged(&mut self, running: bool) {
        self.message("to-be-damaged");
        self.stop();
        let damage = DAMAGE[self.rng.below(DAMAGE.len() as u64) as usize];
        assert_eq!(self.home.sql().execute(damage, []).unwrap(), 1);
        if running {
            self.start();
            self.verified(1, damage);
            self.command(&["rebuild"]).well();
            self.verified(0, damage);
        } else {
            assert_eq!(self.alone(&["rebuild", "--verify"]).code, Some(1), "{damage}");
            self.alone(&["rebuild"]).well();
            self.alone(&["rebuild", "--verify"]).well();
            self.start();
        }
    }

    /// A service whose file is moved away soon stops acknowledging, and ends; with the file back in its place nothing
    /// is lost.
    pub fn moved(&mut self) {
        let (from, to) = (self.home.database(), self.home.path().join("moved.db"));
        std::fs::rename(&from, &to).unwrap();
        let (status, log) = self.program.take().unwrap().wait();
        assert_eq!(status.code(), Some(74), "{log}");
        let without = self.home.try_start().err().and_then(|(status, _)| status.code());
        assert_eq!(without, Some(74), "an empty directory beside the log of another");
        std::fs::rename(&to, &from).unwrap();
        self.start();
    }
}
