//! The version of the rules that turn events into the directory.

/// The version of the rules that turn a journalled event into the directory: parsing of bodies, and application of
/// facts. Raise it with every change of either. After the start, the service rebuilds a directory of older rules from
/// its journal; see `rebuild/background.rs`.
pub const RULES_VERSION: i64 = 4;
