//! Export, import and streamed lists.

mod errors;
mod formulas;
mod lists;
mod quotes;
mod stream;
mod whole;

use std::path::PathBuf;

use crate::operator_commands::{Ran, run};
use crate::support::{Home, Program};

/// Writes a file to be imported.
fn file(home: &Home, name: &str, text: &str) -> PathBuf {
    let path = home.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn import(home: &Home, program: &Program, args: &[&str]) -> Ran {
    run(home, program, &[&["import", "--json"], args].concat())
}

/// The numbers of lines imported, known already and wrong.
fn counts(ran: &Ran) -> [u64; 3] {
    let summary = &ran.lines()[0];
    ["imported", "known", "wrong"].map(|name| summary[name].as_u64().unwrap())
}

fn exported(home: &Home, program: &Program) -> String {
    run(home, program, &["export"]).well().out
}
