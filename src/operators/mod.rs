//! Who may use the admin listener, and what they may do there.

mod accounts;
mod admission;
mod attempts;
mod codes;
mod key_file;
mod operator;
mod proxy;
mod secrets;
mod sessions;

pub use admission::{Admission, Download, Refusal};
pub use key_file::{Key, KeyFileError, key_path, read_key, read_or_make_key};
pub use operator::{Ending, Operator, Proof, Role, SessionInfo};
pub use proxy::ProxyClaim;
pub use sessions::NewSession;
