//! Operators of the settings, and sessions of the console.

use serde_json::{Value, json};

use super::conform::prove;
use super::{Answer, Home, Program, basic, request, until};

/// An operator with a name and a secret.
#[derive(Clone, Debug)]
pub struct NamedOperator {
    pub name: String,
    /// `viewer` or `operator`.
    pub role: &'static str,
    pub personal_data: bool,
    /// The id of the only app that the operator sees; `None` for all.
    pub app: Option<String>,
}

impl NamedOperator {
    pub fn new(name: &str, role: &'static str) -> Self {
        Self { name: name.to_owned(), role, personal_data: true, app: None }
    }

    fn secret(&self) -> String {
        format!("the secret of {}", self.name)
    }

    /// The lines of the settings.
    pub fn settings(&self) -> String {
        let Self { name, role, personal_data, app } = self;
        let apps = app.as_ref().map(|app| format!("apps = [\"{app}\"]\n")).unwrap_or_default();
        format!(
            "[[console.operators]]\nname = \"{name}\"\nrole = \"{role}\"\nsecrets = [\"{}\"]\n\
             personal_data = {personal_data}\n{apps}",
            self.secret()
        )
    }

    /// The `Authorization` that proves the operator.
    pub fn proof(&self) -> String {
        basic(&self.name, &self.secret())
    }
}

/// Both halves of a session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The cookie, as a browser sends it.
    pub cookie: String,
    /// The half that the page sends.
    pub half: String,
}

impl Session {
    /// The session of an answer to POST `/session`.
    pub fn of(begun: &Answer) -> Self {
        assert_eq!(begun.status, 200, "{begun:?}");
        let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Self { cookie, half: begun.json()["half"].as_str().unwrap().to_owned() }
    }

    /// The headers of a request.
    pub fn headers(&self) -> [(&str, &str); 3] {
        [("cookie", &self.cookie), ("x-rollcall-session", &self.half), ("content-type", "application/json")]
    }
}

impl Home {
    /// The service, whose admin listener gets the name and the secret of this operator from every request that has no other
    /// proof.
    pub fn start_for(&self, operator: NamedOperator) -> Program {
        let settings = format!("{}\n{}", self.settings, operator.settings());
        let (dir, env, wrapper) = (self.dir.clone(), self.env.clone(), self.wrapper.clone());
        let program = Self { dir, settings, env, wrapper, memory: self.memory.clone() }.start();
        prove(program.admin, operator.proof());
        program
    }
}

impl Program {
    /// POSTs JSON to the admin listener, with the key of the program.
    pub fn admin_post(&self, path: &str, body: &serde_json::Value) -> Answer {
        let headers = [("content-type", "application/json")];
        request(self.admin, "POST", path, &headers, body.to_string().as_bytes()).unwrap()
    }

    /// The job that a call started, once it has ended.
    pub fn end_of_job(&self, started: &Answer) -> Value {
        assert_eq!(started.status, 202, "{started:?}");
        let path = started.header("location").unwrap().to_owned();
        let job = || request(self.admin, "GET", &path, &[], b"").unwrap().json();
        until("the end of the job", || job()["state"] != "running");
        job()
    }

    /// The code of a link of `rollcall console`.
    pub fn sign_in_code(&self, role: &str) -> String {
        let made = self.admin_post("/session/code", &json!({ "role": role, "name": "guest" }));
        assert_eq!(made.status, 200, "{made:?}");
        made.json()["code"].as_str().unwrap().to_owned()
    }

    /// A session of somebody with this role.
    pub fn sign_in(&self, role: &str) -> Session {
        Session::of(&self.admin_post("/session", &json!({ "code": self.sign_in_code(role) })))
    }
}
