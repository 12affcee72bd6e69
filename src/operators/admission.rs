//! Decides who a caller of the admin listener is.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accounts::{self, Accounts};
use super::attempts::Attempts;
use super::codes::{Codes, Guest};
use super::key_file::Key;
use super::operator::{Ender, Operator, Proof, Role};
use super::proxy::{Proxy, ProxyClaim};
use super::sessions::{Limits, NewSession, Sessions};
use crate::config::{ConsoleSettings, KEY_FILE};
use crate::store::tables::{SessionChange, StoredSession};

/// Why a secret or a code proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is wrong, or the name is.
    Wrong,
    /// The name or the address had too many wrong ones: the time to wait, in s.
    TooMany(u64),
}

/// Knows every way to be an operator. Its copies for other settings share the sessions, the codes and the counts of wrong
/// secrets.
pub struct Admission {
    key: Arc<KeyHolder>,
    accounts: Accounts,
    proxy: Option<Arc<Proxy>>,
    limits: Limits,
    /// The epoch of the database.
    epoch: i64,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    sessions: Sessions,
    codes: Codes<Guest>,
    downloads: Codes<Download>,
    attempts: Attempts,
}

/// What the address of a download answers.
#[derive(Clone, Debug)]
pub struct Download {
    /// Whoever asked for the address.
    pub by: Arc<Operator>,
    /// The path and query of a GET.
    pub of: String,
    /// The `Accept` of it.
    pub accept: Option<String>,
}

/// The key, and the operator that it proves.
struct KeyHolder {
    key: Key,
    operator: Arc<Operator>,
    ender: Ender,
}

impl KeyHolder {
    fn new(key: Key) -> Self {
        let (ender, ending) = Ender::new();
        let operator = Operator {
            name: KEY_FILE.to_owned(),
            role: Role::Operator,
            personal_data: true,
            apps: None,
            proof: Proof::KeyFile,
            session: None,
            ending,
        };
        Self { key, operator: operator.into(), ender }
    }
}

impl Admission {
    /// With the sessions that are stored in a database of this epoch; `now` in ms since 1970, here and below.
    pub fn new(
        settings: &ConsoleSettings,
        key: Key,
        (stored, epoch): (Vec<StoredSession>, i64),
        now: i64,
    ) -> Self {
        let (accounts, limits) =
            (Accounts::new(&settings.operators, &key, &Accounts::default()), Limits::new(settings));
        let sessions = Sessions::restore(stored, (epoch, now), limits, &accounts);
        let shared = Arc::new(Mutex::new(Shared { sessions, ..Shared::default() }));
        let proxy = settings.proxy.as_ref().map(|proxy| Proxy::new(proxy, &key).into());
        Self { key: KeyHolder::new(key).into(), accounts, proxy, limits, epoch, shared }
    }

