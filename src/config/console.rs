//! `[console]`: who may use the admin listener, and where browsers reach it.

use std::net::IpAddr;
use std::time::Duration;

use super::read::{FLAG, SettingsReader, TEXT};
use super::secret::Secret;
use super::values::{
    ConsoleUrl, Role, console_url, duration, flag, header_name, header_text, ip_address, long_secret,
    name_without_colon, role_name,
};

/// `[console]`
#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// `console.url`: where browsers reach the admin listener, if that is not its own address.
    pub url: Option<ConsoleUrl>,
    /// `console.session_idle`: a session without a request for this long ends.
    pub session_idle: Duration,
    /// `console.session_life`: a session ends at this age.
    pub session_life: Duration,
    /// `[[console.operators]]`; names and secrets are unique.
    pub operators: Vec<OperatorSettings>,
    /// `[console.proxy]`
    pub proxy: Option<ProxySettings>,
}

/// `[[console.operators]]`: an operator with a name and secrets.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// 1 to 128 characters without a colon.
    pub name: String,
    /// What the operator may do.
    pub role: Role,
    /// At least one, each of at least 16 bytes.
    pub secrets: Vec<Secret>,
    /// Whether answers may have the values of people.
    pub personal_data: bool,
    /// The ids of the apps that the operator may see; `None` for all.
    pub apps: Option<Vec<String>>,
}

/// `[console.proxy]`: a proxy that signs operators in.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// The addresses that it connects from; at least one.
    pub peers: Vec<IpAddr>,
    /// The header with the secret, in lower case.
    pub secret_header: String,
    /// At least 16 bytes.
    pub secret: Secret,
    /// The header with the name of the operator, in lower case.
    pub name_header: String,
    /// The header with the groups of the operator, in lower case.
    pub groups_header: String,
    /// Groups whose members are operators.
    pub operator_groups: Vec<String>,
    /// Groups whose members are viewers.
    pub viewer_groups: Vec<String>,
}

impl ConsoleSettings {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let operators = reader.items("console.operators");
        Self {
            url: reader.fixed("console.url", TEXT, console_url),
            session_idle: reader.fixed("console.session_idle", TEXT, duration),
            session_life: reader.fixed("console.session_life", TEXT, duration),
            operators: operators.iter().map(|operator| OperatorSettings::read(reader, operator)).collect(),
            proxy: reader.is_set("console.proxy").then(|| ProxySettings::read(reader)),
        }
    }

    /// Everything of it, to compare: the secrets beside the rest.
    pub(super) fn content(&self) -> (String, Vec<&str>) {
        let secrets = self.operators.iter().flat_map(|operator| &operator.secrets);
        let secrets = secrets.chain(self.proxy.iter().map(|proxy| &proxy.secret));
        (format!("{self:?}"), secrets.map(Secret::expose).collect())
    }

    /// Whether somebody can prove to be an operator without access to the machine's files.
    pub fn names_operators(&self) -> bool {
        !self.operators.is_empty() || self.proxy.is_some()
    }
}

impl OperatorSettings {
    fn read(reader: &mut SettingsReader, operator: &str) -> Self {
        let key = |name: &str| format!("{operator}.{name}");
        let role = reader.required(&key("role"), role_name);
        let apps = key("apps");
        Self {
            name: reader.required(&key("name"), name_without_colon),
            role: Role::from_name(&role).unwrap_or(Role::Viewer),
            secrets: reader.texts(&key("secrets"), long_secret).into_iter().map(Secret::new).collect(),
            personal_data: reader.optional(&key("personal_data"), FLAG, flag).unwrap_or(true),
            apps: reader.is_set(&apps).then(|| reader.texts(&apps, header_text)),
        }
    }
}

impl ProxySettings {
    fn read(reader: &mut SettingsReader) -> Self {
        let mut header = |name: &str| reader.required(&format!("console.proxy.{name}"), header_name);
        let [secret_header, name_header, groups_header] =
            ["secret_header", "name_header", "groups_header"].map(&mut header);
        let peers = reader.texts("console.proxy.peers", ip_address);
        Self {
            peers: peers.iter().filter_map(|peer| peer.parse().ok()).collect(),
            secret_header,
            secret: Secret::new(reader.required("console.proxy.secret", long_secret)),
            name_header,
            groups_header,
            operator_groups: reader.texts("console.proxy.operator_groups", header_text),
            viewer_groups: reader.texts("console.proxy.viewer_groups", header_text),
        }
    }
}
