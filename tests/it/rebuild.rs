//! The journal, replayed from its first entry, gives the live directory (law 8).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use rollcall::directory::compacted::read_compacted_page;
use rollcall::directory::{DirectoryReader, open_reader};
use rollcall::domain::{AppId, Event, Field, RecordKey, SmoochId, View, Visibility, WorkingSet};
use rollcall::smooch::{self, ParseLimits, v1};
use rollcall::store::{Seq, Source};

use crate::support::{APP, Home, Program, SECRET, by_user_id, files, fixtures, journal};

pub const ANYTHING: ParseLimits = ParseLimits { depth: 64, events: 1000, latest: i64::MAX, name_bytes: 1024 };
const PAGE: usize = 500;

/// A directory made of nothing but the journal.
pub struct Rebuilt {
    pub directory: WorkingSet,
    last: Seq,
    heads: HashMap<RecordKey, Seq>,
}

impl Rebuilt {
    pub fn new() -> Self {
        Self { directory: WorkingSet::whole(usize::MAX), last: 0, heads: HashMap::new() }
    }

    /// A directory made of the base, and of every entry after it.
    pub fn afresh(reader: &DirectoryReader) -> Self {
        let mut rebuilt = Self { last: reader.compaction_point().unwrap().folded, ..Self::new() };
        let mut after: Option<RecordKey> = None;
        loop {
            let page = read_compacted_page(&*reader.snapshot().unwrap(), after.as_ref(), 3).unwrap();
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            page.into_iter().for_each(|(key, record)| rebuilt.directory.insert_whole(key, record));
        }
        rebuilt.follow(reader);
        rebuilt
    }

    /// Applies the new entries of the journal and returns the app users concerned. Each entry must contain the event
    /// it names, and point to the previous entry of each of its app users.
    pub fn follow(&mut self, reader: &DirectoryReader) -> BTreeSet<RecordKey> {
        let mut touched = BTreeSet::new();
        loop {
            let page = journal(reader, self.last, PAGE);
            if page.is_empty() {
                return touched;
            }
            for (entry, body) in page {
                assert!(entry.seq > self.last, "{} after {}", entry.seq, self.last);
                self.last = entry.seq;
                let event: Event = match entry.source {
                    Source::Webhook => smooch::parse_webhook(&body, &ANYTHING)
                        .unwrap()
                        .events
                        .swap_remove(entry.place)
                        .unwrap(),
                    Source::Reduced | Source::Api => serde_json::from_slice(&body).unwrap(),
                };
                assert_eq!(event.stamp.digest, entry.digest, "entry {} holds its own event", entry.seq);
                assert_eq!(*event.trigger, *entry.trigger, "entry {}", entry.seq);
                self.directory.apply_event(&entry.app, &event).unwrap();
                for (user, previous) in entry.users {
                    let key = (entry.app.clone(), user);
                    let known = self.heads.insert(key.clone(), entry.seq);
                    // The previous entry may be trimmed, or deleted with an erased app user.
                    let gone = known.is_none() && previous <= Some(reader.compaction_point().unwrap().folded);
                    let erased = || reader.find_receipt(&key.0, &key.1).unwrap().is_some();
                    let linked = known == previous || gone || previous.is_none() && erased();
                    assert!(linked, "entry {} of {key:?}: {known:?}, {previous:?}", entry.seq);
                    touched.insert(key);
                }
            }
        }
    }

    /// The live directory shows these app users as expected.
    pub fn compare<'k>(&self, reader: &DirectoryReader, keys: impl IntoIterator<Item = &'k RecordKey>) {
        for (app, id) in keys.into_iter().filter(|(_, id)| !id.is_app()) {
            assert_eq!(reader.find_by_id(app, id).unwrap(), self.directory.view(app, id), "{app} {id}");
            means(reader, app, id.as_str());
        }
    }

    /// Every `_id`, every `userId` and the list show the content of the journal, and nothing else.
    pub fn compare_all(&self, reader: &DirectoryReader) -> usize {
        let keys: BTreeSet<RecordKey> = self.directory.entries().map(|(key, _)| key.clone()).collect();
        self.compare(reader, &keys);
        let mut roots: BTreeMap<AppId, Vec<SmoochId>> = BTreeMap::new();
        let mut named: BTreeMap<(AppId, String), SmoochId> = BTreeMap::new();
        let mut ranks = HashMap::new();
        for (app, id) in keys.iter().filter(|(_, id)| !id.is_app()) {
            let Some(view) = self.directory.view(app, id).filter(|view| view.id == *id) else { continue };
            roots.entry(app.clone()).or_default().push(id.clone());
            let Some(shown) = view.fields.get(&Field::UserId) else { continue };
            let group = self.directory.group(app, id).unwrap();
            let rank = (group.user_id_stamp(shown).cloned(), Reverse(id.clone()));
            let name = (app.clone(), serde_json::from_str::<String>(shown).unwrap());
            if ranks.get(&name).is_none_or(|known| rank > *known) {
                ranks.insert(name.clone(), rank);
                named.insert(name, id.clone());
            }
        }
        for ((app, user_id), id) in &named {
            let found = by_user_id(reader, app, user_id).map(|view| view.id);
            assert_eq!(found.as_ref(), Some(id), "userId {user_id}");
            means(reader, app, user_id);
        }
        for (app, roots) in &roots {
            assert_eq!(&listed(reader, app), roots, "the list of {app}");
        }
        keys.len()
    }
}

