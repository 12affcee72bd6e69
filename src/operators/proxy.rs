//! A proxy that has signed the operator in.

use std::net::IpAddr;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::key_file::Key;
use super::operator::{Ender, Ending, Operator, Proof, Role};
use super::secrets::Fingerprint;
use crate::config::{ProxySettings, operator_name};

/// The kind of fingerprints here.
const PROXY: &str = "proxy";

/// What the headers of a proxy prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyClaim {
    /// The request does not come from the proxy, or the proxy has not spoken for it.
    None,
    /// The request comes from the address of the proxy, with a wrong secret, or without a name that
    /// [`operator_name`] accepts.
    Wrong,
    /// The proxy has signed somebody in who is in none of the groups.
    NoRole,
    /// The proxy has signed somebody in under the name of an operator of the settings.
    NameTaken,
    /// The proxy has signed this operator in.
    Operator(Arc<Operator>),
}

pub(super) struct Proxy {
    settings: ProxySettings,
    secret: Fingerprint,
    ending: Ending,
    pub(super) ender: Ender,
}

impl Proxy {
    pub(super) fn new(settings: &ProxySettings, key: &Key) -> Self {
        let (ender, ending) = Ender::new();
        let secret = key.fingerprint(PROXY, settings.secret.expose());
        Self { settings: settings.clone(), secret, ending, ender }
    }

    /// Whether other settings are the same.
    pub(super) fn is(&self, settings: &ProxySettings, key: &Key) -> bool {
        let ProxySettings { peers, secret_header, secret, name_header, groups_header, .. } = settings;
        let known = &self.settings;
        (peers, secret_header, name_header, groups_header)
            == (&known.peers, &known.secret_header, &known.name_header, &known.groups_header)
            && settings.operator_groups == known.operator_groups
            && settings.viewer_groups == known.viewer_groups
            && key.fingerprint(PROXY, secret.expose()) == self.secret
    }

    /// What a request proves that comes from `peer`. `header` gives the values of a header.
    pub(super) fn claim<'h>(
        &self,
        key: &Key,
        peer: IpAddr,
        header: impl Fn(&str) -> Vec<&'h str>,
    ) -> ProxyClaim {
        let known = &self.settings;
        if !known.peers.contains(&peer.to_canonical()) {
            return ProxyClaim::None;
        }
        let secret = match &header(&known.secret_header)[..] {
            [] => return ProxyClaim::None,
            [secret] => key.fingerprint(PROXY, secret),
            _ => return ProxyClaim::Wrong,
        };
        if !bool::from(secret.ct_eq(&self.secret)) {
            return ProxyClaim::Wrong;
        }
        let name = match &header(&known.name_header)[..] {
            [name] => operator_name(name.trim()),
            _ => return ProxyClaim::Wrong,
        };
        let Ok(name) = name else { return ProxyClaim::Wrong };
        let lines = header(&known.groups_header);
        let groups: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
        let is_in = |of: &[String]| groups.iter().any(|group| of.iter().any(|known| known == group));
        let role = match () {
            () if is_in(&known.operator_groups) => Role::Operator,
            () if is_in(&known.viewer_groups) => Role::Viewer,
            () => return ProxyClaim::NoRole,
        };
        let (proof, ending) = (Proof::Proxy, self.ending.clone());
        ProxyClaim::Operator(Arc::new(Operator {
            name,
            role,
            personal_data: true,
            apps: None,
            proof,
            session: None,
            ending,
        }))
    }
}
