//! Parser for canonical JSON text without building values: members of an object, ends of strings.

use memchr::memchr2;

use super::value::JsonText;

/// A member: the key as written, a rank among members with the same key, and the value.
pub(super) type Ranked<'t, R> = (&'t str, (R, &'t str));

/// The canonical text of an object; of several members with one key the greatest stays.
pub(super) fn write_object<'t, R: Ord>(mut members: Vec<Ranked<'t, R>>) -> JsonText {
    members.sort_by(|(one, of_one), (two, of_two)| {
        let escaped = one.contains('\\') || two.contains('\\');
        let keys = if escaped { unescape(one).cmp(&unescape(two)) } else { one.cmp(two) };
        keys.then_with(|| of_two.cmp(of_one))
    });
    members.dedup_by(|(later, _), (first, _)| later == first);
    let mut out =
        String::with_capacity(members.iter().map(|(key, (_, value))| key.len() + value.len() + 2).sum());
    for (n, (key, (_, value))) in members.iter().enumerate() {
        out.push(if n == 0 { '{' } else { ',' });
        out.push_str(key);
        out.push(':');
        out.push_str(value);
    }
    out.push_str(if members.is_empty() { "{}" } else { "}" });
    out.into()
}

/// The unescaped text of a JSON string; other text is returned unchanged.
pub(super) fn unescape(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
}

/// Iterates over the members of a JSON object without white space; keys and values as written.
#[derive(Clone)]
pub(super) struct JsonMembers<'t>(&'t str);

impl<'t> JsonMembers<'t> {
    pub(super) fn of(object: &'t str) -> Self {
        Self(object.strip_prefix('{').unwrap_or_default())
    }

    /// The next member, unless it and all later ones sort after the key `last`, given as written.
    pub(super) fn next_up_to(&mut self, last: &str) -> Option<(&'t str, &'t str)> {
        // An escaped key is sorted by its unescaped text.
        self.next_if(|key| key <= last || key.contains('\\'))
    }

    fn next_if(&mut self, is_wanted: impl FnOnce(&str) -> bool) -> Option<(&'t str, &'t str)> {
        let bytes = self.0.as_bytes();
        let key_end = string_end(bytes, 0)?;
        let key = self.0.get(..key_end).filter(|key| is_wanted(key))?;
        let end = value_end(bytes, key_end + 1)?;
        let value = self.0.get(key_end + 1..end)?;
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some((key, value))
    }

    /// The value of a member as written, if it is a string.
    pub(super) fn string(object: &'t str, key: &str) -> Option<&'t str> {
        Self::value(object, key).filter(|value| value.starts_with('"'))
    }

    /// The value of a member.
    fn value(object: &'t str, key: &str) -> Option<&'t str> {
        let mut members = Self::of(object);
        std::iter::from_fn(|| members.next_up_to(key))
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }
}

impl<'t> Iterator for JsonMembers<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_if(|_| true)
    }
}

/// The end of the JSON string that starts at `from`.
fn string_end(text: &[u8], from: usize) -> Option<usize> {
    if *text.get(from)? != b'"' {
        return None;
    }
    let mut at = from + 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The end of the JSON value that starts at `from`.
fn value_end(text: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' if depth > 0 => (at, depth) = (at + 1, depth - 1),
            b',' | b'}' | b']' if depth == 0 => return Some(at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            // Other JSON has no members; a truncated object has its complete ones.
            ("", &[]),
            ("[1]", &[]),
            (r#"{"a":1,"b":"#, &[("\"a\"", "1")]),
            (r#"{"a":1,"b":"x\"#, &[("\"a\"", "1")]),
            (r#"{"a"#, &[]),
        ] {
            assert_eq!(JsonMembers::of(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn the_keys_of_an_object_are_sorted_by_their_unescaped_text() {
        let members =
            vec![("\"b\"", (1, "1")), ("\"\\u0001\"", (1, "2")), ("\"a\"", (1, "3")), ("\"b\"", (2, "0"))];
        assert_eq!(&*write_object(members), r#"{"\u0001":2,"a":3,"b":0}"#);
        assert_eq!(&*write_object(Vec::<(&str, ((), &str))>::new()), "{}");
    }

    #[test]
    fn members_are_read_up_to_a_key_and_no_further() {
        let text = r#"{"a":1,"b\n":2,"bc":{"b":3},"c":4}"#;
        let up_to = |last| {
            let mut members = JsonMembers::of(text);
            let read =
                std::iter::from_fn(|| members.next_up_to(last)).map(|(key, _)| key).collect::<Vec<_>>();
            (read, members.count())
        };
        assert_eq!(up_to("\"\""), (vec![], 4));
        assert_eq!(up_to("\"a\""), (vec!["\"a\"", r#""b\n""#], 2));
        assert_eq!(up_to("\"bc\""), (vec!["\"a\"", r#""b\n""#, "\"bc\""], 1));
        assert_eq!(up_to("\"d\"").1, 0);
    }
}
