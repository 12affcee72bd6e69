//! The checks after each step, and at the end.

use super::Walk;
use super::steps::Step;
use crate::feed::follower::Copy;
use crate::feed::rules::Follower;

/// App users that are looked up after a step.
const SAMPLE: usize = 10;

impl Walk {
    /// The service is healthy and reports so, and has everything that it acknowledged.
    pub fn check(&mut self, step: Step) {
        let ready = self.program().admin("/readyz");
        assert_eq!(ready.status, 200, "{step:?}: {ready:?}");
        if !self.is_trimmed {
            let trouble = self.ledger.lost(&self.home.sql());
            assert_eq!(trouble, None, "{step:?}");
        }
        let users: Vec<&String> = self.ledger.users().collect();
        for _ in 0..SAMPLE.min(users.len()) {
            let id = users[self.rng.below(users.len() as u64) as usize];
            assert_eq!(self.program().app_user(id).status, 200, "{step:?}: {id}");
        }
    }

    /// Every check there is, and the follower has the directory.
    pub fn end(&mut self, follower: &mut Follower) {
        self.erase();
        self.is_erased();
        follower.catch_up(self.listen());
        let copy = Copy { users: std::mem::take(&mut follower.copy), ..Copy::default() };
        copy.is_the_directory(self.program());
        super::person::is_not_in(&serde_json::to_string(&copy.users).unwrap(), "the follower");
        for id in self.ledger.users() {
            assert_eq!(self.program().app_user(id).status, 200, "{id}");
        }
        self.verified(0, "the end");
        self.stop();
        let verified = self.alone(&["verify"]).well();
        assert!(!verified.out.is_empty(), "{verified:?}");
        assert_eq!(self.home.find::<String>("PRAGMA integrity_check"), "ok");
    }
}
