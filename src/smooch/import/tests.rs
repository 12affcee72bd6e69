use super::*;
use crate::domain::WorkingSet;
use crate::smooch::export;

const BOUNDS: ParseLimits =
    ParseLimits { depth: 64, events: 1, latest: 2_000_000_000_000_000, name_bytes: 1024 };

#[test]
fn a_plain_line_is_stamped_with_when_it_was_last_seen() {
    let read = |text: &str| parse_line(text.as_bytes(), &BOUNDS).unwrap();
    let seen = read("{\"_id\":\"x\",\"clients\":[{\"id\":\"c\",\"lastSeen\":\"2020-01-01T00:00:00.5Z\"}]}");
    assert_eq!(seen.event.stamp.time, 1_577_836_800_500_000);
    let told = read("{\"_id\":\"x\",\"lastSeen\":\"2020-01-01T00:00:00Z\",\"clients\":[]}");
    assert_eq!(told.event.stamp.time, 1_577_836_800_000_000);
    assert_eq!(read("{\"_id\":\"x\"}").event.stamp.time, Stamp::NO_TIME);
    // The order of members and white space have no meaning.
    let (tidy, other) =
        (read("{\"_id\":\"x\",\"email\":\"e\"}"), read(" { \"email\" : \"e\" , \"_id\" : \"x\" } "));
    assert_eq!((tidy.event.facts, tidy.event.stamp), (other.event.facts, other.event.stamp));
    let wrapped = read("{\"appUser\":{\"_id\":\"x\",\"email\":\"e\"}}");
    assert_eq!(wrapped.event.users()[0].as_str(), "x");
}

#[test]
fn a_line_without_an_id_gets_the_same_id_everywhere() {
    let read = |text: &str| parse_line(text.as_bytes(), &BOUNDS).unwrap();
    let (one, other) = (read("{\"userId\":\"bob\"}"), read("{\"userId\":\"bob\",\"email\":\"b@x.y\"}"));
    assert_eq!(one.event.users(), other.event.users());
    assert_eq!(one.event.users()[0].as_str().len(), 24);
}

#[test]
fn extreme_times_are_exact() {
    let app = "a".into();
    for time in [i64::MIN + 1, -62_135_596_800_000_001, -1, 0, 1_582_653_997_547_123, 1_999_999_999_999_999] {
        let mut directory = WorkingSet::whole(9);
        let stamp = Arc::new(Stamp { time, event: "e\"".into(), digest: [0xa5; 16] });
        let seen = crate::domain::Observation::bare("x".into());
        let event = Event { trigger: "t".into(), stamp, facts: vec![Fact::Seen(seen)] };
        directory.apply_event(&app, &event).unwrap();
        let (id, record) = directory.into_records().map(|((_, id), record)| (id, record)).next().unwrap();
        let mut text = String::new();
        export::write_lines(&app, None, &[(&id, &record, &[])], &mut text);
        let line = parse_line(text.trim_end().as_bytes(), &BOUNDS).unwrap();
        assert_eq!(line.event.facts, crate::domain::snapshot_facts(&id, &record, Vec::new()), "{text}");
    }
}
