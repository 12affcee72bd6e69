//! From the layers to the typed settings, collecting what is wrong on the way. Where a value is
//! refused the shipped one stands in, so that the rest can be judged as well.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::layers::{Layers, UNTYPED};
use super::problem::{SettingLocation, SettingsProblem, SettingsProblems};
use super::settings::{
    AppSettings, BackupSettings, FeedSettings, IngestSettings, LimitSettings, LogSettings, ReadSettings,
    RetentionSettings, Secret, ServerSettings, Settings, SigningKey, StoreSettings,
};
use super::values::{
    address, age, any_text, bytes, duration, duration_or_never, entries, flag, header_text, host, key_id,
    log_format, log_level, long_secret, origin, store_url,
};

/// The types of TOML that may stand for a value, and how to ask for them.
type TomlKind = (&'static [&'static str], &'static str);
const TEXT: TomlKind = (&["string"], "a text in quotes");
const COUNT: TomlKind = (&["integer"], "a whole number");
const SIZE: TomlKind = (&["string", "integer"], "a size such as \"32KiB\"");
const FLAG: TomlKind = (&["boolean"], "true or false");

/// More of anything than one process can handle; a queue of this many slots can still be allocated.
const MANY: usize = 1_000_000;

pub(super) struct SettingsReader {
    layers: Layers,
    /// The keys that exist, as far as they were asked for.
    single: BTreeSet<String>,
    lists: BTreeSet<String>,
    /// The keys with a problem of their own, on which no rule can be judged.
    wrong: BTreeSet<String>,
}

impl SettingsReader {
    pub(super) fn new(layers: Layers) -> Self {
        Self { layers, single: BTreeSet::new(), lists: BTreeSet::new(), wrong: BTreeSet::new() }
    }

    pub(super) fn settings(&mut self) -> Settings {
        Settings {
            origin: self.layers.origin.clone(),
            account_keys: self.keys("account_keys"),
            server: self.server(),
            limits: LimitSettings {
                webhook_body: self.size("limits.webhook_body"),
                rest_body: self.size("limits.rest_body"),
                bodies_in_flight: self.size("limits.bodies_in_flight"),
                json_depth: self.count("limits.json_depth", 1..=512),
                webhook_events: self.count("limits.webhook_events", 1..=MANY),
                history_events: self.count("limits.history_events", 1..=MANY),
                requests_per_second: self.number("limits.requests_per_second"),
                request_burst: self.number("limits.request_burst"),
            },
            ingest: self.ingest(),
            reads: ReadSettings {
                look_up_readers: self.count("reads.look_up_readers", 1..=256),
                long_readers: self.count("reads.long_readers", 1..=256),
                long_waiting: self.count("reads.long_waiting", 0..=MANY),
                long_within: self.duration("reads.long_within"),
            },
            store: StoreSettings {
                url: self.fixed("store.url", TEXT, store_url),
                wal_checkpoint: self.fixed("store.wal_checkpoint", SIZE, bytes),
                wal_limit: self.fixed("store.wal_limit", SIZE, bytes),
            },
            retention: self.retention(),
            feed: FeedSettings {
                heartbeat: self.duration("feed.heartbeat"),
                stream_life: self.duration("feed.stream_life"),
            },
            backup: BackupSettings {
                folder: self.unless_empty("backup.folder", any_text).map(Into::into),
                every: self.duration("backup.every"),
                keep: self.count("backup.keep", 1..=MANY),
            },
            log: LogSettings {
                format: self.fixed("log.format", TEXT, log_format),
                level: self.fixed("log.level", TEXT, log_level),
            },
            apps: self.items("apps").iter().map(|key| self.app(key)).collect(),
        }
    }