    /// The same with other settings, and with the key that the key file has now. Ends whatever does not hold by them.
    pub fn with(&self, settings: &ConsoleSettings, key: Key, now: i64) -> Self {
        let limits = Limits::new(settings);
        let is_same_key = self.key.key.is(key.expose());
        let none = Accounts::default();
        let before = if is_same_key { &self.accounts } else { &none };
        let accounts = Accounts::new(&settings.operators, &key, before);
        let proxy = settings.proxy.as_ref().map(|proxy| match &self.proxy {
            Some(known) if known.is(proxy, &key) => known.clone(),
            _ => Proxy::new(proxy, &key).into(),
        });
        let mut shared = self.lock();
        self.accounts.end_others(&accounts);
        if let Some(known) = &self.proxy
            && !proxy.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, known))
        {
            known.ender.end();
        }
        if !is_same_key {
            self.key.ender.end();
            shared.sessions.end_all();
            shared.codes.clear();
            shared.downloads.clear();
        }
        shared.sessions.sweep(limits, &accounts, now);
        shared.sessions.limit(limits);
        drop(shared);
        let key = if is_same_key { self.key.clone() } else { KeyHolder::new(key).into() };
        Self { key, accounts, proxy, limits, epoch: self.epoch, shared: self.shared.clone() }
    }

    /// The key in force.
    pub fn key(&self) -> Key {
        self.key.key.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operator that the content of the key file proves.
    pub fn by_key(&self, given: &str) -> Option<Arc<Operator>> {
        self.key.key.is(given).then(|| self.key.operator.clone())
    }

    /// The operator that a name and a secret prove, sent from this address.
    ///
    /// # Errors
    /// One of them is wrong, or there were too many wrong ones.
    pub fn by_secret(
        &self,
        name: &str,
        secret: &str,
        from: IpAddr,
        now: i64,
    ) -> Result<Arc<Operator>, Refusal> {
        Ok(self.account(name, secret, from, now)?.operator.clone())
    }

    fn account(
        &self,
        name: &str,
        secret: &str,
        from: IpAddr,
        now: i64,
    ) -> Result<&accounts::Account, Refusal> {
        let key = &self.key.key;
        let find = || self.accounts.find(key, name, secret);
        match self.lock().attempts.attempt(accounts::name_of(key, name), from, now, find) {
            Ok(found) => found.ok_or(Refusal::Wrong),
            Err(wait) => Err(Refusal::TooMany(wait)),
        }
    }

    /// What the headers of a proxy prove; `header` gives the values of a header.
    pub fn by_proxy<'h>(&self, peer: IpAddr, header: impl Fn(&str) -> Vec<&'h str>) -> ProxyClaim {
        let claim = self.proxy.as_ref().map(|proxy| proxy.claim(&self.key.key, peer, header));
        match claim.unwrap_or(ProxyClaim::None) {
            ProxyClaim::Operator(operator) if self.accounts.has_name(&operator.name) => ProxyClaim::NameTaken,
            claim => claim,
        }
    }

    /// Whether the settings have an operator with this name, which nobody else may have.
    pub fn has_name(&self, name: &str) -> bool {
        self.accounts.has_name(name)
    }

    /// The operator of a session, by its cookie (of several, one fits) and its other half.
    pub fn by_session(&self, cookies: &[&str], half: &str, now: i64) -> Option<Arc<Operator>> {
        self.lock().sessions.find(&self.key.key, cookies, half, now, self.limits)
    }

    /// Makes a code that signs somebody in once. Returns it with the time at which it is good no longer.
    pub fn make_code(&self, name: &str, role: Role, now: i64) -> (String, i64) {
        let hide = |code: &str| self.key.key.fingerprint("code", code);
        self.lock().codes.make(Guest { name: name.to_owned(), role }, now, hide)
    }

    /// Makes the code of a download's address, good once. Returns it with the time at which it is good no longer.
    pub fn make_download(&self, download: Download, now: i64) -> (String, i64) {
        self.lock().downloads.make(download, now, |code| self.hide_download(code))
    }

    /// The operator of a session, by its cookie and the code of a download that the session asked for.
    pub fn by_download(&self, cookies: &[&str], code: &str, now: i64) -> Option<Arc<Operator>> {
        let mut shared = self.lock();
        let id = shared.downloads.get(self.hide_download(code), now)?.by.session.as_ref()?.id.clone();
        shared.sessions.find_by_id(&self.key.key, cookies, &id, now, self.limits)
    }

    /// Uses the code of a download up, if this operator asked for it.
    pub fn take_download(&self, operator: &Operator, code: &str, now: i64) -> Option<Download> {
        let (mut shared, code) = (self.lock(), self.hide_download(code));
        let is_own = shared.downloads.get(code, now)?.by.is_same_caller(operator);
        if is_own { shared.downloads.take(code, now) } else { None }
    }

    fn hide_download(&self, code: &str) -> super::secrets::Fingerprint {
        self.key.key.fingerprint("download", code)
    }

    /// Begins a session with a code.
    ///
    /// # Errors
    /// The code is unknown, used or too old.
    pub fn sign_in_by_code(&self, code: &str, now: i64) -> Result<NewSession, Refusal> {
        let mut shared = self.lock();
        let guest = shared.codes.take(self.key.key.fingerprint("code", code), now).ok_or(Refusal::Wrong)?;
        self.begin(&mut shared, (guest, None), now)
    }

    /// Begins a session with a name and a secret, sent from this address.
    ///
    /// # Errors
    /// As for [`Self::by_secret`].
    pub fn sign_in_by_secret(
        &self,
        name: &str,
        secret: &str,
        from: IpAddr,
        now: i64,
    ) -> Result<NewSession, Refusal> {
        let account = self.account(name, secret, from, now)?;
        let guest = Guest { name: account.operator.name.clone(), role: account.operator.role };
        self.begin(&mut self.lock(), (guest, Some(account.secret)), now)
    }

    fn begin(
        &self,
        shared: &mut Shared,
        whose: (Guest, Option<super::secrets::Fingerprint>),
        now: i64,
    ) -> Result<NewSession, Refusal> {
        let at = (self.epoch, now);
        let begun = shared.sessions.begin(&self.key.key, whose, at, self.limits, &self.accounts);
        begun.ok_or(Refusal::Wrong)
    }

    /// Ends a session by its id, and its streams. [`Self::unwritten`] has what is to be stored.
    pub fn sign_out(&self, session: &str) {
        self.lock().sessions.end_by_id(session);
    }

    /// Ends the sessions that are over, or whose secret is gone. [`Self::unwritten`] has what is to be stored.
    pub fn sweep(&self, now: i64) {
        self.lock().sessions.sweep(self.limits, &self.accounts, now);
    }

    /// Takes what has to be stored of the sessions.
    pub fn unwritten(&self) -> Vec<SessionChange> {
        self.lock().sessions.unwritten()
    }

    /// Takes back changes that could not be stored.
    pub fn put_back(&self, changes: Vec<SessionChange>) {
        self.lock().sessions.put_back(changes);
    }
}
