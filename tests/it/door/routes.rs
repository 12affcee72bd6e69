//! Every call of the admin listener, by every kind of caller.

use std::collections::BTreeSet;

use super::{APPS, ask_from};
use crate::support::{APP, DOCUMENT, Home, METHODS, NamedOperator, Program, is_on, key_of};

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// Nothing: probes, metrics, files of the console.
    Nothing,
    /// Nothing but a page of its own: signing in.
    OwnPage,
    Viewer,
    Operator,
    KeyFile,
}
use Needs::{KeyFile, Nothing, Operator, OwnPage, Viewer};

/// Every call of the document on the admin listener. A call without a row here fails.
const CALLS: &[(&str, Needs)] = &[
    ("GET /", Nothing),
    ("GET /apps", Viewer),
    ("GET /stats", Viewer),
    ("GET /audit", Viewer),
    ("GET /backups", Viewer),
    ("POST /backups", Operator),
    ("POST /backups/{name}/verify", Operator),
    ("GET /console", Nothing),
    ("GET /console/", Nothing),
    ("GET /console/{version}/{file}", Nothing),
    ("GET /console/{version}/{folder}/{file}", Nothing),
    ("POST /downloads", Viewer),
    ("GET /downloads/{code}", Viewer),
    ("GET /health", Viewer),
    ("GET /healthz", Nothing),
    ("POST /import", Operator),
    ("GET /jobs", Viewer),
    ("POST /jobs", Operator),
    ("GET /jobs/{id}", Viewer),
    ("DELETE /jobs/{id}", Operator),
    ("GET /jobs/{id}/failures", Viewer),
    ("GET /jobs/{id}/file", Viewer),
    ("GET /journal", Viewer),
    ("POST /journal/replay", Operator),
    ("GET /journal/{seq}", Viewer),
    ("GET /journal/{seq}/body", Viewer),
    ("GET /journal/tail", Viewer),
    ("GET /livez", Nothing),
    ("GET /metrics", Nothing),
    ("GET /quarantine", Viewer),
    ("DELETE /quarantine/{seq}", Operator),
    ("GET /quarantine/{seq}", Viewer),
    ("GET /quarantine/{seq}/body", Viewer),
    ("POST /quarantine/{seq}/redrive", Operator),
    ("POST /quarantine/drop", Operator),
    ("POST /quarantine/redrive", Operator),
    ("GET /readyz", Nothing),
    ("POST /rebuild", Operator),
    ("POST /reload", Operator),
    ("GET /segments", Viewer),
    ("POST /segments", Operator),
    ("GET /segments/{id}", Viewer),
    ("DELETE /segments/{id}", Operator),
    ("PUT /segments/{id}", Operator),
    ("DELETE /session", Viewer),
    ("GET /session", Viewer),
    ("POST /session", OwnPage),
    ("POST /session/code", KeyFile),
    ("GET /settings", Viewer),
    ("GET /v1/apps/{app}/appusers", Viewer),
    ("POST /v1/apps/{app}/appusers", Operator),
    ("POST /v1/apps/{app}/appusers/merge", Operator),
    ("DELETE /v1/apps/{app}/appusers/{id}", Operator),
    ("GET /v1/apps/{app}/appusers/{id}", Viewer),
    ("PUT /v1/apps/{app}/appusers/{id}", Operator),
    ("GET /v1/apps/{app}/appusers/{id}/channels", Viewer),
    ("PUT /v1/apps/{app}/appusers/{id}/devices/{device}", Operator),
    ("POST /v1/apps/{app}/appusers/{id}/events", Operator),
    ("GET /v1/apps/{app}/appusers/{id}/history", Viewer),
    ("DELETE /v1/apps/{app}/appusers/{id}/profile", Operator),
    ("POST /v1/apps/{app}/appusers/{id}/unmerge", Operator),
    ("GET /v1/apps/{app}/changes", Viewer),
    ("POST /v1/apps/{app}/init", Operator),
    ("GET /v1/apps/{app}/persons/{id}", Viewer),
    ("GET /v1/apps/{app}/tombstones/{id}", Viewer),
];

const PROXY: &str = r#"
[console.proxy]
peers = ["127.0.0.2"]
secret_header = "X-Proxy-Secret"
secret = "the secret of the proxy"
name_header = "Remote-User"
groups_header = "Remote-Groups"
operator_groups = ["leads"]
viewer_groups = ["staff", "trainees"]
"#;
const PROXY_SECRET: (&str, &str) = ("x-proxy-secret", "the secret of the proxy");
const NAMED: (&str, &str) = ("remote-user", "carla");
const LEADS: (&str, &str) = ("remote-groups", "staff, leads");

/// Calls about the service as a whole, which an operator of some apps alone may not make.
const WHOLE: [&str; 5] = ["GET /settings", "GET /health", "POST /reload", "/backups", "/rebuild"];

fn address(template: &str) -> String {
    let words = template.split('/').map(|word| match word {
        "{app}" => APP,
        "{seq}" => "1",
        word if word.starts_with('{') => "nobody",
        word => word,
    });
    words.collect::<Vec<_>>().join("/")
}

