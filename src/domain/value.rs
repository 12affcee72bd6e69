//! Values, and the registers that hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::Stamp;

/// A JSON value in canonical form: sorted keys, no white space, numbers as written.
pub type JsonText = Arc<str>;

/// A string as JSON text: the form in which values are kept.
pub fn json_text(text: &str) -> JsonText {
    serde_json::Value::from(text).to_string().into()
}

/// The last word about one thing: only a greater stamp replaces it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Register<T> {
    /// When it was said.
    pub stamp: Arc<Stamp>,
    /// What was said.
    pub value: T,
}

/// What Smooch says of a thing; `None` is an explicit null.
pub type SmoochValue<T> = Register<Option<T>>;

/// Keeps the greater of two in a map of registers: the join of a register.
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
