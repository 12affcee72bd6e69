//! The examples of the document are real calls: `openapi/calls.json` is played again. `ROLLCALL_RECORD=1` records the
//! answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::calls;
use crate::support::{
    APP, DOCUMENT, Home, KEY_ID, KEY_SECRET, Program, SECRET, basic, encoded, fixtures, is_on, request, until,
};

/// The calls.
fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/calls.json")
}

/// Makes a call of the file.
fn play(program: &Program, example: &Value, ids: &HashMap<String, String>) -> (u16, Value) {
    let name = example["call"].as_str().unwrap();
    let found = calls().find(|(_, _, call, _)| call["operationId"] == name);
    let (path, method, call, item) = found.unwrap_or_else(|| panic!("{name} is no call"));
    let mut target = path.replace("{app}", APP);
    for (name, value) in example["path"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap();
        let value = ids.get(value).map_or(value, String::as_str);
        target = target.replace(&format!("{{{name}}}"), &encoded(value));
    }
    if let Some(query) = example["query"].as_str() {
        target.push_str(&format!("?{query}"));
    }
    let is_admin = !is_on(item, false);
    let key = basic(KEY_ID, KEY_SECRET);
    let webhook = call["security"][0].get("webhookSecret").is_some();
    let credential = match example["as"].as_str() {
        Some("nobody") => ("x-nothing", ""),
        Some("token") => ("app-token", "demo-app-token"),
        _ if webhook => ("x-api-key", SECRET),
        // The key of the program is sent by itself.
        _ if is_admin => ("x-nothing", ""),
        _ => ("authorization", key.as_str()),
    };
    let mut headers = vec![credential, ("content-type", "application/json")];
    let own = example["headers"].as_object().into_iter().flatten();
    headers.extend(own.map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
    let body = match example["webhook"].as_str() {
        Some(name) => std::fs::read(fixtures().join(format!("webhooks/{name}.json"))).unwrap(),
        None => example.get("body").map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    };
    let listener = if is_admin { program.admin } else { program.listen };
    let answer = request(listener, &method.to_uppercase(), &target, &headers, &body).unwrap();
    if answer.status == 202 {
        let job = answer.header("location").unwrap();
        until("the end of the job", || {
            let job = request(program.admin, "GET", job, &[], b"").unwrap();
            job.json()["state"] != "running"
        });
    }
    (answer.status, answer.json())
}

/// Waits for the first backup of the schedule, and gives it the name in the examples.
fn name_backup(home: &Home) {
    let folder = home.path().join("backups");
    let made = || {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|file| file.path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "db")).collect::<Vec<_>>()
    };
    until("the first backup", || made().len() == 1);
    let name = "rollcall-2026-01-01T00-00-00.000000Z.db";
    std::fs::rename(&made()[0], folder.join(name)).unwrap();
}

/// Members that depend on the machine, the time or the program.
const OF_A_MACHINE: [&str; 5] = ["checks", "uptime", "version", "bytes", "checksum"];

/// Members that hold the epoch of a database, which is random, or a random text.
const RANDOM: [&str; 6] = ["epoch", "next", "after", "half", "requestId", "address"];

/// The length of a sign-in code; a shorter `code` is that of an error.
const SIGN_IN_CODE: usize = 43;

/// An operator, for the calls of the console.
const OPERATOR: &str = "[backup]\nfolder = \"backups\"\n[[console.operators]]\nname = \"ann\"\nrole = \"viewer\"\nsecrets = [\"a secret of sixteen bytes\"]\n";