fn of_the_document() -> BTreeSet<String> {
    let items = DOCUMENT["paths"].as_object().unwrap().iter().filter(|(_, item)| is_on(item, true));
    let calls = items.flat_map(|(path, item)| {
        let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    calls.collect()
}

/// One call, asked by everybody.
struct Call<'a> {
    program: &'a Program,
    name: &'static str,
    needs: Needs,
}

impl Call<'_> {
    fn ask_from(&self, from: &str, headers: &[(&str, &str)]) -> u16 {
        let (method, template) = self.name.split_once(' ').unwrap();
        let headers = [&[("content-type", "application/json")], headers].concat();
        let (status, head) = ask_from(from, self.program.admin, method, &address(template), &headers);
        assert!(!head.iter().any(|(name, _)| name == "www-authenticate"), "{}: {head:?}", self.name);
        status
    }

    fn ask(&self, headers: &[(&str, &str)]) -> u16 {
        self.ask_from("127.0.0.1", headers)
    }

    /// Somebody who proves nothing.
    fn refuses(&self, who: &str, status: u16) {
        let refused = self.needs > OwnPage;
        assert!(if refused { status == 401 } else { passes(status) }, "{}, {who}: {status}", self.name);
    }

    /// Somebody who is this at most.
    fn admits(&self, who: &str, status: u16, is: Needs) {
        let refused = self.needs > is;
        assert!(if refused { status == 403 } else { passes(status) }, "{}, {who}: {status}", self.name);
    }

    /// A page of another origin, with the right key.
    fn turns_away(&self, who: &str, status: u16) {
        let refused = self.needs > Nothing;
        assert!(if refused { status == 403 } else { passes(status) }, "{}, {who}: {status}", self.name);
    }
}

/// True if the door lets a request pass that is answered with this status.
fn passes(status: u16) -> bool {
    ![401, 403, 421, 429].contains(&status)
}

#[test]
fn every_call_has_a_row() {
    let rows: BTreeSet<String> = CALLS.iter().map(|(call, _)| (*call).to_owned()).collect();
    assert_eq!(rows, of_the_document(), "CALLS, and the calls of openapi/ on the admin listener");
}

#[test]
fn every_call_admits_those_who_may_and_nobody_else() {
    let other = NamedOperator { app: Some("other".to_owned()), ..NamedOperator::new("bea", "operator") };
    let home = Home::with(&format!("{APPS}{PROXY}{}", other.settings()));
    let program = home.start();
    let key = format!("Bearer {}", key_of(program.admin).unwrap());
    let key = [("authorization", key.as_str())];
    let ended = program.sign_in("operator");
    let ended_headers = ended.headers();
    let out = crate::support::request(program.admin, "DELETE", "/session", &ended_headers, b"").unwrap();
    assert_eq!(out.status, 200, "{out:?}");
    for (name, needs) in CALLS {
        let call = Call { program: &program, name, needs: *needs };
        let [viewer, operator] = ["viewer", "operator"].map(|role| program.sign_in(role));
        let cookie = ("cookie", operator.cookie.as_str());
        let half = ("x-rollcall-session", operator.half.as_str());
        call.refuses("no credential", call.ask(&[]));
        call.refuses("the cookie alone", call.ask(&[cookie]));
        call.refuses("the header alone", call.ask(&[half]));
        call.refuses("halves of two sessions", call.ask(&[cookie, ("x-rollcall-session", &viewer.half)]));
        call.refuses("a session that has ended", call.ask(&ended_headers[..2]));
        call.refuses("a wrong key", call.ask(&[("authorization", "Bearer wrong")]));
        for (who, headers, status) in [
            ("a foreign host", [("host", "evil.example"), key[0]], 421),
            ("a foreign host and port", [("host", "evil.example:8788"), key[0]], 421),
        ] {
            assert_eq!(call.ask(&headers), status, "{name}, {who}");
        }
        call.turns_away("a foreign origin", call.ask(&[("origin", "https://evil.example"), key[0]]));
        call.turns_away("no origin", call.ask(&[("origin", "null"), key[0]]));
        call.turns_away("another port", call.ask(&[("sec-fetch-site", "same-site"), key[0]]));
        call.turns_away("another site", call.ask(&[("sec-fetch-site", "cross-site"), key[0]]));

        let proxied = [PROXY_SECRET, NAMED, LEADS];
        call.refuses("the proxy's headers from elsewhere", call.ask(&proxied));
        call.refuses("the proxy without its secret", call.ask_from("127.0.0.2", &proxied[1..]));
        let wrong = [("x-proxy-secret", "another secret of it"), NAMED, LEADS];
        call.refuses("the proxy with a wrong secret", call.ask_from("127.0.0.2", &wrong));
        call.refuses("the proxy without a name", call.ask_from("127.0.0.2", &[PROXY_SECRET, LEADS]));
        let nobody = [PROXY_SECRET, NAMED, ("remote-groups", "strangers")];
        call.admits("the proxy's stranger", call.ask_from("127.0.0.2", &nobody), OwnPage);
        let trainee = [PROXY_SECRET, NAMED, ("remote-groups", "trainees")];
        call.admits("the proxy's viewer", call.ask_from("127.0.0.2", &trainee), Viewer);
        call.admits("the proxy's operator", call.ask_from("127.0.0.2", &proxied), Operator);

        call.admits("a viewer", call.ask(&viewer.headers()[..2]), Viewer);
        let own = format!("http://{}", program.admin);
        let page = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
        call.admits("an operator", call.ask(&[&operator.headers()[..2], &page].concat()), Operator);
        call.admits("the key file", call.ask(&key), KeyFile);
        let status = call.ask(&[("authorization", &other.proof())]);
        let is_whole = *name != "GET /healthz" && WHOLE.iter().any(|part| name.contains(part));
        if name.contains("{app}") || is_whole {
            assert_eq!(status, 403, "{name}, an operator of another app");
        } else {
            call.admits("an operator of another app", status, Operator);
        }
    }
    let refused =
        |reason: &str| program.metric(&format!("rollcall_admin_refused_total{{reason=\"{reason}\"}}"));
    for reason in ["host", "page", "unauthorized", "forbidden"] {
        assert!(refused(reason) > 0.0, "{reason}");
    }
}
