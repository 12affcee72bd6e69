//! An exported directory, imported, is the same directory.

use proptest::prelude::*;
use rollcall::smooch::{ParseLimits, export, import};

use super::random::{NAMES, Step, everything, live, steps};
use super::*;

const BOUNDS: ParseLimits = ParseLimits { depth: 64, events: 1, latest: i64::MAX, name_bytes: 1024 };

/// The lines of an export.
fn lines(directory: &WorkingSet) -> String {
    let mut lines = String::new();
    let record = |id: &SmoochId| {
        let record = directory.record(&(app(), id.clone())).unwrap();
        (id.clone(), record.clone(), directory.namesakes(&app(), id))
    };
    let mut write = |view: Option<&View>, ids: &[&SmoochId]| {
        let records: Vec<_> = ids.iter().map(|id| record(id)).collect();
        let records: Vec<_> = records.iter().map(|(id, record, apart)| (id, record, &apart[..])).collect();
        export::write_lines(&app(), view, &records, &mut lines);
    };
    let mut ids: Vec<&SmoochId> = directory.entries().map(|((_, id), _)| id).collect();
    ids.sort();
    for id in ids {
        match directory.view(&app(), id) {
            None => write(None, &[id]),
            Some(view) if view.id == *id => {
                write(Some(&view), &[id].into_iter().chain(&view.aliases).collect::<Vec<_>>());
            }
            Some(_) => {}
        }
    }
    lines
}

fn equal(one: &WorkingSet, other: &WorkingSet) -> Result<(), TestCaseError> {
    prop_assert_eq!(everything(one), everything(other));
    for name in NAMES.map(json_text) {
        prop_assert_eq!(one.by_user_id(&app(), &name), other.by_user_id(&app(), &name));
    }
    prop_assert_eq!(lines(one), lines(other));
    Ok(())
}

proptest! {
    #![proptest_config(crate::convergence::cases(4))]

    #[test]
    fn an_export_and_its_import_are_the_same_directory(
        before in steps(14), later in steps(6), backwards in any::<bool>(),
    ) {
        let (mut live, _) = live(&before)?;
        let exported = lines(&live.directory);
        let mut told: Vec<&str> = exported.lines().collect();
        if backwards {
            told.reverse();
        }
        let mut copy = WorkingSet::whole(usize::MAX);
        for line in told.iter().chain(&told) {
            let line = import::parse_line(line.as_bytes(), &BOUNDS).unwrap();
            prop_assert_eq!(line.app.map(|app| app.as_str().into()), Some(app()));
            copy.apply_event(&app(), &line.event).unwrap();
            prop_assert!(copy.contains_facts(&app(), &line.event.facts));
        }
        equal(&copy, &live.directory)?;
        for step in &later {
            let Step::Told(time, facts) = step else { continue };
            let event = live.learn(*time, facts.clone());
            copy.apply_event(&app(), &event).unwrap();
            equal(&copy, &live.directory)?;
        }
    }
}

/// Applies the plain lines of a list.
fn learn(directory: &mut WorkingSet, line: &str) {
    let line = import::parse_line(line.as_bytes(), &BOUNDS).unwrap();
    directory.apply_event(&app(), &line.event).unwrap();
}

#[test]
fn a_plain_line_counts_as_smoochs_report_of_the_time_last_seen() {
    let old =
        r#"{"_id":"u","lastSeen":"1970-01-01T00:00:00.000050Z","email":"old","properties":{"plan":"old"}}"#;
    let timeless = r#"{"_id":"u","email":"any","surname":"gap","conversationStarted":true}"#;
    for (heard, email) in [(40, "old"), (60, "new")] {
        for imported_first in [true, false] {
            let mut live = Live::new();
            let import =
                |live: &mut Live| [old, timeless].iter().for_each(|line| learn(&mut live.directory, line));
            if imported_first {
                import(&mut live);
            }
            live.learn(heard, vec![Fact::Seen(seen("u", vec![given(Field::Email, "new")]))]);
            if !imported_first {
                import(&mut live);
            }
            let view = live.view("u").unwrap();
            assert_eq!(shown(&view, &Field::Email).as_deref(), Some(email), "{heard} {imported_first}");
            assert_eq!(shown(&view, &Field::Surname).as_deref(), Some("gap"));
            assert_eq!(shown(&view, &property("plan")).as_deref(), Some("old"));
            assert!(view.started);
            assert_eq!(view.last_seen, Some(heard.max(50)));
        }
    }
}
