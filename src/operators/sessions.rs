//! Sessions, in two halves: a cookie, which every port of a host gets, and a value that only the page of one origin has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq as _;

use super::accounts::Accounts;
use super::codes::Guest;
use super::key_file::Key;
use super::operator::{Ender, OpenStreams, Operator, Proof, Role, SessionInfo};
use super::secrets::{Fingerprint, random_text};
use crate::config::ConsoleSettings;
use crate::store::tables::{SessionChange, StoredSession};

/// The longest time after which the last use of a session is stored.
const STORED_AFTER: Duration = Duration::from_secs(300);

/// The most sessions; the one that was not used for the longest time goes first.
const MOST: usize = 1000;

/// A session that has begun: both halves, which nothing else has.
#[derive(Debug)]
pub struct NewSession {
    /// The half that the cookie has.
    pub cookie: String,
    /// The half that the page sends in a header.
    pub half: String,
    /// Whose session it is.
    pub operator: Arc<Operator>,
    /// What has to be stored before the halves are given away.
    pub changes: Vec<SessionChange>,
}

struct Session {
    stored: StoredSession,
    operator: Arc<Operator>,
    /// The last use, in ms since 1970.
    used: i64,
    _ender: Ender,
}

/// The open sessions.
#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<Fingerprint, Session>,
    /// What is not stored yet.
    unwritten: Vec<SessionChange>,
}

/// The limits of a session, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    idle: i64,
    life: i64,
    stored_after: i64,
}

impl Limits {
    pub(super) fn new(settings: &ConsoleSettings) -> Self {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let idle = ms(settings.session_idle);
        Self { idle, life: ms(settings.session_life), stored_after: ms(STORED_AFTER).min(idle / 4) }
    }

    fn is_over(&self, began: i64, used: i64, now: i64) -> bool {
        now >= began.saturating_add(self.life) || now >= used.saturating_add(self.idle)
    }
}

impl Sessions {
    /// The sessions of a database: those that are of its `epoch`, and still hold. A database that was put in place of another
    /// has another epoch, so that a restored backup has none.
    pub(super) fn restore(
        stored: Vec<StoredSession>,
        (epoch, now): (i64, i64),
        limits: Limits,
        accounts: &Accounts,
    ) -> Self {
        let mut sessions = Self::default();
        for row in stored {
            let holds = row.epoch == epoch && !limits.is_over(row.began, row.used, now);
            let id = row.cookie;
            match holds.then(|| whose(&row, accounts, limits)).flatten() {
                Some((operator, ender)) => _ = sessions.open.insert(id, Session::new(row, operator, ender)),
                None => sessions.unwritten.push(SessionChange::End(id)),
            }
        }
        sessions
    }

