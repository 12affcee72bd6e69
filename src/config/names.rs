//! Names of operators. The audit log has them, so none may be taken for another, nor hide a part of itself.

/// The name of the operator that the key file proves. It is reserved: the settings, links and proxies may not give it.
pub const KEY_FILE: &str = "key file";

/// The most characters of a name.
const MOST: usize = 128;

/// Characters that show nothing, or turn the direction of the text around them.
const HIDDEN: [std::ops::RangeInclusive<char>; 6] = [
    '\u{61c}'..='\u{61c}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
    '\u{e0000}'..='\u{e007f}',
];

/// True for a character that a terminal or a page would obey or hide.
pub fn is_hidden(c: char) -> bool {
    c.is_control() || HIDDEN.iter().any(|range| range.contains(&c))
}

/// The name of an operator: 1 to 128 characters, all of which show, without white space around it.
///
/// # Errors
/// Describes the fault without quoting the name.
pub fn operator_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().count() > MOST {
        return Err(format!("must have 1 to {MOST} characters"));
    }
    if text.trim() != text || text.chars().any(is_hidden) {
        let why =
            "must have no white space around it, and no control characters or others that show nothing in it";
        return Err(why.to_owned());
    }
    if is_same_name(text, KEY_FILE) {
        return Err(format!("must not be {KEY_FILE}, which is the name of the commands"));
    }
    Ok(text.to_owned())
}

/// Whether two names of operators look alike: in another case, or with other white space, they do.
pub fn is_same_name(one: &str, other: &str) -> bool {
    let folded = |name: &str| name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    folded(one) == folded(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_whole_and_is_nobody_elses() {
        for name in ["ann", "Zofia Łęcka", "田中", "ann@example.org", "oidc:ann", &"a".repeat(128)] {
            assert_eq!(operator_name(name).as_deref(), Ok(name));
        }
        for name in [
            "",
            " ann",
            "ann\n",
            "a\u{0}nn",
            "a\u{202e}nna",
            "ann\u{200b}",
            "\u{feff}ann",
            "key file",
            "Key\u{a0}File",
            "KEY  FILE",
            &"a".repeat(129),
        ] {
            assert!(operator_name(name).is_err(), "{name:?}");
        }
        assert!(is_same_name("Ann Lee", "ann  lee") && !is_same_name("ann", "anna"));
    }
}
