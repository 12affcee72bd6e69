//! Commands on the journal and the quarantine: show, replay, retry, tail and rebuild.

mod apps;
mod holes;
mod journal;
mod missing;
mod progress;
mod quarantine;
mod reapply;
mod rebuild;
mod replay;
mod tail;
mod token;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Home, KEY_ID, KEY_SECRET, Program, basic, first_message, until};

/// The result of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// The JSON objects it printed, one a line.
    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// A command with the addresses of a running program.
pub fn command(home: &Home, program: &Program, args: &[&str]) -> Command {
    let (listen, admin) = (program.listen, program.admin);
    let (listen, admin) = (format!("server.listen={listen}"), format!("server.admin_listen={admin}"));
    home.command(&[args, &["--set", &listen, "--set", &admin]].concat())
}

pub fn run(home: &Home, program: &Program, args: &[&str]) -> Ran {
    command(home, program, args).output().unwrap().into()
}

/// A command with this input, which stays open, that gets a signal once something holds; it is asked again after that.
pub fn run_stopped(mut command: Command, input: &str, signal: &str, holds: impl Fn() -> bool) -> Ran {
    let piped = || Stdio::piped();
    let mut running = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    until("the command has begun", &holds);
    let killed = Command::new("kill").args([signal, &running.id().to_string()]).status();
    assert!(killed.unwrap().success());
    holds();
    let ran = running.wait_with_output().unwrap().into();
    drop(stdin);
    ran
}

/// A command where no service runs.
pub fn run_alone(home: &Home, args: &[&str]) -> Ran {
    let nowhere = ["--set", "server.listen=127.0.0.1:9", "--set", "server.admin_listen=127.0.0.1:11"];
    home.command(&[args, &nowhere].concat()).output().unwrap().into()
}

/// POSTs JSON to the REST interface with the demo key.
pub fn post(program: &Program, path: &str, body: &Value) -> Value {
    let auth = basic(KEY_ID, KEY_SECRET);
    let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
    let answer = program.request("POST", path, &headers, body.to_string().as_bytes());
    assert!(answer.status < 300, "{path}: {answer:?}");
    answer.json()
}

/// Messages of these app users, each stored.
pub fn messages(program: &Program, ids: &[&str]) {
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(program.webhook(first_message(id, 1_600_000_000.0 + n as f64)).status, 200);
    }
}

/// Everything of the directory and its journal that a replay might change.
pub fn all_of_it(home: &Home, program: &Program) -> (Vec<String>, Vec<i64>) {
    let tables = ["journal", "bodies", "app_users", "identifiers", "changes", "quarantine"];
    (crate::replay::picture(home, program), tables.iter().map(|table| home.rows(table)).collect())
}
