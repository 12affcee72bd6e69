//! The calls of operators on the admin listener.

mod apps;
pub mod masking;
mod users;

use rollcall::domain::AppId;
use rollcall::operators::{Operator, Proof, Role};

use crate::support::{Answer, Program, request};

/// An operator who may do everything.
pub fn operator(name: &str) -> Operator {
    Operator {
        name: name.to_owned(),
        role: Role::Operator,
        personal_data: true,
        apps: None,
        proof: Proof::Secret,
    }
}

/// An operator who sees no values of people.
pub fn masked(name: &str) -> Operator {
    Operator { personal_data: false, ..operator(name) }
}

/// An operator of one app.
pub fn of_app(name: &str, app: &str) -> Operator {
    Operator { apps: Some([AppId::from(app)].into()), ..operator(name) }
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
