//! The calls of operators on the admin listener.

mod apps;
pub mod masking;
mod service;
mod stats;
mod tombstones;
mod users;

use crate::support::{Answer, NamedOperator, Program, request};

/// An operator who may do everything.
pub fn operator(name: &str) -> NamedOperator {
    NamedOperator::new(name, "operator")
}

/// An operator who sees no values of people.
pub fn masked(name: &str) -> NamedOperator {
    NamedOperator { personal_data: false, ..operator(name) }
}

/// An operator of one app.
pub fn of_app(name: &str, app: &str) -> NamedOperator {
    NamedOperator { app: Some(app.to_owned()), ..operator(name) }
}

/// A request to the admin listener.
pub fn ask(program: &Program, method: &str, path: &str, body: &str) -> Answer {
    ask_with(program, method, path, &[], body)
}

/// A request to the admin listener with headers.
pub fn ask_with(program: &Program, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = [&[("content-type", "application/json")], headers].concat();
    request(program.admin, method, path, &headers, body.as_bytes()).unwrap()
}