    fn server(&mut self) -> ServerSettings {
        ServerSettings {
            listen: self.fixed("server.listen", TEXT, address),
            admin_listen: self.fixed("server.admin_listen", TEXT, address),
            admin_hosts: self.texts("server.admin_hosts", host),
            header_timeout: self.duration("server.header_timeout"),
            body_timeout: self.duration("server.body_timeout"),
            idle_timeout: self.duration("server.idle_timeout"),
            header_bytes: self.size("server.header_bytes"),
            max_connections: self.count("server.max_connections", 1..=MANY),
            connections_per_address: self.count("server.connections_per_address", 0..=MANY),
            cors_origins: self.texts("server.cors_origins", origin),
            drain_within: self.duration("server.drain_within"),
        }
    }

    fn ingest(&mut self) -> IngestSettings {
        IngestSettings {
            queue_jobs: self.count("ingest.queue_jobs", 1..=MANY),
            queue_bytes: self.size("ingest.queue_bytes"),
            batch_jobs: self.count("ingest.batch_jobs", 1..=MANY),
            answer_within: self.duration("ingest.answer_within"),
            signature_tolerance: self.duration("ingest.signature_tolerance"),
            future_tolerance: self.duration("ingest.future_tolerance"),
            silent_after: self.fixed("ingest.silent_after", TEXT, duration_or_never),
            quarantine_rows: self.count("ingest.quarantine_rows", 1..=1000 * MANY),
            quarantine_bytes: self.fixed("ingest.quarantine_bytes", SIZE, bytes),
            group_members: self.count("ingest.group_members", 2..=MANY),
        }
    }

    fn retention(&mut self) -> RetentionSettings {
        RetentionSettings {
            history_age: self.unless_zero("retention.history_age", TEXT, age),
            history_entries: self.unless_zero("retention.history_entries", COUNT, entries),
            bodies_age: self.unless_zero("retention.bodies_age", TEXT, age),
            bodies_bytes: self.unless_zero("retention.bodies_bytes", SIZE, bytes),
            feed_age: self.unless_zero("retention.feed_age", TEXT, age),
            feed_changes: self.unless_zero("retention.feed_changes", COUNT, entries),
            quarantine_age: self.unless_zero("retention.quarantine_age", TEXT, age),
        }
    }

    fn app(&mut self, app: &str) -> AppSettings {
        let key = |name: &str| format!("{app}.{name}");
        let id = self.required(&key("id"), header_text);
        let name = self.optional(&key("name"), TEXT, any_text).filter(|name| !name.is_empty());
        let silence = |text: &str| if text.is_empty() { Ok(None) } else { duration_or_never(text).map(Some) };
        let for_all = self.fixed("ingest.silent_after", TEXT, duration_or_never);
        AppSettings {
            silent_after: self.optional(&key("silent_after"), TEXT, silence).flatten().unwrap_or(for_all),
            name: name.unwrap_or_else(|| id.clone()),
            id,
            app_token: self.unless_empty(&key("app_token"), header_text).map(Secret::new),
            webhook_secrets: self
                .texts(&key("webhook_secrets"), header_text)
                .into_iter()
                .map(Secret::new)
                .collect(),
            keys: self.keys(&key("keys")),
            has_icon: self.optional(&key("has_icon"), FLAG, flag).unwrap_or(false),
            apn_enabled: self.optional(&key("apn_enabled"), FLAG, flag).unwrap_or(false),
            gcm_project: self.unless_empty(&key("gcm_project"), any_text),
        }
    }

    fn keys(&mut self, list: &str) -> Vec<SigningKey> {
        let items = self.items(list);
        let key = |key: &String| SigningKey {
            id: self.required(&format!("{key}.id"), key_id),
            secret: Secret::new(self.required(&format!("{key}.secret"), long_secret)),
        };
        items.iter().map(key).collect()
    }

    /// The value of `key` where it is set and right.
    fn optional<T>(
        &mut self,
        key: &str,
        kind: TomlKind,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.single.insert(key.to_owned());
        let leaf = self.layers.values.get(key)?;
        let fits = leaf.kind == UNTYPED || kind.0.contains(&leaf.kind);
        let value = if fits {
            parse(&leaf.text)
        } else {
            Err(format!("must be {}, and is of type {}", kind.1, leaf.kind))
        };
        value.map_err(|text| self.problem(key, text)).ok()
    }

