//! The operators of the settings, and what their secrets prove.

use std::sync::Arc;

use subtle::{Choice, ConstantTimeEq as _};

use super::key_file::Key;
use super::operator::{Ender, Operator, Proof};
use super::secrets::Fingerprint;
use crate::config::{OperatorSettings, is_same_name};

/// The kinds of fingerprints here.
const NAME: &str = "name";
const SECRET: &str = "secret";

/// One secret of an operator.
pub(super) struct Account {
    name: Fingerprint,
    pub(super) secret: Fingerprint,
    pub(super) operator: Arc<Operator>,
    ender: Ender,
}

/// All secrets of all operators.
#[derive(Default)]
pub(super) struct Accounts(Vec<Arc<Account>>);

impl Accounts {
    /// The accounts of settings. Those of `before` stay that are the same: what they proved goes on holding.
    pub(super) fn new(settings: &[OperatorSettings], key: &Key, before: &Self) -> Self {
        let mut accounts: Vec<Arc<Account>> = Vec::new();
        for of in settings {
            for secret in &of.secrets {
                let (name, secret) = (name_of(key, &of.name), secret_of(key, &of.name, secret.expose()));
                let (ender, ending) = Ender::new();
                let operator = Operator {
                    name: of.name.clone(),
                    role: of.role,
                    personal_data: of.personal_data,
                    apps: of.apps.as_ref().map(|apps| apps.iter().map(|app| app.as_str().into()).collect()),
                    proof: Proof::Secret,
                    session: None,
                    ending,
                };
                let same = |account: &&Arc<Account>| {
                    let Operator { role, personal_data, apps, .. } = &*account.operator;
                    let known = (*role, *personal_data, apps);
                    account.secret == secret
                        && known == (operator.role, operator.personal_data, &operator.apps)
                };
                let kept = before.0.iter().find(same).cloned();
                let new = || Account { name, secret, operator: operator.clone().into(), ender };
                accounts.push(kept.unwrap_or_else(|| new().into()));
            }
        }
        Self(accounts)
    }

    /// Ends what the accounts proved that are not among these.
    pub(super) fn end_others(&self, kept: &Self) {
        let is_gone = |account: &&Arc<Account>| !kept.0.iter().any(|known| Arc::ptr_eq(known, account));
        self.0.iter().filter(is_gone).for_each(|account| account.ender.end());
    }

    /// The account of a name and a secret. Takes the same time for every name.
    pub(super) fn find(&self, key: &Key, name: &str, secret: &str) -> Option<&Account> {
        let (name, secret) = (name_of(key, name), secret_of(key, name, secret));
        let mut found = None;
        for account in &self.0 {
            let fits: Choice = account.name.ct_eq(&name) & account.secret.ct_eq(&secret);
            if bool::from(fits) {
                found = Some(&**account);
            }
        }
        found
    }

    /// Whether one of them has this name, or one that looks alike.
    pub(super) fn has_name(&self, name: &str) -> bool {
        self.0.iter().any(|account| is_same_name(&account.operator.name, name))
    }

    /// The account with this fingerprint of its secret.
    pub(super) fn by_secret(&self, secret: &Fingerprint) -> Option<&Account> {
        self.0.iter().map(|account| &**account).find(|account| account.secret == *secret)
    }
}

/// The fingerprint of a name.
pub(super) fn name_of(key: &Key, name: &str) -> Fingerprint {
    key.fingerprint(NAME, name)
}

/// The fingerprint of a secret of an operator.
fn secret_of(key: &Key, name: &str, secret: &str) -> Fingerprint {
    // Without the colon, which no name has, two pairs could be one text.
    key.fingerprint(SECRET, &format!("{name}:{secret}"))
}
