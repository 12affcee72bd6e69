use super::*;
use crate::domain::Digest;

fn stamp(time: i64) -> Arc<Stamp> {
    Arc::new(Stamp { time, event: "".into(), digest: Digest::default() })
}

fn mention(active: Option<bool>, rest: &str) -> Mention {
    Mention { active, rest: rest.into() }
}

/// The mentions that are stored, newest first.
fn stored(mentions: &Mentions) -> Vec<(i64, Option<bool>, &str)> {
    mentions.iter().map(|mention| (mention.stamp.time, mention.value.active, &*mention.value.rest)).collect()
}

#[test]
fn the_last_value_of_each_member_is_stored_in_any_order() {
    let words = [
        (1, Some(true), r#"{"a":1,"b":1,"c":1}"#),
        (2, None, r#"{"b":2}"#),
        (3, Some(false), r#"{"b":3,"d":3}"#),
        (3, None, r#"{"d":4,"e":"x"}"#),
    ];
    let expected = [(3, Some(false), r#"{"b":3,"d":4,"e":"x"}"#), (1, None, r#"{"a":1,"c":1}"#)];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1], [0, 3, 1, 2], [3, 1, 2, 0]] {
        let mut mentions = Mentions::default();
        for n in order.into_iter().chain(order) {
            let (time, active, rest) = words[n];
            mentions.add(&stamp(time), &mention(active, rest));
        }
        assert_eq!(stored(&mentions), expected, "{order:?}");
    }
}

#[test]
fn a_removal_and_a_list_discard_earlier_mentions() {
    let mut mentions = Mentions::default();
    mentions.add(&stamp(1), &mention(None, r#"{"a":1}"#));
    mentions.remove(&stamp(2));
    assert_eq!((stored(&mentions).len(), mentions.removed()), (0, Some(&stamp(2))));
    mentions.add(&stamp(1), &mention(None, r#"{"a":1}"#));
    assert_eq!(stored(&mentions).len(), 0, "late");
    mentions.add(&stamp(3), &mention(None, "{}"));
    mentions.remove(&stamp(1));
    assert_eq!(stored(&mentions), [(3, None, "{}")]);
    assert!(mentions.complete(&stamp(3)));
    assert_eq!((stored(&mentions).len(), mentions.removed()), (1, None));
    assert!(!mentions.complete(&stamp(4)));
}
