//! Which rules a directory was learned by.

/// The version of the rules by which a journalled event becomes what the directory shows: what a body is read as, and
/// what its facts come to. Raised with every change of either. A directory that was learned by older rules is learned
/// again, from what its journal still has, once the service has started; see `rebuild/background.rs`.
pub const RULES_VERSION: i64 = 4;