    /// The value of a key that the shipped file has as well.
    fn fixed<T>(&mut self, key: &str, kind: TomlKind, parse: impl Fn(&str) -> Result<T, String>) -> T {
        self.optional(key, kind, &parse).unwrap_or_else(|| {
            let shipped = self.layers.shipped.get(key).map(|leaf| parse(&leaf.text));
            shipped.and_then(Result::ok).expect("the shipped file has every key, and is right")
        })
    }

    /// The value of a key of an app that has to be set; nothing where it is not, or is wrong.
    fn required(&mut self, key: &str, parse: impl Fn(&str) -> Result<String, String>) -> String {
        let value = self.optional(key, TEXT, parse);
        let below = format!("{key}.");
        if value.is_none()
            && !self.wrong.contains(key)
            && !self.layers.values.keys().any(|k| k.starts_with(&below))
        {
            self.problem(key, "is missing");
        }
        value.unwrap_or_default()
    }

    fn unless_empty(&mut self, key: &str, parse: impl Fn(&str) -> Result<String, String>) -> Option<String> {
        let parse = |text: &str| if text.is_empty() { Ok(String::new()) } else { parse(text) };
        self.optional(key, TEXT, parse).filter(|text| !text.is_empty())
    }

    /// A bound; 0 is none.
    fn unless_zero<T>(
        &mut self,
        key: &str,
        kind: TomlKind,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.fixed(key, kind, |text| match text.trim_start_matches('0') {
            "" | "s" => Ok(None),
            _ => parse(text).map(Some),
        })
    }

    fn duration(&mut self, key: &str) -> Duration {
        self.fixed(key, TEXT, duration)
    }

    fn size(&mut self, key: &str) -> usize {
        self.fixed(key, SIZE, |text| {
            bytes(text).and_then(|size| size.try_into().map_err(|_| "too large".to_owned()))
        })
    }

    fn count(&mut self, key: &str, range: RangeInclusive<usize>) -> usize {
        self.fixed(key, COUNT, |text| match text.parse() {
            Ok(count) if range.contains(&count) => Ok(count),
            _ => Err(format!("must be a whole number from {} to {}", range.start(), range.end())),
        })
    }

    /// A number that may be 0.
    fn number(&mut self, key: &str) -> u32 {
        u32::try_from(self.count(key, 0..=MANY)).unwrap_or(u32::MAX)
    }

    /// A list of texts.
    fn texts(&mut self, list: &str, parse: impl Fn(&str) -> Result<String, String>) -> Vec<String> {
        self.layers.split(list);
        self.items(list).iter().map(|key| self.required(key, &parse)).collect()
    }

    /// The keys of the items of a list, in order.
    fn items(&mut self, list: &str) -> Vec<String> {
        self.lists.insert(list.to_owned());
        self.layers.expand(list);
        if self.layers.values.get(list).is_some_and(|leaf| leaf.kind != "array") {
            self.problem(
                list,
                "must be a list, such as [\"a\", \"b\"], or [{ id = \"a\" }] where each item has keys",
            );
        }
        let below = format!("{list}.");
        let names = self.layers.values.keys().filter_map(|key| key.strip_prefix(&below)?.split('.').next());
        let numbers: Vec<Option<usize>> = names.map(|name| name.parse().ok()).collect();
        if numbers.contains(&None) {
            // It is a table, which is told where nobody asks for its keys.
            self.wrong.insert(list.to_owned());
        }
        let numbers: BTreeSet<usize> = numbers.into_iter().flatten().collect();
        if let Some((expected, found)) = (0..).zip(&numbers).find(|(expected, found)| expected != *found) {
            self.problem(&format!("{list}.{found}"), format!("there is no {list}.{expected} before it"));
        }
        numbers.iter().map(|number| format!("{list}.{number}")).collect()
    }

