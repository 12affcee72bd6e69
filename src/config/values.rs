//! Parsers from text to typed values. Their errors never quote the value.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::names::operator_name;

/// The database and its location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file; a relative path counts from the working directory.
    Sqlite(PathBuf),
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

/// What an operator may do. A role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look.
    Viewer,
    /// May also change.
    Operator,
}

impl Role {
    /// The name in settings, answers and the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    /// The role of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator].into_iter().find(|role| role.name() == name)
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// Plain text.
    Text,
}

/// Longer is a typing error, and would overflow a clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Longer is for ever.
const OLDEST: Duration = Duration::from_secs(36_525 * 24 * 3600);

/// A duration such as `500ms`, `5s` or `1h 30m`: more than zero, and at most 366 days.
///
/// # Errors
/// Describes the fault without quoting the value.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    match parsed {
        Some(span) if span > LONGEST => Err("must be at most 8784h (366 days)".to_owned()),
        Some(span) if !span.is_zero() => Ok(span),
        Some(_) => Err("must be more than zero".to_owned()),
        None => Err("not a duration such as 500ms, 5s or 1h 30m".to_owned()),
    }
}

/// A retention age such as `90s`, `720h` or `30d`: more than zero, and at most 100 years.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let seconds = match days {
        Some(days) => days.checked_mul(24 * 3600).map(Duration::from_secs),
        None => text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok()),
    };
    match seconds {
        Some(span) if span > OLDEST => Err("must be at most 36525d (100 years)".to_owned()),
        Some(span) if !span.is_zero() => Ok(span),
        Some(_) => Err("must be more than zero; 0s is no bound".to_owned()),
        None => Err("not a duration such as 90s, 720h or 30d".to_owned()),
    }
}

pub(super) fn entries(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| "must be a whole number".to_owned())
}

pub(super) fn duration_or_never(text: &str) -> Result<Option<Duration>, String> {
    if text == "never" {
        Ok(None)
    } else {
        duration(text).map(Some).map_err(|why| format!("{why}, or never"))
    }
}

/// A size in bytes such as `512`, `100KB` or `32KiB`; more than zero.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()));
    let (Ok(number), Some((_, unit))) = (number.parse::<u64>(), unit) else {
        return Err("not a size such as 512, 100KB or 32KiB".to_owned());
    };
    match number.checked_mul(*unit) {
        Some(0) => Err("must be more than zero".to_owned()),
        // SQLite and the memory both count in signed numbers.
        Some(size) if i64::try_from(size).is_ok() && usize::try_from(size).is_ok() => Ok(size),
        _ => Err("too large".to_owned()),
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "not an address: write an IP and a port, such as 127.0.0.1:8787".to_owned())
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

pub(super) fn any_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// A URL may hold a password, so that it is not quoted either.
pub(super) fn store_url(text: &str) -> Result<StoreUrl, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Err("PostgreSQL is not built in yet; use sqlite://".to_owned());
    }
    let Some(path) = text.strip_prefix("sqlite://") else {
        return Err("must be sqlite:// and a path, such as sqlite://rollcall.db".to_owned());
    };
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        return Err("names no file: write a path after sqlite://".to_owned());
    }
    if path.starts_with(':') || path.starts_with("file:") {
        return Err(
            "must be a plain path: a database in memory would forget what was acknowledged".to_owned()
        );
    }
    if path.contains(['?', '#']) {
        return Err("takes no options: remove what follows ? or #".to_owned());
    }
    let path = plain_path(path)?;
    Ok(StoreUrl::Sqlite(PathBuf::from(path)))
}

