use super::*;
use crate::domain::Digest;

fn stamp(time: i64) -> Arc<Stamp> {
    Arc::new(Stamp { time, event: "".into(), digest: Digest::default() })
}

fn said(active: Option<bool>, rest: &str) -> Mention {
    Mention { active, rest: rest.into() }
}

/// What is kept, the newest first.
fn kept(mentions: &Mentions) -> Vec<(i64, Option<bool>, &str)> {
    mentions.said().map(|said| (said.stamp.time, said.value.active, &*said.value.rest)).collect()
}

#[test]
fn the_members_of_an_object_are_found_as_they_are_written() {
    for (text, expected) in [
        ("{}", &[][..]),
        (r#"{"a":1}"#, &[("\"a\"", "1")]),
        (
            r#"{"a":{"b":[1,"}]"],"c":"\"},"},"d":"é,\\","e":null}"#,
            &[("\"a\"", r#"{"b":[1,"}]"],"c":"\"},"}"#), ("\"d\"", r#""é,\\""#), ("\"e\"", "null")],
        ),
        (r#"{"a\"b":[],"":true}"#, &[(r#""a\"b""#, "[]"), ("\"\"", "true")]),
        // What is no object has none, and what is broken off no more than was whole.
        ("", &[]),
        ("[1]", &[]),
        (r#"{"a":1,"b":"#, &[("\"a\"", "1")]),
        (r#"{"a":1,"b":"x\"#, &[("\"a\"", "1")]),
        (r#"{"a"#, &[]),
    ] {
        assert_eq!(Members::of(text).collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn what_two_objects_have_in_common_at_the_beginning_is_left_out() {
    let texts = [
        "",
        "7",
        "{}",
        r#"{"a":1}"#,
        r#"{"a":12}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":1,"b":2,"c":3}"#,
        r#"{"a":1,"c":{"b":2}}"#,
        r#"{"a":"1,\"b","b":2}"#,
        r#"{"a":"1","b":2}"#,
        r#"{"a":"é","b":2}"#,
        r#"{"a":"è","b":2}"#,
        r#"{"ab":1}"#,
    ];
    for (one, two) in texts.iter().flat_map(|one| texts.map(|two| (*one, two))) {
        let all = [one, two].map(|text| Members::of(text).collect::<Vec<_>>());
        let common = all[0].iter().zip(&all[1]).take_while(|(one, two)| one == two).count();
        let left = Members::behind_common(one, two).map(Iterator::collect::<Vec<_>>);
        let out = all[0].len() - left[0].len();
        assert!(out <= common && out + 1 >= common, "{one} {two}");
        assert_eq!(left, all.map(|all| all[out..].to_vec()), "{one} {two}");
    }
}

#[test]
fn of_each_member_the_last_word_is_kept_in_any_order() {
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
            mentions.say(&stamp(time), &said(active, rest));
        }
        assert_eq!(kept(&mentions), expected, "{order:?}");
    }
}

#[test]
fn a_removal_and_a_list_take_away_what_was_said_before() {
    let mut mentions = Mentions::default();
    mentions.say(&stamp(1), &said(None, r#"{"a":1}"#));
    mentions.remove(&stamp(2));
    assert_eq!((kept(&mentions).len(), mentions.removed()), (0, Some(&stamp(2))));
    mentions.say(&stamp(1), &said(None, r#"{"a":1}"#));
    assert_eq!(kept(&mentions).len(), 0, "late");
    mentions.say(&stamp(3), &said(None, "{}"));
    mentions.remove(&stamp(1));
    assert_eq!(kept(&mentions), [(3, None, "{}")]);
    assert!(mentions.complete(&stamp(3)));
    assert_eq!((kept(&mentions).len(), mentions.removed()), (1, None));
    assert!(!mentions.complete(&stamp(4)));
}

#[test]
fn an_object_has_its_keys_in_the_order_of_what_they_mean() {
    let members =
        vec![("\"b\"", (1, "1")), ("\"\\u0001\"", (1, "2")), ("\"a\"", (1, "3")), ("\"b\"", (2, "0"))];
    assert_eq!(&*object(members), r#"{"\u0001":2,"a":3,"b":0}"#);
    assert_eq!(&*object(Vec::<(&str, ((), &str))>::new()), "{}");
}