    /// Where `key` was set, or else the nearest table around it, or else something in it.
    fn place(&self, key: &str) -> SettingLocation {
        if let Some(leaf) = self.layers.values.get(key) {
            return leaf.place.clone();
        }
        let around = std::iter::successors(Some(key), |key| key.rsplit_once('.').map(|(parent, _)| parent));
        let below = format!("{key}.");
        let inside = || {
            self.layers.values.iter().find(|(key, _)| key.starts_with(&below)).map(|(_, leaf)| &leaf.place)
        };
        let parent = around.filter_map(|key| self.layers.parents.get(key)).next();
        parent.or_else(inside).cloned().unwrap_or(SettingLocation::Shipped)
    }

    pub(super) fn problem(&mut self, key: &str, text: impl Into<String>) {
        self.wrong.insert(key.to_owned());
        let problem =
            SettingsProblem { place: self.place(key), key: Some(key.to_owned()), text: text.into() };
        self.layers.problems.push(problem);
    }

    /// A rule over several keys. Where it does not hold, the one set last is to blame.
    pub(super) fn rule(&mut self, keys: &[&str], holds: bool, text: &str) {
        if holds || keys.iter().any(|key| self.wrong.contains(*key)) {
            return;
        }
        if let Some(key) = keys.iter().rev().max_by_key(|key| self.place(key)) {
            let problem = SettingsProblem {
                place: self.place(key),
                key: Some((*key).to_owned()),
                text: text.to_owned(),
            };
            self.layers.problems.push(problem);
        }
    }

    /// Nothing, or every problem, the keys that nobody asked for among them.
    pub(super) fn finish(mut self) -> Result<(), SettingsProblems> {
        let asked = self.single.iter().chain(&self.lists);
        let known: BTreeSet<&str> = asked.flat_map(|key| prefixes(key)).collect();
        let unasked: Vec<SettingsProblem> = self
            .layers
            .values
            .iter()
            .filter_map(|(key, leaf)| self.unasked(&known, key, leaf.kind))
            .collect();
        self.layers.problems.extend(unasked);
        SettingsProblems::from_list(self.layers.problems)
    }

    /// What is wrong with a value that was not asked for. Of an unknown table only the table is told.
    fn unasked(&self, known: &BTreeSet<&str>, key: &str, kind: &str) -> Option<SettingsProblem> {
        let told = |place: SettingLocation, key: &str, text: &str| {
            Some(SettingsProblem { place, key: Some(key.to_owned()), text: text.to_owned() })
        };
        if self.single.contains(key) || self.lists.contains(key) || (known.contains(key) && kind == "table") {
            return None;
        }
        if known.contains(key) {
            return told(self.place(key), key, "must be a table");
        }
        let unknown = prefixes(key).find(|prefix| !known.contains(prefix))?;
        let place = self.place(unknown);
        match unknown.rsplit_once('.') {
            Some((parent, _)) if self.single.contains(parent) => {
                return told(place, parent, "must be a single value");
            }
            Some((parent, _)) if self.lists.contains(parent) => return told(place, parent, "must be a list"),
            _ => {}
        }
        match known.iter().map(|known| (distance(known, unknown), known)).min() {
            Some((1..=2, known)) => told(place, unknown, &format!("unknown key; did you mean {known}?")),
            _ => told(place, unknown, "unknown key"),
        }
    }
}

/// `a`, `a.b` and `a.b.c` of `a.b.c`. A dot between quotes is no separator.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    let outside = |at: usize| key[..at].matches('"').count().is_multiple_of(2);
    let dots = key.match_indices('.').map(|(at, _)| at).filter(move |at| outside(*at));
    dots.chain([key.len()]).map(|at| &key[..at])
}

/// How many letters have to be added, removed or changed to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
