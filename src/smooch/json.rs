//! Parses a body in one pass into a JSON tree that borrows from it.
//!
//! Not `serde_json::Value`, because four things are needed that it does not offer together: numbers as written, a
//! limit on the depth, strings with half a surrogate pair (chat clients cut emoji in two), and a count of repeated
//! keys. The accepted texts are those of `serde_json`, which a test compares. Half a pair and NUL become U+FFFD,
//! because not every database can store them; in keys and names, the code unit follows as four hexadecimal digits, so
//! different names stay different.

mod object;
mod parser;
mod value;
mod write;

pub use object::{ObjectWriter, raw, to_json};
pub use parser::{Document, Malformed, TOO_DEEP, is_blank, without_mark};
pub use value::{Garbled, Json};
pub use write::{with_buffer, write_array, write_object, write_string};