/// True if two answers are equal except for our times, epochs and generated ids.
fn alike(expected: &Value, given: &Value, ids: &mut HashMap<String, String>) -> bool {
    let is_id = |text: &str| text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_time = |text: &str| text.len() == 24 && text.parse::<jiff::Timestamp>().is_ok();
    match (expected, given) {
        (Value::Object(expected), Value::Object(given)) => {
            expected.len() == given.len()
                && expected.iter().all(|(key, value)| match (value, given.get(key)) {
                    (Value::String(value), Some(Value::String(given)))
                        if RANDOM.contains(&&**key) || key == "code" && value.len() == SIGN_IN_CODE =>
                    {
                        value.len() == given.len()
                    }
                    (_, given) if OF_A_MACHINE.contains(&&**key) => given.is_some(),
                    // The example has some of them.
                    (Value::Array(some), Some(Value::Array(all))) if key == "settings" => {
                        some.iter().all(|one| all.contains(one))
                    }
                    (Value::String(value), Some(Value::String(given)))
                        if value.starts_with("rollcall-20") =>
                    {
                        given.starts_with("rollcall-20")
                    }
                    (value, given) => given.is_some_and(|given| alike(value, given, ids)),
                })
        }
        (Value::Array(expected), Value::Array(given)) => {
            expected.len() == given.len() && expected.iter().zip(given).all(|(a, b)| alike(a, b, ids))
        }
        (Value::String(expected), Value::String(given)) if is_id(expected) && is_id(given) => {
            ids.entry(expected.clone()).or_insert_with(|| given.clone()) == given
        }
        (Value::String(expected), Value::String(given)) => {
            let is_both = |is: &dyn Fn(&str) -> bool| is(expected) && is(given);
            expected == given || is_both(&is_time) || is_both(&|text| text.starts_with("host: "))
        }
        _ => expected == given,
    }
}

#[test]
fn the_examples_equal_the_answers_of_the_program() {
    let file = file();
    let mut examples: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let record = std::env::var_os("ROLLCALL_RECORD").is_some();
    let home = Home::with(OPERATOR);
    let (program, mut ids) = (home.start(), HashMap::new());
    name_backup(&home);
    for example in &mut examples {
        let (status, answer) = play(&program, example, &ids);
        if record {
            alike(&example["answer"], &answer, &mut ids);
            for id in example["path"].as_object_mut().into_iter().flat_map(|path| path.values_mut()) {
                if let Some(now) = id.as_str().and_then(|id| ids.get(id)) {
                    *id = now.clone().into();
                }
            }
            example["status"] = status.into();
            example["answer"] = answer;
            continue;
        }
        let title = format!("{}: {}", example["call"], example["title"]);
        assert_eq!(example["status"], status, "{title}: {answer}");
        assert!(
            alike(&example["answer"], &answer, &mut ids),
            "{title}: {answer}\nis not {}",
            example["answer"]
        );
    }
    if record {
        std::fs::write(file, format!("{}\n", serde_json::to_string_pretty(&examples).unwrap())).unwrap();
    }
}

#[test]
fn every_call_of_json_has_an_example_of_its_success() {
    for (path, method, call, _) in calls().filter(|(_, _, call, _)| call.get("x-same-as").is_none()) {
        let responses = call["responses"].as_object().unwrap().iter();
        let good = responses.filter(|(status, _)| status.starts_with('2'));
        let json = good.filter_map(|(_, response)| response["content"].get("application/json"));
        for content in json.filter(|_| path != "/openapi.json" && path != "/webhooks/{app}") {
            assert!(content["examples"].is_object(), "{method} {path}: no example in openapi/calls.json");
        }
    }
}

#[test]
fn every_example_fits_its_schema_and_every_parameter_is_of_a_fixture() {
    for (path, method, call, _) in calls() {
        let bodies = call["responses"].as_object().unwrap().values().chain(call.get("requestBody"));
        for content in bodies.filter_map(|body| body["content"].get("application/json")) {
            for example in content["examples"].as_object().into_iter().flatten().map(|(_, example)| example) {
                let example = DOCUMENT.pointer(&example["$ref"].as_str().unwrap()[1..]).unwrap();
                let summary = example["summary"].as_str().unwrap();
                if summary != "Not a device" || content["schema"]["$ref"] != "#/components/schemas/Init" {
                    let fits = crate::support::valid(&content["schema"], &example["value"]);
                    assert_eq!(fits, Ok(()), "{method} {path}: {summary}");
                }
            }
        }
    }
    let known = std::fs::read_to_string(file()).unwrap() + &json!(APP).to_string();
    for (name, parameter) in DOCUMENT["components"]["parameters"].as_object().unwrap() {
        let example = parameter.get("example");
        assert!(example.is_none_or(|example| known.contains(&example.to_string())), "{name}");
    }
}
