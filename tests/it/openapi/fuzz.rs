//! Schemathesis, from PyPI, sends the real program requests that the document allows and many that it does not. No
//! answer may be a fault, have a status that the document does not list, or another shape.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::calls;
use crate::support::{
    APP, Home, KEY_ID, KEY_SECRET, Program, SECRET, basic, fits, fixtures, installed, proof_of, request,
    require,
};

/// A method, a path, and the status of the answer.
type Asked = (String, String, u64);

/// Asks a listener about the calls that `chosen` picks, with headers, a line each.
fn fuzz(
    home: &Home,
    program: &Program,
    listener: SocketAddr,
    chosen: &[&str],
    headers: &str,
    cases: &str,
) -> Vec<Asked> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("schemathesis");
    command.args(["--config-file"]).arg(root.join("tests/schemathesis.toml"));
    command.arg("run").arg(format!("http://{}/openapi.json", program.listen));
    command.args(["--url", &format!("http://{listener}"), "--max-examples", cases, "--workers", "1"]);
    command
        .args(["--generation-database", "none", "--warnings", "off", "--suppress-health-check", "all"])
        .args(chosen);
    let report = home.path().join("asked.har");
    headers.lines().for_each(|header| _ = command.args(["--header", header]));
    command.arg("--report-har-path").arg(&report);
    // It writes its findings to its working directory.
    let run = command.current_dir(home.path()).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let wrong = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{chosen:?}: {}\n{said}{wrong}", run.status);
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let asked = report["log"]["entries"].as_array().unwrap().iter().map(|entry| {
        let (request, status) = (&entry["request"], entry["response"]["status"].as_u64().unwrap());
        let target = request["url"].as_str().unwrap().splitn(4, '/').nth(3).unwrap();
        let path = format!("/{}", target.split('?').next().unwrap());
        (request["method"].as_str().unwrap().to_owned(), path, status)
    });
    asked.collect()
}

#[test]
fn every_request_is_answered_as_documented() {
    require!(installed("schemathesis"));
    let home = Home::new();
    let program = home.start();
    for name in ["v1/message.appUser-full", "v1.1/merge.appUser-full", "v2/conversation.message-full"] {
        let body = std::fs::read(fixtures().join(format!("webhooks/{name}.json"))).unwrap();
        assert_eq!(program.webhook(body).status, 200, "{name}");
    }
    let key = format!("authorization: {}", basic(KEY_ID, KEY_SECRET));
    let public = |chosen: &[&str], header: &str, cases: &str| {
        fuzz(&home, &program, program.listen, chosen, header, cases)
    };
    public(&["--include-tag", "Webhooks"], &format!("x-api-key: {SECRET}"), "60");
    // The other bases of v1 lead to the same handlers; a device asks at one of them.
    public(&["--include-path-regex", "^/v1/(init|appusers|changes)"], "app-token: demo-app-token", "5");
    let app =
        ["--include-path-regex", "^/(v1.1|v2)/apps/", "--exclude-operation-id-regex", "^delete(App)?User"];
    // Only one pair can be taken apart, and random names hardly ever meet it.
    let (one, other) = ("5c661707415173e9572336a6", "5c895e33fccc7331f37ce110");
    let call = |path: String, body: Value| {
        let headers = [("authorization", &*basic(KEY_ID, KEY_SECRET))];
        let path = format!("/v1.1/apps/{APP}/appusers/{path}");
        let status = program.request("POST", &path, &headers, body.to_string().as_bytes()).status;
        ("POST".to_owned(), path, u64::from(status))
    };
    let discarded = json!({ "_id": other });
    let apart = call(format!("{one}/unmerge"), json!({ "discarded": discarded }));
    call("merge".to_owned(), json!({ "surviving": { "_id": one }, "discarded": discarded }));
    let mut asked = public(&app, &key, "25");
    asked.push(apart);
    asked.extend(public(&["--include-operation-id", "deleteUser"], &key, "5"));
    // Another app user by the names of removed ones.
    for name in ["cust-070087", "cust-316861"] {
        let body = serde_json::json!({ "userId": name }).to_string();
        let made = program.request(
            "POST",
            "/v1/appusers",
            &[("authorization", &basic(KEY_ID, KEY_SECRET))],
            body.as_bytes(),
        );
        assert!([201, 409].contains(&made.status), "{made:?}");
    }
    asked.extend(public(&["--include-operation-id", "deleteAppUserOfAppV11"], &key, "5"));
    public(&["--include-tag", "This document"], "accept: */*", "5");
    let admin = |chosen: &[&str], header: &str| fuzz(&home, &program, program.admin, chosen, header, "5");
    admin(&["--include-tag", "Health and metrics"], "accept: */*");
    let key = format!("authorization: {}", proof_of(program.admin).unwrap());
    admin(&["--include-operation-id", "importAppUsers"], &key);
    admin(&["--include-tag", "Console"], &key);
    // The operator's calls as a page makes them: with both halves of a session. A stream does not end by itself, and the
    // session is to last.
    let session = program.sign_in("operator");
    let halves: Vec<String> =
        session.headers()[..2].iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let not_these = ["--exclude-operation-id", "followJournal"];
    for tag in ["Operators", "Journal and quarantine", "Jobs and segments", "Audit log"] {
        admin(&[&["--include-tag", tag], &not_these[..]].concat(), &halves.join("\n"));
    }
    admin(&["--include-path-regex", "^/v1/apps/"], &halves.join("\n"));
    admin(&["--include-operation-id", "rebuild"], &halves.join("\n"));
    assert_eq!(request(program.admin, "GET", "/session", &session.headers(), b"").unwrap().status, 200);
    for (path, method, call, _) in
        calls().filter(|(path, ..)| ["/v1.1/apps/", "/v2/"].iter().any(|base| path.starts_with(base)))
    {
        let template: Vec<&str> = path.split('/').collect();
        let good = asked.iter().any(|(by, path, status)| {
            by.eq_ignore_ascii_case(method)
                && fits(&template, &path.split('/').collect::<Vec<_>>())
                && [200, 201].contains(status)
        });
        assert!(good, "{} was never asked so that it succeeded", call["operationId"]);
    }
    program.stop();
}
