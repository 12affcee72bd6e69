//! The remains that SQLite leaves between the rows of a page when it moves them to another page.

use std::ops::Range;

use serde_json::json;

use super::traces::Traces;
use super::{CANARY, erase, message, person};
use crate::crash::traffic::Rng;
use crate::support::Home;

/// The gaps of the pages of rows that hold something of the person.
fn gaps(home: &Home) -> Vec<usize> {
    let bytes = std::fs::read(home.database()).unwrap();
    let size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let gap = |n: usize, page: &[u8]| -> Option<Range<usize>> {
        let header = if n == 0 { 100 } else { 0 };
        let word = |at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
        let list = match page[header] {
            2 | 5 => header + 12,
            10 | 13 => header + 8,
            _ => return None,
        };
        let gap = list + 2 * word(header + 3)..word(header + 5);
        (gap.start < gap.end && gap.end <= page.len()).then_some(gap)
    };
    let has = |(n, page): (usize, &[u8])| {
        let gap = gap(n, page)?;
        page[gap].windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()).then_some(n + 1)
    };
    bytes.chunks(size).enumerate().filter_map(has).collect()
}

#[test]
fn a_row_that_was_moved_to_another_page_leaves_nothing_behind() {
    let (home, mut rng) = (Home::new(), Rng(27));
    let mut found = Vec::new();
    for round in 0..40 {
        let program = home.start();
        for n in 0..10 {
            let (who, received) = (rng.below(40), 1_600_000_000.0 + f64::from(10 * round + n));
            let size = 20 * (1 + rng.below(10)) as usize;
            let body = if who % 4 == 0 {
                message(&format!("p{who}"), received, &person(who as usize), &"x".repeat(size))
            } else {
                let user = json!({ "properties": { "grows": "x".repeat(size) } });
                message(&format!("other-{who}"), received, &user, "Hi")
            };
            assert_eq!(program.webhook(body).status, 200);
        }
        program.stop();
        found = gaps(&home);
        if !found.is_empty() {
            break;
        }
    }
    assert!(!found.is_empty(), "SQLite leaves something");
    let program = home.start();
    let others = program.all_app_users().iter().filter(|user| !user.to_string().contains(CANARY)).count();
    for who in (0..40).step_by(4).filter(|who| program.app_user(&format!("p{who}")).status == 200) {
        let erased = erase(&home, &program, &["--only", &format!("p{who}")]);
        assert!(erased.status.success(), "{erased:?}");
    }
    Traces::of(&home).nothing_in("the files of the running service");
    program.stop();
    assert_eq!(gaps(&home), [0; 0]);
    Traces::of(&home).nothing_in("the files after the end");
    let integrity: String = home.find("PRAGMA integrity_check");
    assert_eq!(integrity, "ok");
    let program = home.start();
    assert_eq!(program.all_app_users().len(), others);
}
