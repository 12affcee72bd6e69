//! Who may use the admin listener, and what they may do there.

mod operator;

pub use operator::{Operator, Proof, Role};
