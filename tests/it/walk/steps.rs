//! The steps of an operator.

use std::sync::mpsc::Receiver;

use super::Walk;
use super::person::Person;
use crate::backup::printed;
use crate::crash::ledger::Ledger;
use crate::crash::traffic::{Rng, Sent};
use crate::operator_commands::{Ran, run, run_alone};
use crate::support::{Program, first_message, until};

/// The app of these walks, in settings that are not empty.
pub const APPS: &str = "[[apps]]
id = \"5698edbf2a43bd081be982f1\"
webhook_secrets = [\"demo-webhook-secret\"]
keys = [{ id = \"app_demo\", secret = \"demo-key-secret-change-me\" }]
";

/// The state that a reload finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Settings {
    Good,
    CutOff,
    Emptied,
}

/// A step of a walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// A backup beside the service.
    Backup,
    /// The service is stopped or killed, and a backup put in place.
    Restore {
        killed: bool,
    },
    /// Actions that must be refused while the service runs: a restore over it, a backup over it, a second service.
    Forbidden,
    /// A person in the journal, quarantine, merges and stored answers.
    Person,
    /// That person is erased.
    Erase,
    /// Everything is exported.
    Export,
    /// The export is taken in.
    Import,
    /// SIGHUP with settings that are good, cut off, or emptied.
    Reload(Settings),
    /// A restart with settings that keep little.
    Retention,
    Killed,
    Stopped,
    /// Nothing can be written for a while.
    Full,
    /// The database file is moved away under the service.
    Moved,
    /// The database is damaged while the service is down, which a verification must say, and repaired.
    Damaged {
        running: bool,
    },
}

/// Every kind of step, the frequent ones more than once.
const STEPS: [Step; 20] = [
    Step::Backup,
    Step::Backup,
    Step::Restore { killed: false },
    Step::Restore { killed: true },
    Step::Forbidden,
    Step::Person,
    Step::Person,
    Step::Erase,
    Step::Export,
    Step::Import,
    Step::Reload(Settings::Good),
    Step::Reload(Settings::CutOff),
    Step::Reload(Settings::Emptied),
    Step::Moved,
    Step::Retention,
    Step::Killed,
    Step::Stopped,
    Step::Full,
    Step::Damaged { running: true },
    Step::Damaged { running: false },
];

/// The steps of a walk.
pub fn choose(rng: &mut Rng) -> Vec<Step> {
    let count = 6 + rng.below(5);
    (0..count).map(|_| STEPS[rng.below(STEPS.len() as u64) as usize]).collect()
}

/// A backup, and the state when it was begun.
pub struct Backup {
    pub path: String,
    pub ledger: Ledger,
    pub person: Person,
    pub is_trimmed: bool,
}

impl Walk {
    pub fn take(&mut self, step: Step, answers: &Receiver<Sent>) {
        match step {
            Step::Backup => self.backup(answers),
            Step::Restore { killed } => self.restore(killed, answers),
            Step::Forbidden => self.forbidden(),
            Step::Person => self.meet(),
            Step::Erase => self.erase(),
            Step::Export => {
                self.command(&["export", "-o", "export.ndjson"]).well();
                self.export = Some(self.person);
            }
            Step::Import => self.import(),
            Step::Reload(settings) => self.reload(settings),
            Step::Moved => self.moved(),
            Step::Retention => {
                self.stop();
                let kept = ["history_entries = 30", "bodies_bytes = \"2KB\"", "feed_changes = 10"];
                let kept = kept[self.rng.below(3) as usize];
                self.is_trimmed |= kept.starts_with("history");
                self.home.settings = format!("[retention]\n{kept}\n{APPS}");
                self.start();
            }
            Step::Killed => {
                self.program.take().unwrap().kill();
                self.start();
            }
            Step::Stopped => {
                self.stop();
                self.start();
            }
            Step::Full => self.full(),
            Step::Damaged { running } => self.damaged(running),
        }
    }

    /// A command that finds the service.
    pub fn command(&self, args: &[&str]) -> Ran {
        run(&self.home, self.program(), args)
    }

    pub fn start(&mut self) {
        self.program = Some(self.home.start());
    }

    /// SIGTERM; the log has no personal data.
    pub fn stop(&mut self) {
        let log = self.program.take().unwrap().stop();
        super::person::is_not_in(&log, "the log");
    }

    /// A webhook that must be stored.
    pub fn message(&mut self, id: &str) {
        self.persons += 1;
        let body = first_message(id, 1_500_000_000.0 + self.persons as f64);
        assert_eq!(self.program().webhook(&body).status, 200);
        self.ledger.knows(&body);
    }

    fn backup(&mut self, answers: &Receiver<Sent>) {
        self.note(answers);
        let path = format!("b{}.db", self.backups.len());
        let (ledger, person, is_trimmed) = (self.ledger.clone(), self.person, self.is_trimmed);
        printed(&self.home, &["backup", &path]);
        self.backups.push(Backup { path, ledger, person, is_trimmed });
    }

    fn restore(&mut self, killed: bool, answers: &Receiver<Sent>) {
        if self.backups.is_empty() {
            self.backup(answers);
        }
        if killed {
            self.program.take().unwrap().kill();
        } else {
            self.stop();
        }
        // The events answered until now are lost with the old database.
        answers.iter().for_each(|sent| self.ledger.note(sent));
        let at = self.rng.below(self.backups.len() as u64) as usize;
        let backup = &self.backups[at];
        let back = printed(&self.home, &["restore", "--replace", &backup.path]);
        assert!(back["seq"].is_u64(), "{back}");
        self.ledger.restored(&backup.ledger);
        self.person = backup.person;
        self.is_trimmed = backup.is_trimmed || self.home.settings.contains("history");
        self.start();
    }

    fn forbidden(&self) {
        let refused = |args: &[&str]| {
            let ran = self.command(args);
            assert_ne!(ran.code, Some(0), "{args:?}: {ran:?}");
        };
        if let Some(backup) = self.backups.last() {
            refused(&["restore", "--replace", &backup.path]);
            refused(&["backup", &backup.path]);
        }
        refused(&["backup", "--overwrite", "rollcall.db"]);
        let link = self.home.path().join("another-name.db");
        _ = std::fs::remove_file(&link);
        std::fs::hard_link(self.home.database(), &link).unwrap();
        refused(&["backup", "--overwrite", "another-name.db"]);
        refused(&["export", "-o", "another-name.db"]);
        std::fs::remove_file(&link).unwrap();
        assert!(self.home.try_start().is_err(), "a second service");
        if let Some(backup) = self.backups.last() {
            let mut bytes = std::fs::read(self.home.path().join(&backup.path)).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            std::fs::write(self.home.path().join("broken.db"), bytes).unwrap();
            refused(&["verify", "broken.db"]);
            refused(&["restore", "--to", "new.db", "broken.db"]);
            self.command(&["verify", &backup.path]).well();
        }
        self.command(&["verify"]).well();
    }

    fn import(&mut self) {
        let Some(exported) = self.export else { return };
        let of_nobody = std::fs::metadata(self.home.path().join("export.ndjson")).unwrap().len() == 0;
        let imported = self.command(&["import", "export.ndjson"]);
        assert_eq!(imported.code, Some(i32::from(of_nobody)), "{imported:?}");
        if self.person == Person::Nobody {
            self.person = exported;
        }
    }

    fn reload(&mut self, settings: Settings) {
        let before = std::mem::take(&mut self.home.settings);
        let good = format!("[limits]\nrequests_per_second = {}\n{before}", 1000 + self.rng.below(9));
        let (text, said) = match settings {
            Settings::Good => (&*good, "reloaded credentials and limits"),
            Settings::CutOff => ("[[apps]]\nid = \"half an app", "stay in force"),
            Settings::Emptied => ("", "stay in force"),
        };
        text.clone_into(&mut self.home.settings);
        // Any command writes the settings of this home.
        self.home.command(&["check-config"]).output().unwrap();
        let program = self.program();
        let times = |program: &Program| program.log().matches(said).count();
        let once = times(program);
        program.signal("HUP");
        until(said, || times(program) > once);
        self.home.settings = before;
        self.home.command(&["check-config"]).output().unwrap();
    }

    /// Verifies this home without a running service.
    pub fn alone(&self, args: &[&str]) -> Ran {
        run_alone(&self.home, args)
    }
}