/// The whole list of an app, page by page.
fn listed(reader: &DirectoryReader, app: &AppId) -> Vec<SmoochId> {
    let mut ids: Vec<SmoochId> = Vec::new();
    loop {
        let after = ids.last().map(|id| id.as_str().to_owned());
        let page: Vec<View> = reader.list_users(app, after.as_deref(), PAGE).unwrap();
        if page.is_empty() {
            return ids;
        }
        ids.extend(page.into_iter().map(|view| view.id));
    }
}

/// The answer to a GET of this app user, from the journal alone.
pub fn expected(directory: &WorkingSet, id: &str) -> Option<String> {
    let view = directory.view(&AppId::from(APP), &SmoochId::from(id))?;
    Some(format!("{{\"appUser\":{}}}", v1::app_user(&Visibility::Whole.show(&view))))
}

fn matches_the_live_one(home: &Home, program: &Program) -> usize {
    let reader = open_reader(&home.database()).unwrap();
    let mut rebuilt = Rebuilt::new();
    rebuilt.follow(&reader);
    for (_, id) in rebuilt.directory.entries().map(|(key, _)| key).filter(|(_, id)| !id.is_app()) {
        let live = program.app_user(id.as_str());
        match expected(&rebuilt.directory, id.as_str()) {
            Some(text) => assert_eq!((live.status, live.text), (200, text), "{id}"),
            None => assert_eq!(live.status, 404, "{id}: {live:?}"),
        }
    }
    rebuilt.compare_all(&reader)
}

pub fn fixture_bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> =
        files(&fixtures().join("webhooks"), "json").iter().map(|file| std::fs::read(file).unwrap()).collect();
    for file in files(&fixtures().join("sequences"), "jsonl") {
        let text = std::fs::read_to_string(file).unwrap();
        bodies.extend(text.lines().map(|line| line.as_bytes().to_vec()));
    }
    bodies
}

#[test]
fn rebuilt_from_the_journal_the_directory_of_all_fixtures_is_the_live_one() {
    let bodies = fixture_bodies();
    assert!(bodies.len() > 200, "{} fixtures", bodies.len());
    let forwards: Vec<&Vec<u8>> = bodies.iter().collect();
    let backwards_and_twice: Vec<&Vec<u8>> = bodies.iter().rev().chain(&bodies).collect();
    for order in [forwards, backwards_and_twice] {
        let home = Home::new();
        let program = home.start();
        for body in order {
            assert_eq!(program.webhook(body).status, 200);
        }
        let compared = matches_the_live_one(&home, &program);
        assert!(compared > 150, "{compared} records");
        program.stop();
        let program = home.start();
        assert_eq!(matches_the_live_one(&home, &program), compared, "after a restart");
    }
}

#[test]
fn rebuilt_from_the_journal_the_directory_of_one_large_batch_is_the_live_one() {
    let home = Home::new();
    let program = home.start();
    let bodies = fixture_bodies();
    let threads = 32;
    std::thread::scope(|scope| {
        for n in 0..threads {
            let (program, mine) = (&program, bodies.iter().skip(n).step_by(threads));
            scope.spawn(move || {
                for body in mine {
                    let answer = program.request("POST", "/webhooks", &[("x-api-key", SECRET)], body);
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    assert!(matches_the_live_one(&home, &program) > 150);
}

/// A name means an `_id`, else a `userId`.
fn means(reader: &DirectoryReader, app: &AppId, name: &str) {
    let by_id = reader.find_by_id(app, &name.into()).unwrap();
    let expected = by_id.or_else(|| by_user_id(reader, app, name));
    assert_eq!(reader.find_by_name(app, &name.into()).unwrap(), expected, "{app} {name}");
}
