//! JSON values and registers.

use std::collections::BTreeMap;
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