    /// Begins a session of somebody with a code, or of an account.
    pub(super) fn begin(
        &mut self,
        key: &Key,
        (guest, secret): (Guest, Option<Fingerprint>),
        (epoch, now): (i64, i64),
        limits: Limits,
        accounts: &Accounts,
    ) -> Option<NewSession> {
        if self.open.len() >= MOST {
            let oldest = self.open.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| *id);
            oldest.into_iter().for_each(|oldest| self.end(&oldest));
        }
        let (cookie, half) = (random_text(), random_text());
        let stored = StoredSession {
            cookie: cookie_of(key, &cookie),
            half: half_of(key, &half),
            name: guest.name,
            role: guest.role.name().to_owned(),
            secret,
            began: now,
            used: now,
            epoch,
        };
        let (operator, ender) = whose(&stored, accounts, limits)?;
        let changes = vec![SessionChange::Put(stored.clone())];
        self.open.insert(stored.cookie, Session::new(stored, operator.clone(), ender));
        Some(NewSession { cookie, half, operator, changes })
    }

    /// The operator of a session, by one of several cookies and the other half.
    pub(super) fn find(
        &mut self,
        key: &Key,
        cookies: &[&str],
        half: &str,
        now: i64,
        limits: Limits,
    ) -> Option<Arc<Operator>> {
        let half = half_of(key, half);
        let is_half = |session: &Session| session.stored.half.ct_eq(&half).into();
        self.find_where(key, cookies, is_half, now, limits)
    }

    /// The operator of the session with this id, by one of several cookies. Whoever asks has the other half of a proof.
    pub(super) fn find_by_id(
        &mut self,
        key: &Key,
        cookies: &[&str],
        id: &str,
        now: i64,
        limits: Limits,
    ) -> Option<Arc<Operator>> {
        let has_id = |session: &Session| id_of(&session.stored.cookie) == id;
        self.find_where(key, cookies, has_id, now, limits)
    }

    fn find_where(
        &mut self,
        key: &Key,
        cookies: &[&str],
        is_it: impl Fn(&Session) -> bool,
        now: i64,
        limits: Limits,
    ) -> Option<Arc<Operator>> {
        for cookie in cookies {
            let id = cookie_of(key, cookie);
            let Some(session) = self.open.get_mut(&id) else { continue };
            session.use_by_streams(now);
            if limits.is_over(session.stored.began, session.used, now) {
                self.end(&id);
            } else if is_it(session) {
                session.used = session.used.max(now);
                return Some(session.operator.clone());
            }
        }
        None
    }

    /// Ends a session, by the id in its [`SessionInfo`].
    pub(super) fn end_by_id(&mut self, id: &str) {
        let found = self.open.keys().find(|session| id_of(session) == id).copied();
        found.into_iter().for_each(|session| self.end(&session));
    }

    fn end(&mut self, session: &Fingerprint) {
        if self.open.remove(session).is_some() {
            self.unwritten.push(SessionChange::End(*session));
        }
    }

    /// Ends the sessions that are over, or whose secret the accounts have no longer.
    pub(super) fn sweep(&mut self, limits: Limits, accounts: &Accounts, now: i64) {
        self.open.values_mut().for_each(|session| session.use_by_streams(now));
        let is_over = |session: &Session| {
            limits.is_over(session.stored.began, session.used, now)
                || whose(&session.stored, accounts, limits).is_none_or(|(operator, _)| {
                    let grants = |of: &Operator| (of.role, of.personal_data, of.apps.clone());
                    grants(&operator) != grants(&session.operator)
                })
        };
        let over: Vec<Fingerprint> =
            self.open.iter().filter(|(_, session)| is_over(session)).map(|(id, _)| *id).collect();
        over.iter().for_each(|session| self.end(session));
        for session in self.open.values_mut() {
            if session.used - session.stored.used >= limits.stored_after {
                session.stored.used = session.used;
                self.unwritten.push(SessionChange::Put(session.stored.clone()));
            }
        }
    }

    /// Takes what has to be stored.
    pub(super) fn unwritten(&mut self) -> Vec<SessionChange> {
        std::mem::take(&mut self.unwritten)
    }

    /// Applies other limits to the sessions.
    pub(super) fn limit(&mut self, limits: Limits) {
        for session in self.open.values_mut() {
            let known = Operator::clone(&session.operator);
            let info =
                known.session.map(|info| SessionInfo { expires: expiry(&session.stored, limits), ..info });
            session.operator = Arc::new(Operator { session: info, ..known });
        }
    }

    /// Takes back what could not be stored.
    pub(super) fn put_back(&mut self, changes: Vec<SessionChange>) {
        self.unwritten.splice(..0, changes);
    }

    /// Ends all sessions.
    pub(super) fn end_all(&mut self) {
        let all: Vec<Fingerprint> = self.open.keys().copied().collect();
        all.iter().for_each(|session| self.end(session));
    }
}

impl Session {
    fn new(stored: StoredSession, operator: Arc<Operator>, ender: Ender) -> Self {
        Self { used: stored.used, stored, operator, _ender: ender }
    }

    /// An open stream is a use.
    fn use_by_streams(&mut self, now: i64) {
        if self.operator.session.as_ref().is_some_and(|session| session.streams.are_there()) {
            self.used = self.used.max(now);
        }
    }
}

/// The operator of a stored session; `None` if the accounts do not have its secret, or if one of them has the name that a
/// link was made for.
fn whose(stored: &StoredSession, accounts: &Accounts, limits: Limits) -> Option<(Arc<Operator>, Ender)> {
    let (personal_data, apps, role) = match &stored.secret {
        Some(secret) => {
            let of = &accounts.by_secret(secret)?.operator;
            (of.personal_data, of.apps.clone(), of.role)
        }
        None if accounts.has_name(&stored.name) => return None,
        None => (true, None, Role::from_name(&stored.role)?),
    };
    let (ender, ending) = Ender::new();
    let session = Some(info_of(stored, limits));
    let (name, proof) = (stored.name.clone(), Proof::Session);
    Some((Arc::new(Operator { name, role, personal_data, apps, proof, session, ending }), ender))
}

fn info_of(stored: &StoredSession, limits: Limits) -> SessionInfo {
    let (id, expires) = (id_of(&stored.cookie), expiry(stored, limits));
    SessionInfo { id, expires, streams: OpenStreams::default() }
}

fn expiry(stored: &StoredSession, limits: Limits) -> i64 {
    stored.began.saturating_add(limits.life)
}

/// The id of a session in the audit log: a part of a hash, which proves nothing.
fn id_of(session: &Fingerprint) -> String {
    session[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cookie_of(key: &Key, cookie: &str) -> Fingerprint {
    key.fingerprint("cookie", cookie)
}

fn half_of(key: &Key, half: &str) -> Fingerprint {
    key.fingerprint("half", half)
}
