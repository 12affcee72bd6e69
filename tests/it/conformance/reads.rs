//! What followers and histories read.

use super::*;
use crate::support::by_user_id;
use rollcall::directory::DirectoryReader;
use rollcall::domain::ChangeKind;

pub fn changes_are_numbered_for_each_app_and_read_in_pages(
    mut store: DirectoryWriter,
    reader: DirectoryReader,
) {
    let none = reader.read_changes(&APP.into(), 0, 9).unwrap();
    assert_eq!((none.changes.len(), none.oldest, none.last), (0, 1, 0));
    self::store(&mut store, APP, &[event(1, vec![named("a", "kim"), seen("b")])]);
    self::store(&mut store, "other", &[event(2, vec![seen("a")])]);
    self::store(&mut store, APP, &[event(3, vec![named("b", "lee")]), event(4, vec![merged("b", "a")])]);
    self::store(&mut store, APP, &[event(5, vec![removed("b")])]);
    let all = reader.read_changes(&APP.into(), 0, 99).unwrap();
    assert_eq!((all.oldest, all.last), (1, 5));
    let merged = ChangeKind::Merged { surviving: "b".into() };
    let kinds = [ChangeKind::Created, ChangeKind::Created, merged, ChangeKind::Updated, ChangeKind::Removed];
    let told: Vec<_> = all.changes.iter().map(|one| (one.seq, one.change.kind.clone())).collect();
    assert_eq!(told, (1..).zip(kinds).collect::<Vec<_>>());
    assert!(all.changes.iter().all(|one| one.user.is_none()), "nobody is left to be shown");
    assert_eq!(reader.read_changes(&APP.into(), 1, 2).unwrap().changes, all.changes[1..3]);
    assert_eq!(reader.read_changes(&APP.into(), 5, 2).unwrap().changes, []);
    let other = reader.read_changes(&"other".into(), 0, 9).unwrap();
    assert_eq!(other.changes[0].user.as_ref().map(|view| view.id.as_str()), Some("a"));
    assert_eq!((other.changes.len(), other.last), (1, 1));
}

pub fn a_history_is_of_everybody_whom_merges_connect(mut store: DirectoryWriter, reader: DirectoryReader) {
    self::store(&mut store, APP, &[event(1, vec![bound("a", "phone")]), event(2, vec![bound("b", "phone")])]);
    self::store(&mut store, APP, &[event(3, vec![merged("c", "a")]), event(4, vec![seen("d")])]);
    self::store(&mut store, "other", &[event(5, vec![bound("a", "phone")])]);
    let app = AppId::from(APP);
    let names = |heads: &rollcall::directory::history::JournalHeads| -> Vec<String> {
        heads.iter().map(|(id, head)| format!("{id} {}", head.unwrap())).collect()
    };
    let heads = reader.find_connected(&app, &["a".into(), "nobody".into()]).unwrap();
    assert_eq!(names(&heads), ["a 3", "c 3"]);
    let all = reader.find_claimants(&app, &[ClientId::from("phone")]).unwrap();
    assert_eq!(names(&all), ["a 3", "b 2", "c 3"]);
    let of = all.keys().cloned().collect();
    let (mut from, mut seqs) = (all.values().flatten().copied().collect::<BTreeSet<Seq>>(), Vec::new());
    while !from.is_empty() {
        let (piece, next) = reader.walk_back(&app, &of, from, 2).unwrap();
        seqs.extend(piece.iter().map(|entry| entry.seq));
        from = next;
    }
    let read = reader.read_with_bodies(&app, &[1, 2, 5, 9].into()).unwrap();
    assert!(read.iter().all(|(entry, body)| *body == self::body(entry.received)));
    assert_eq!(read.iter().map(|(entry, _)| entry.seq).collect::<Vec<_>>(), [1, 2], "of this app, and there");
    assert_eq!(seqs, [3, 2, 1], "newest first, nothing twice, of no other app user");
}

pub fn a_name_means_an_id_else_a_user_id(mut store: DirectoryWriter, reader: DirectoryReader) {
    super::commands::three(&mut store);
    let app = AppId::from(APP);
    let means = |name: &str| {
        let by_id = reader.find_by_id(&app, &name.into()).unwrap();
        let expected = by_id.or_else(|| by_user_id(&reader, &app, name));
        let found = reader.find_by_name(&app, &name.into()).unwrap();
        assert_eq!(found, expected, "{name}");
        found.map(|view| (view.id.to_string(), view.clients.values().any(|client| client.active)))
    };
    for (name, id, active) in
        [("ann", "ann", false), ("a", "ann", false), ("b", "bob", true), ("c", "cat", false)]
    {
        assert_eq!(means(name), Some((id.to_owned(), active)), "{name}");
    }
    assert_eq!(means("nobody"), None);
    self::store(&mut store, APP, &[event(4, vec![named("dan", "cat")])]);
    assert_eq!(means("cat").map(|(id, _)| id).as_deref(), Some("cat"), "an _id goes before a userId");
    self::store(&mut store, APP, &[event(5, vec![merged("dan", "ann")]), event(6, vec![removed("cat")])]);
    assert_eq!(means("ann").map(|(id, _)| id).as_deref(), Some("dan"));
    assert_eq!(means(SmoochId::APP), None);
    assert_eq!(by_user_id(&reader, &app, "cat").map(|view| view.id), Some("dan".into()));
    assert_eq!(
        reader.find_by_name(&app, &"cat".into()).unwrap(),
        None,
        "a removed _id is never that of another app user"
    );
}
