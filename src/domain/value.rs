//! JSON values and registers.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use super::ids::Stamp;

/// A JSON value in canonical form: sorted keys, no white space, numbers as written.
pub type JsonText = Arc<str>;

/// The JSON text of a string, as values are stored.
pub fn json_text(text: &str) -> JsonText {
    serde_json::Value::from(text).to_string().into()
}

/// A last-writer-wins register: only a greater stamp replaces the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Register<T> {
    /// The stamp of the value.
    pub stamp: Arc<Stamp>,
    /// The value.
    pub value: T,
}

/// A value reported by Smooch; `None` is an explicit null.
pub type SmoochValue<T> = Register<Option<T>>;

/// Joins a value into a map of registers: the greater register stays.
pub(super) fn join_register<K: Ord, T: Ord>(
    map: &mut BTreeMap<K, Register<T>>,
    key: K,
    stamp: &Arc<Stamp>,
    value: T,
) {
    let new = Register { stamp: stamp.clone(), value };
    match map.get_mut(&key) {
        Some(old) if *old >= new => {}
        Some(old) => *old = new,
        None => _ = map.insert(key, new),
    }
}

/// Every key of two maps in order, each with its value in the first one and in the second one.
pub(super) fn join_maps<'a, K: Ord, V>(
    first: &'a BTreeMap<K, V>,
    second: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
    let (mut first, mut second) = (first.iter().peekable(), second.iter().peekable());
    iter::from_fn(move || {
        let order = match (first.peek(), second.peek()) {
            (Some((one, _)), Some((two, _))) => one.cmp(two),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let one = if order.is_le() { first.next() } else { None };
        let two = if order.is_ge() { second.next() } else { None };
        let (key, _) = one.or(two)?;
        Some((key, one.map(|(_, value)| value), two.map(|(_, value)| value)))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn joined_maps_have_every_key_once_with_both_values(
            first: BTreeMap<u8, u8>, second: BTreeMap<u8, u8>,
        ) {
            let keys: BTreeSet<&u8> = first.keys().chain(second.keys()).collect();
            let expected = keys.into_iter().map(|key| (key, first.get(key), second.get(key)));
            prop_assert_eq!(join_maps(&first, &second).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
    }
}
