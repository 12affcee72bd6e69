//! Lists: filtered, sorted, page by page.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use rollcall::directory::DirectoryReader;
use rollcall::directory::list_page::{ListCursor, ListPage, ListResult, ScanLimits};
use rollcall::domain::list::{Filter, Query, Sort, TimeRange};

fn query(sort: Sort, descending: bool) -> Query {
    Query { filter: Filter::default(), sort, descending }
}

fn page(
    reader: &DirectoryReader,
    app: &str,
    query: &Query,
    after: Option<&ListCursor>,
    bounds: ScanLimits,
) -> ListPage {
    match reader.read_list(&app.into(), query, after, bounds).unwrap() {
        ListResult::Page(page) => page,
        ListResult::Expired => panic!("expired: {query:?}"),
    }
}

/// All pages of a list, joined.
fn all(reader: &DirectoryReader, app: &str, query: &Query, bounds: ScanLimits) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = page(reader, app, query, after.as_ref(), bounds);
        assert!(page.users.len() <= bounds.limit);
        ids.extend(page.users.iter().map(|view| view.id.to_string()));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

const SORTS: [Sort; 3] = [Sort::Id, Sort::LastSeen, Sort::SignedUp];
const WIDE: ScanLimits = ScanLimits { limit: 100, looks: 1000, time: Duration::MAX };

fn told(id: &str, fields: &[(Field, &str)]) -> Fact {
    let fields = fields.iter().map(|(field, value)| (field.clone(), Some(Arc::from(*value)))).collect();
    Fact::Seen(Observation { fields, ..Observation::bare(id.into()) })
}

/// Ten app users: seen the later the greater their `_id`, signed up the other way round, every other named.
fn ten(store: &mut DirectoryWriter, app: &str) {
    for n in 0..10_i64 {
        let id = format!("u{n}");
        let signed_up = format!("\"2020-01-{:02}T00:00:00.000Z\"", 20 - n);
        let mut fields = vec![(Field::SignedUpAt, &*signed_up), (Field::Email, "\"kim@example.com\"")];
        if n % 2 == 0 {
            fields.extend([(Field::GivenName, "\"Zoë\""), (Field::UserId, "\"kim\"")]);
        }
        self::store(store, app, &[event(100 + n, vec![told(&id, &fields)])]);
    }
}

type Fits = fn(i64) -> bool;