/// A path of this machine. What looks like an address with a user and a password is refused here, because later problems
/// of a path quote it.
pub(super) fn plain_path(text: &str) -> Result<String, String> {
    let has_password = |part: &str| part.split_once(':').is_some_and(|(_, rest)| rest.contains('@'));
    if text.contains("://") || text.split('/').any(has_password) {
        return Err("must be a path of this machine, and no address: no scheme, user or password".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err("must be auto, json or text".to_owned()),
    }
}

pub(super) fn log_level(text: &str) -> Result<LevelFilter, String> {
    // The parser also takes numbers and upper case.
    let level = text.parse().ok().filter(|level: &LevelFilter| level.to_string() == text);
    level.ok_or_else(|| "must be off, error, warn, info, debug or trace".to_owned())
}

/// Text for a header or a path, where surrounding white space would be lost.
pub(super) fn header_text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err("must have no white space around it and no control characters in it".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn key_id(text: &str) -> Result<String, String> {
    if text.chars().count() > 128 {
        return Err("must be at most 128 characters".to_owned());
    }
    header_text(text)
}

/// `*`, or an origin exactly as a browser sends it, so that the two can be compared as text.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let word = |text: &str, also: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || also.contains(c);
        !text.is_empty() && text.chars().all(fits)
    };
    let host_and_port = |text: &str| match text.rsplit_once(':').filter(|_| !text.ends_with(']')) {
        Some((host, port)) => port.parse::<u16>().is_ok().then(|| host.to_owned()),
        None => Some(text.to_owned()),
    };
    let host = |text: &str| match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => word(text, ".-_"),
    };
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if text == "*" || word(scheme, "+.-") && host_and_port(rest).is_some_and(|text| host(&text)) {
        return Ok(text.to_owned());
    }
    Err("must be * or an origin in lower case, such as https://example.org or http://localhost:3000"
        .to_owned())
}

/// An address at which browsers reach a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleUrl {
    /// As it was written, without slashes at its end.
    pub text: String,
    /// The origin as a browser sends it.
    pub origin: String,
    /// The host without a port and without brackets, in lower case.
    pub host: String,
    /// Its scheme is https.
    pub is_secure: bool,
}

/// An address of http or https with a host and perhaps a path; empty is none.
pub(super) fn console_url(text: &str) -> Result<Option<ConsoleUrl>, String> {
    const WRONG: &str = "must be an address such as https://rollcall.example.org or https://example.org/rollcall: http or \
                         https, the host in lower case, and no user, ? or #";
    if text.is_empty() {
        return Ok(None);
    }
    let default_port = match text.split_once("://") {
        Some(("http", _)) => ":80",
        Some(("https", _)) => ":443",
        _ => return Err(WRONG.to_owned()),
    };
    let text = text.trim_end_matches('/');
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..].find('/').map_or(text.len(), |at| start + at);
    let (origin_text, path) = text.split_at(end);
    let is_path = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte));
    let known = origin(origin_text).ok().filter(|_| is_path).ok_or_else(|| WRONG.to_owned())?;
    let known = known.strip_suffix(default_port).unwrap_or(&known).to_owned();
    let host = &known[start..];
    let host = match host.rsplit_once(':').filter(|_| !host.ends_with(']')) {
        Some((host, _)) => host,
        None => host,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Some(ConsoleUrl { text: text.to_owned(), origin: known, host, is_secure: default_port == ":443" }))
}

pub(super) fn ip_address(text: &str) -> Result<String, String> {
    let known: Result<IpAddr, _> = text.parse();
    known
        .map(|ip| ip.to_canonical().to_string())
        .map_err(|_| "must be an IP address, without a port".to_owned())
}

/// The name of a header, in lower case.
pub(super) fn header_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || !text.chars().all(fits) {
        return Err("must be the name of a header, such as x-forwarded-user".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

/// The name of an operator with secrets. In a `Basic` credential it ends at the first colon.
pub(super) fn name_without_colon(text: &str) -> Result<String, String> {
    if text.contains(':') {
        return Err("must have no colon".to_owned());
    }
    operator_name(text)
}

pub(super) fn role_name(text: &str) -> Result<String, String> {
    let known = Role::from_name(text).map(|role| role.name().to_owned());
    known.ok_or_else(|| "must be viewer or operator".to_owned())
}

/// The name of a host as a request has it, without a port.
pub(super) fn host(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !text.is_empty() && text.chars().all(fits) {
        return Ok(text.trim_end_matches('.').to_ascii_lowercase());
    }
    Err("must be the name of a host without a port, such as rollcall.internal".to_owned())
}

/// A shorter key can be found by trying.
pub(super) fn long_secret(text: &str) -> Result<String, String> {
    if text.len() < 16 { Err("must be at least 16 bytes".to_owned()) } else { Ok(text.to_owned()) }
}
