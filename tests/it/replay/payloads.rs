//! Which payloads `rollcall replay` finds, how it reads them, and for which app it signs them.

use std::os::unix::fs::symlink;

use crate::operator_commands::{Ran, run, run_alone};
use crate::support::{APP, Home, Program, first_message};

fn replay(home: &Home, program: &Program, args: &[&str]) -> Ran {
    run(home, program, &[&["replay", "--concurrency", "1"], args].concat())
}

/// The app users, in the order in which their first webhook came.
fn order(home: &Home) -> Vec<String> {
    let listed = run_alone(home, &["journal", "list", "--json", "--oldest-first", "--limit", "0"]).well();
    listed.lines().iter().map(|line| line["users"][0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_folder_is_searched_in_the_order_of_names() {
    let home = Home::new();
    let program = home.start();
    let folder = home.path().join("recorded");
    for sub in ["b/deep", "b/none"] {
        std::fs::create_dir_all(folder.join(sub)).unwrap();
    }
    for name in ["c.JSON", "a.JsonL", "b/z.json", "b/deep/y.json", "README.md", ".hidden.json", "b/.git"] {
        std::fs::write(folder.join(name), first_message(name, 1.0)).unwrap();
    }
    symlink(&folder, folder.join("b/up.json")).unwrap();
    let ran = replay(&home, &program, &["--json", "recorded"]).well();
    let passed_over =
        serde_json::json!({ "a link to a folder": 1, "hidden": 2, "neither .json nor .jsonl": 1 });
    assert_eq!(ran.lines()[0]["passedOver"], passed_over, "{ran:?}");
    assert_eq!(order(&home), ["a.JsonL", "b/deep/y.json", "b/z.json", "c.JSON"]);
    // What is named comes in the order of naming, whatever it is called.
    let named = ["recorded/c.JSON", "recorded/README.md", "recorded/b/none", "lost.json", "lost.jsonl"];
    let ran = replay(&home, &program, &[&["--json"], &named[..]].concat());
    let not_sent = serde_json::json!({ "empty folder": 1, "unreadable": 2 });
    assert_eq!((ran.code, &ran.lines()[0]["notSent"]), (Some(1), &not_sent), "{ran:?}");
    assert_eq!(order(&home)[4..], ["README.md"]);
}

#[test]
fn bodies_are_the_bytes_that_were_recorded() {
    let home = Home::new();
    let program = home.start();
    let [one, two] = ["one", "two"].map(|id| first_message(id, 1.0).replace('{', " { "));
    std::fs::write(home.path().join("1.json"), format!("{one}\r\n")).unwrap();
    let lines = [format!("{two} \n\n{{\"c\":\"").as_bytes(), b"\xff\"}\r\n  \r\n[]"].concat();
    std::fs::write(home.path().join("2.jsonl"), lines).unwrap();
    let ran = replay(&home, &program, &["--app", APP, "1.json", "2.jsonl"]).well();
    assert!(ran.out.contains("sent 4 in ") && ran.out.contains("of these in quarantine: 2"), "{ran:?}");
    for (seq, body) in [("1", format!("{one}\r\n")), ("2", format!("{two} "))] {
        assert_eq!(run_alone(&home, &["journal", "show", seq, "--body"]).well().out, body);
    }
    let odd = home.command(&["quarantine", "show", "1", "--body"]).output().unwrap().stdout;
    assert_eq!(odd, b"{\"c\":\"\xff\"}");
    assert_eq!(run_alone(&home, &["quarantine", "show", "2", "--body"]).well().out, "[]");
}

#[test]
fn a_line_that_is_too_large_is_named_and_the_next_one_is_sent() {
    let home = Home::with("[limits]\nwebhook_body = \"32MiB\"\n[ingest]\nqueue_bytes = \"64MiB\"");
    let program = home.start();
    const LARGEST: usize = 16 << 20;
    let (large, larger) = ("1".repeat(LARGEST), "2".repeat(LARGEST + 5));
    std::fs::write(home.path().join("x.jsonl"), format!("{large}\r\n{larger}\n3\n")).unwrap();
    let ran = replay(&home, &program, &["x.jsonl"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.err, "x.jsonl:2: not sent: larger than 16 MiB\n");
    assert!(ran.out.contains("sent 2 in ") && ran.out.contains("of these in quarantine: 2"), "{ran:?}");
    assert!(ran.out.contains("not sent, too large: 1"), "{ran:?}");
}

#[test]
fn the_app_that_a_payload_names_signs_it() {
    let app = |id: &str| {
        format!("[[apps]]\nid = \"{id}\"\nwebhook_secrets = [\"secret of {id}\", \"old secret of {id}\"]\n")
    };
    let home = Home::with(&(app("one") + &app("two")));
    let program = home.start();
    let sent = |args: &[&str], body: &str| {
        std::fs::write(home.path().join("body.json"), body).unwrap();
        replay(&home, &program, &[args, &["body.json"]].concat())
    };
    let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for body in [
        r#"{"app":{"_id":"one"}}"#,
        r#"{"x":[],"app":{"name":"\ud83d","id":"two"}}"#,
        &format!(r#"{{"deep":{},"text":"\ud83d","app":{{"_id":"one"}}}}"#, deep(100_000)),
        "\u{feff}{\"app\":{\"id\":\"one\"}}",
    ] {
        sent(&[], body).well();
    }
    for (body, says) in [
        (r#"{"app":{"_id":"three"}}"#, "names the app \"three\", which is not in the settings"),
        (r#"{"app":{"_id":7}}"#, "names the app \"7\", which is not in the settings"),
        ("{}", "names no app, and the settings have several"),
        ("[]", "names no app, and the settings have several"),
        ("\"{}\"", "names no app, and the settings have several"),
        (r#"{"app":null}"#, "names no app, and the settings have several"),
        (r#"{"app":"one"}"#, "names no app, and the settings have several"),
        (r#"{"app":{"_id":""}}"#, "names no app, and the settings have several"),
        (r#"{"\ud83d":1}"#, "names no app, and the settings have several"),
        (&deep(100_000), "names no app, and the settings have several"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{} {}", "not JSON"),
        ("nonsense", "not JSON"),
        (r#"{"app":{"_id":"one"}"#, "not JSON"),
    ] {
        let ran = sent(&[], body);
        assert_eq!(ran.code, Some(1), "{body:.40}: {ran:?}");
        assert!(ran.err.starts_with(&format!("body.json: not sent: {says}")), "{body:.40}: {ran:?}");
    }
    // A chosen app signs everything.
    for body in ["{}", r#"{"app":{"_id":"two"}}"#] {
        sent(&["--app", "two"], body).well();
    }
    for body in [r#"{"app":{"_id":"one"}}"#, r#"{"app":{"_id":"three"}}"#] {
        let ran = sent(&["--app", "two"], body);
        assert!(ran.err.starts_with("body.json: 401 Unauthorized: "), "{body}: {ran:?}");
    }
    assert!(sent(&["--app", "two"], "{").err.contains("not sent: not JSON"));
    let unknown = sent(&["--app", "three"], "{}");
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("there is no app \"three\"; the settings have one, two"), "{unknown:?}");
}

#[test]
fn a_secret_of_any_form_signs_as_the_target_reads_it() {
    for secret in ["whsec_AAAA", "whsec_AAA=", "whsec_", "whsec_not base64", "plain"] {
        let home = Home::with(&format!("[[apps]]\nid = \"{APP}\"\nwebhook_secrets = [\"{secret}\"]\n"));
        let program = home.start();
        std::fs::write(home.path().join("body.json"), "{}").unwrap();
        for scheme in ["api-key", "hmac", "standard-webhooks", "svix"] {
            let ran = replay(&home, &program, &["--sign", scheme, "body.json"]);
            assert_eq!(ran.code, Some(0), "{secret} {scheme}: {ran:?}");
        }
    }
}

#[test]
fn nonsensical_options_are_refused_and_the_defaults_are_smoochs() {
    let home = Home::new();
    for (line, says) in [
        ("", "<PATH>..."),
        ("--rate 0 x", "--rate"),
        ("--repeat 0 x", "--repeat"),
        ("--concurrency 0 x", "1..=1024"),
        ("--to localhost:8787 x", "must begin with http:// or https://"),
        ("--to /webhooks x", "not a URL"),
        ("--sign md5 x", "possible values: api-key, hmac"),
        ("--timeout 0s x", "more than zero"),
    ] {
        let args: Vec<&str> = std::iter::once("replay").chain(line.split_whitespace()).collect();
        let ran = run_alone(&home, &args);
        assert!(ran.code == Some(2) && ran.err.contains(says), "{line}: {ran:?}");
    }
    let help = run_alone(&home, &["replay", "--help"]).well().out;
    for default in ["[default: 20s]", "[default: api-key]", "[default: 4]", "[default: 1]"] {
        assert!(help.contains(default), "{default}: {help}");
    }
}