pub fn pages_have_whoever_fits_in_order_however_few_are_looked_at(
    mut store: DirectoryWriter,
    reader: DirectoryReader,
) {
    ten(&mut store, APP);
    let filters: [(Filter, Fits); 8] = [
        (Filter::default(), |_| true),
        (Filter { q: Some("ZO kim".to_owned()), ..Filter::default() }, |n| n % 2 == 0),
        (Filter { q: Some("kim@example.com".to_owned()), ..Filter::default() }, |_| true),
        (Filter { q: Some("*".to_owned()), ..Filter::default() }, |_| false),
        (Filter { identified: Some(false), ..Filter::default() }, |n| n % 2 == 1),
        (Filter { seen: TimeRange { since: Some(103), before: Some(107) }, ..Filter::default() }, |n| {
            (3..7).contains(&n)
        }),
        (Filter { properties: vec![("plan".to_owned(), "pro".to_owned())], ..Filter::default() }, |_| false),
        (
            Filter { email: Some("kim@example.com".to_owned()), started: Some(false), ..Filter::default() },
            |_| true,
        ),
    ];
    for (filter, fits) in filters {
        let fitting: Vec<i64> = (0..10).filter(|n| fits(*n)).collect();
        for (sort, descending) in SORTS.into_iter().flat_map(|sort| [(sort, false), (sort, true)]) {
            let mut expected: Vec<String> = fitting.iter().map(|n| format!("u{n}")).collect();
            if descending != (sort == Sort::SignedUp) {
                expected.reverse();
            }
            let query = Query { filter: filter.clone(), sort, descending };
            let long = Duration::MAX;
            for (limit, looks, time) in [
                (1, 1, long),
                (1, 3, long),
                (3, 2, long),
                (3, 100, long),
                (10, 100, long),
                (100, 7, long),
                (1, 100, Duration::ZERO),
                (3, 100, Duration::ZERO),
            ] {
                let limits = ScanLimits { limit, looks, time };
                let found = all(&reader, APP, &query, limits);
                assert_eq!(found, expected, "{query:?}, {limits:?}");
            }
        }
        for looks in [1, 3, 100] {
            let (mut sum, mut after) = (0, None);
            loop {
                let counted = reader.count_list(&APP.into(), &filter, after.as_ref(), looks).unwrap();
                sum += counted.fit;
                after = counted.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(sum, fitting.len() as u64, "{filter:?}");
        }
    }
}

pub fn who_moves_while_a_list_is_read_is_told_of_once(mut store: DirectoryWriter, reader: DirectoryReader) {
    ten(&mut store, APP);
    let mut time = 1000;
    for (descending, limit, looks) in
        [(true, 1, 100), (true, 3, 100), (true, 3, 2), (false, 1, 100), (false, 3, 100), (false, 3, 2)]
    {
        let query = query(Sort::LastSeen, descending);
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page =
                page(&reader, APP, &query, after.as_ref(), ScanLimits { limit, looks, time: Duration::MAX });
            ids.extend(page.users.iter().map(|view| view.id.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
            // Somebody who was told of, and two who are perhaps still to come: one of them twice, and back.
            for id in [ids.first().map_or("u0", |id| id), "u4", "u7", "u4", "new"] {
                time += 1;
                self::store(&mut store, APP, &[event(time, vec![seen(id)])]);
            }
            assert!(ids.len() < 100, "the list goes on for ever: {ids:?}");
        }
        ids.retain(|id| id != "new");
        let once: BTreeSet<&String> = ids.iter().collect();
        assert_eq!((once.len(), ids.len()), (10, 10), "descending {descending}, {limit} of {looks}: {ids:?}");
    }
}

pub fn a_row_follows_the_group_it_stands_for(mut store: DirectoryWriter, reader: DirectoryReader) {
    ten(&mut store, APP);
    let latest = query(Sort::LastSeen, true);
    let q = |q: &str| {
        let filter = Filter { q: Some(q.to_owned()), ..Filter::default() };
        Query { filter, ..Query::default() }
    };
    let find = |query: &Query| all(&reader, APP, query, WIDE);
    self::store(&mut store, APP, &[event(200, vec![merged("u0", "u9")])]);
    assert_eq!(find(&latest)[..2], ["u0", "u8"]);
    // Only the record of the one that was merged away changes.
    self::store(&mut store, APP, &[event(201, vec![seen("u1")])]);
    self::store(&mut store, APP, &[event(202, vec![told("u9", &[(Field::Surname, "\"Nine\"")])])]);
    assert_eq!(find(&latest)[..3], ["u0", "u1", "u8"]);
    assert_eq!(find(&q("nine")), ["u0"]);
    let undone = Fact::Unmerged { surviving: "u0".into(), discarded: "u9".into() };
    self::store(&mut store, APP, &[event(203, vec![undone])]);
    assert_eq!(find(&q("nine")), ["u9"]);
    assert_eq!(find(&latest).len(), 10);
    self::store(&mut store, APP, &[event(204, vec![removed("u9")])]);
    assert_eq!(find(&q("nine")), [""; 0]);
    assert_eq!(find(&q("kim")), ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"]);
    let cleared =
        Fact::Seen(Observation { fields: vec![(Field::Email, None)], ..Observation::bare("u1".into()) });
    self::store(&mut store, APP, &[event(205, vec![cleared])]);
    assert_eq!(find(&q("kim")), ["u0", "u2", "u3", "u4", "u5", "u6", "u7", "u8"]);
}

pub fn a_list_of_one_app_is_no_others(mut store: DirectoryWriter, reader: DirectoryReader) {
    ten(&mut store, "one");
    self::store(&mut store, "two", &[event(7, vec![named("x", "kim"), seen("u3")])]);
    let filters = [
        Filter::default(),
        Filter { q: Some("kim".to_owned()), ..Filter::default() },
        Filter { user_id: Some("kim".to_owned()), ..Filter::default() },
        Filter { seen: TimeRange { since: Some(0), before: None }, ..Filter::default() },
    ];
    for filter in filters {
        for sort in SORTS {
            let query = Query { filter: filter.clone(), sort, descending: false };
            let found = all(&reader, "two", &query, WIDE);
            assert!(found.iter().all(|id| ["x", "u3"].contains(&&**id)) && !found.is_empty(), "{query:?}");
            assert_eq!(all(&reader, "three", &query, WIDE), [""; 0]);
        }
        let counted = reader.count_list(&"two".into(), &filter, None, 100).unwrap().fit;
        assert!((1..=2).contains(&counted), "{filter:?}: {counted}");
    }
}
