//! One pass over a body: a JSON tree that borrows from it.
//!
//! Not `serde_json::Value`, because four things are needed that it cannot give together: numbers
//! as with_buffer, a bound on the depth, strings with half a surrogate pair (chat clients cut emoji in
//! two), and a count of repeated keys. What is valid is what `serde_json` calls valid, tested side
//! by side. Half a pair and NUL become U+FFFD, since not every database can hold them; in keys and names,
//! the code unit follows as four hexadecimal digits, so that different names stay different.

mod object;
mod parser;
mod special;
mod value;
mod write;

pub use object::{ObjectWriter, RawJson, to_json};
pub use parser::{Document, Malformed, TOO_DEEP, is_blank, without_mark};
pub use value::{Garbled, Json};
pub use write::{raw, with_buffer, write_exact_object, write_object, write_string};
