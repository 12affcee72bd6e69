//! The files of a database, and files that are written for operators.

pub(super) mod header;
pub(super) mod inode;
pub(super) mod leftovers;
pub(super) mod names;
pub(super) mod open;
pub(super) mod output;
pub(super) mod partial_file;
pub(super) mod presence;
pub(super) mod wal_file;
