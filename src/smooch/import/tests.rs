use super::*;
use crate::domain::WorkingSet;
use crate::smooch::export;

const BOUNDS: ParseLimits =
    ParseLimits { depth: 64, events: 1, latest: 2_000_000_000_000_000, name_bytes: 1024 };

fn problem(text: &str) -> String {
    parse_line(text.as_bytes(), &BOUNDS).unwrap_err().to_string()
}

#[test]
fn errors_are_named_with_their_place() {
    let record = |record: &str| format!("{{\"rollcall\":1,\"app\":\"a\",\"records\":[{record}]}}");
    for (text, said) in [
        ("{".to_owned(), "not JSON"),
        ("[]".to_owned(), "the line must be an object"),
        ("{\"rollcall\":2}".to_owned(), "rollcall must be 1"),
        ("{\"rollcall\":1,\"records\":[]}".to_owned(), "the line lacks app"),
        ("{\"rollcall\":1,\"app\":\"a\",\"records\":[]}".to_owned(), "has no records"),
        (record("{}"), "records[0] lacks _id"),
        (record("{\"_id\":\"\"}"), "records[0]._id must be a string"),
        (record("{\"_id\":\"x\",\"removed\":1}"), "records[0].removed must be true or false"),
        (record("{\"_id\":\"x\",\"colour\":1}"), "records[0].colour is not known"),
        (record("{\"_id\":\"x\",\"said\":[{}]}"), "records[0].said[0] lacks digest"),
        (record("{\"_id\":\"x\",\"said\":[{\"digest\":\"0g\"}]}"), "said[0].digest must be 32 hexadecimal"),
        (record("{\"_id\":\"x\",\"lastSeen\":\"soon\"}"), "records[0].lastSeen must be an ISO 8601"),
        (record("{\"_id\":\"x\",\"lastSeen\":\"2999-01-01T00:00:00Z\"}"), "ahead of the clock"),
        (
            record("{\"_id\":\"x\",\"merges\":[{\"into\":\"y\",\"reason\":\"love\"}]}"),
            "reason must be one of",
        ),
        ("{\"email\":\"a@b.c\"}".to_owned(), "lacks _id, or at least userId"),
        ("{\"_id\":\"x\",\"email\":7}".to_owned(), "email must be a string"),
        ("{\"_id\":\"x\",\"properties\":7}".to_owned(), "properties must be an object"),
        ("{\"_id\":\"x\",\"clients\":[{}]}".to_owned(), "clients[0] must be an object with an id"),
        ("{\"userId\":\"x\\u0000\"}".to_owned(), "userId must have no NUL"),
        ("{\"_id\":\"x\\ud800\"}".to_owned(), "_id must have no NUL"),
        ("{\"_id\":\"x\",\"brandId\":\"\\udc00\"}".to_owned(), "brandId must have no NUL"),
        (
            record(
                "{\"_id\":\"x\",\"said\":[{\"digest\":\"00000000000000000000000000000000\",\"fields\":{\"userId\":\"\\u0000\"}}]}",
            ),
            "userId must have no NUL",
        ),
        ("{\"userId\":\"x\",\"clients\":[{\"id\":\"c\"}]}".to_owned(), "lacks _id: clients"),
    ] {
        let problem = problem(&text);
        assert!(problem.contains(said), "{text}: {problem}");
    }
}

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

#[test]
fn names_of_over_1024_bytes_are_refused() {
    let letters = |bytes: usize| "a".repeat(bytes);
    let record = |said: &str| {
        let digest = "00000000000000000000000000000000";
        format!(
            "{{\"rollcall\":1,\"app\":\"a\",\"records\":[{{\"_id\":\"x\",\"said\":[{{\"digest\":\"{digest}\",{said}}}]}}]}}"
        )
    };
    let lines: [&dyn Fn(&str) -> String; 5] = [
        &|name| format!("{{\"_id\":\"{name}\"}}"),
        &|name| format!("{{\"_id\":\"x\",\"userId\":\"{name}\"}}"),
        &|name| format!("{{\"_id\":\"x\",\"clients\":[{{\"id\":\"{name}\"}}]}}"),
        &|name| record(&format!("\"fields\":{{\"userId\":\"{name}\"}}")),
        &|name| record(&format!("\"active\":[\"{name}\"]")),
    ];
    for line in lines {
        assert!(parse_line(line(&letters(1024)).as_bytes(), &BOUNDS).is_ok());
        let problem = problem(&line(&letters(1025)));
        assert!(problem.starts_with("name_too_long: "), "{problem}");
    }
}
