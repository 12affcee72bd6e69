//! `/openapi.json`, and `/docs` to read it in a browser.
//!
//! The document is written by hand in `openapi/`, one file for each area of paths. This module expands
//! the parts written once: each path under every base, the app in the path, and the answers common to an
//! area. The examples are the calls of `openapi/calls.json`, which a test runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answers::json as answer;
use super::reads;
use super::web_file::{self, Caching};

const HEAD: &str = include_str!("../../openapi/head.json");
const SCHEMAS: [&str; 2] =
    [include_str!("../../openapi/schemas.json"), include_str!("../../openapi/schemas-v2.json")];
const ANSWERS: &str = include_str!("../../openapi/answers.json");
const AREAS: [&str; 13] = [
    include_str!("../../openapi/webhooks.json"),
    include_str!("../../openapi/app-users.json"),
    include_str!("../../openapi/feed.json"),
    include_str!("../../openapi/users.json"),
    include_str!("../../openapi/admin.json"),
    include_str!("../../openapi/upkeep.json"),
    include_str!("../../openapi/operator.json"),
    include_str!("../../openapi/console-files.json"),
    include_str!("../../openapi/journal.json"),
    include_str!("../../openapi/jobs.json"),
    include_str!("../../openapi/console.json"),
    include_str!("../../openapi/audit.json"),
    include_str!("../../openapi/about.json"),
];
const CALLS: &str = include_str!("../../openapi/calls.json");
/// Webhooks that the calls refer to.
const WEBHOOKS: [(&str, &str); 3] = [
    ("v1/message.appUser-full", include_str!("../../fixtures/webhooks/v1/message.appUser-full.json")),
    ("v1.1/merge.appUser-full", include_str!("../../fixtures/webhooks/v1.1/merge.appUser-full.json")),
    (
        "v2/conversation.message-full",
        include_str!("../../fixtures/webhooks/v2/conversation.message-full.json"),
    ),
];

/// The member that names the same call under another base.
const SAME_AS: &str = "x-same-as";

/// The member that describes the database reads of a call: the class of readers and the bound.
const READS: &str = "x-reads";

/// What a call of an operator may also get, by status: an app that they do not see, and a foreign host.
const OF_OPERATORS: [(&str, &str); 2] =
    [("404", "#/components/responses/NotFound"), ("421", "#/components/responses/Misdirected")];

/// The credentials of operators.
fn operator_security() -> [Value; 4] {
    [
        json!({ "operatorKey": [] }),
        json!({ "operatorSecret": [] }),
        json!({ "sessionCookie": [], "sessionHalf": [] }),
        json!({ "proxy": [] }),
    ]
}

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| assemble().expect("what is embedded is JSON; a test assembles it").to_string());

/// The names of the query parameters of each call, such as `GET /appusers`.
static PARAMETERS: LazyLock<HashMap<String, Vec<String>>> =
    LazyLock::new(|| parameters().expect("what is embedded is JSON; a test assembles it"));

/// The OpenAPI 3.1 document of every address of both listeners.
pub fn document() -> &'static str {
    &DOCUMENT
}

/// The names of a call's query parameters. The call has no base: `GET /appusers`.
pub(super) fn query_parameters(call: &str) -> Option<&'static [String]> {
    PARAMETERS.get(call).map(Vec::as_slice)
}

fn parameters() -> serde_json::Result<HashMap<String, Vec<String>>> {
    let head: Value = serde_json::from_str(HEAD)?;
    let name = |parameter: &Value| {
        let shared = parameter["$ref"].as_str().and_then(|place| head.pointer(place.strip_prefix('#')?));
        let parameter = shared.unwrap_or(parameter);
        Some(parameter["name"].as_str()?.to_owned()).filter(|_| parameter["in"] == "query")
    };
    let mut calls = HashMap::new();
    for text in AREAS {
        for (path, item) in serde_json::from_str::<Area>(text)?.paths {
            for (method, call) in item.as_object().into_iter().flatten() {
                let lists =
                    [&call["parameters"], &item["parameters"]].into_iter().filter_map(Value::as_array);
                let names = lists.flatten().filter_map(name).collect();
                calls.insert(format!("{} {path}", method.to_uppercase()), names);
            }
        }
    }
    Ok(calls)
}

pub(super) async fn openapi() -> Response {
    answer(StatusCode::OK, document())
}

pub(super) async fn page() -> Response {
    file("docs.html", include_str!("../../web/docs.html"))
}

pub(super) async fn style() -> Response {
    file("docs.css", include_str!("../../web/docs.css"))
}

/// The colours and fonts, which the console has too.
pub(super) async fn tokens() -> Response {
    file("tokens.css", include_str!("../../web/console/style/tokens.css"))
}

pub(super) async fn icon() -> Response {
    file("icon.svg", include_str!("../../web/console/icon.svg"))
}

pub(super) async fn script() -> Response {
    file("docs.js", include_str!("../../web/docs.js"))
}

fn file(name: &str, text: &'static str) -> Response {
    web_file::answer(name, text, Caching::Ask)
}

/// Paths with common properties.
#[derive(Deserialize)]
struct Area {
    tag: Value,
    /// Their server, if not the public listener.
    servers: Option<Value>,
    /// The credentials of a call that names none itself.
    security: Value,
    /// The answers that every call may get, by status.
    answers: Map<String, Value>,
    /// The bases that the admin listener has too, for operators.
    #[serde(default)]
    of_operators: Vec<String>,
    /// The base of each path, and the suffix that makes its operation ids unique.
    bases: BTreeMap<String, String>,
    paths: Map<String, Value>,
    #[serde(default)]
    schemas: Map<String, Value>,
    #[serde(default)]
    responses: Map<String, Value>,
}

fn assemble() -> serde_json::Result<Value> {
    let mut document: Value = serde_json::from_str(HEAD)?;
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let (mut schemas, mut paths, mut tags) = (Map::new(), Map::new(), Vec::new());
    let mut responses: Map<String, Value> = serde_json::from_str(ANSWERS)?;
    for text in SCHEMAS {
        schemas.extend(serde_json::from_str::<Map<String, Value>>(text)?);
    }
    let areas = AREAS.into_iter().map(serde_json::from_str::<Area>).collect::<Result<Vec<_>, _>>()?;
    let admin: Value = areas.iter().find_map(|area| area.servers.clone()).into();
    for area in areas {
        for (base, suffix) in &area.bases {
            let both = json!([document["servers"][0], admin[0]]);
            let servers = if area.of_operators.contains(base) { Some(&both) } else { area.servers.as_ref() };
            let addresses = area.paths.iter();
            paths.extend(
                addresses.map(|(path, item)| {
                    (format!("{base}{path}"), area.at((base, suffix), path, servers, item))
                }),
            );
        }
        tags.push(area.tag);
        schemas.extend(area.schemas);
        responses.extend(area.responses);
    }
    let examples = insert_examples(&mut paths, &responses)?;
    let calls = paths.values_mut().filter_map(Value::as_object_mut).flatten();
    let answers = calls.filter_map(|(_, call)| call.get_mut("responses")?.as_object_mut());
    answers.chain([&mut responses]).flat_map(Map::values_mut).for_each(add_request_id_header);
    let components = &mut document["components"];
    components["schemas"] = schemas.into();
    components["responses"] = responses.into();
    components["examples"] = examples.into();
    document["tags"] = tags.into();
    document["paths"] = paths.into();
    Ok(document)
}

impl Area {
    /// A path item under a base.
    fn at(&self, (base, suffix): (&str, &str), path: &str, servers: Option<&Value>, item: &Value) -> Value {
        let mut item = item.clone();
        if base.contains("{app}") {
            let mut parameters = vec![json!({ "$ref": "#/components/parameters/app" })];
            parameters.extend(item["parameters"].as_array().into_iter().flatten().cloned());
            item["parameters"] = parameters.into();
        }
        if let Some(servers) = servers {
            item["servers"] = servers.clone();
        }
        let of_operators = self.of_operators.iter().any(|one| one == base).then_some(OF_OPERATORS);
        let calls = item.as_object_mut().into_iter().flatten();
        for (method, call) in calls.filter_map(|(method, call)| Some((method, call.as_object_mut()?))) {
            if let Some(reads) = reads::of_call(&format!("{} {path}", method.to_uppercase())) {
                call.insert(READS.to_owned(), reads);
            }
            call.insert("tags".to_owned(), json!([self.tag["name"]]));
            let security = call.entry("security").or_insert_with(|| self.security.clone());
            if let Some(security) = security.as_array_mut().filter(|_| of_operators.is_some()) {
                security.extend(operator_security());
            }
            if let Some(answers) = call.get_mut("responses").and_then(Value::as_object_mut) {
                for (status, answer) in &self.answers {
                    answers.entry(status).or_insert_with(|| answer.clone());
                }
                for (status, answer) in of_operators.into_iter().flatten() {
                    answers.entry(status).or_insert_with(|| json!({ "$ref": answer }));
                }
            }
            let name = call["operationId"].as_str().unwrap_or_default().to_owned();
            if !suffix.is_empty() {
                call.insert("operationId".to_owned(), format!("{name}{suffix}").into());
                call.insert(SAME_AS.to_owned(), name.into());
            }
        }
        item
    }
}

/// A call of `openapi/calls.json`, and its answer.
#[derive(Deserialize)]
struct Example {
    /// Its `operationId`.
    call: String,
    title: String,
    /// The name of the webhook that is its body.
    webhook: Option<String>,
    body: Option<Value>,
    status: u16,
    answer: Option<Value>,
}

/// Adds each example to its call, under every base. Returns the examples by name.
fn insert_examples(
    paths: &mut Map<String, Value>,
    responses: &Map<String, Value>,
) -> serde_json::Result<Map<String, Value>> {
    let mut examples = Map::new();
    for (n, example) in serde_json::from_str::<Vec<Example>>(CALLS)?.into_iter().enumerate() {
        let webhook = WEBHOOKS.iter().find(|(name, _)| example.webhook.as_deref() == Some(name));
        let webhook = webhook.map(|(_, text)| serde_json::from_str(text)).transpose()?;
        let (asked, answered) = (format!("{}-{n}", example.call), format!("{}-{n}-answer", example.call));
        let calls = paths.values_mut().filter_map(Value::as_object_mut).flatten().map(|(_, call)| call);
        for call in
            calls.filter(|call| call["operationId"] == *example.call || call[SAME_AS] == *example.call)
        {
            call.get_mut("requestBody").into_iter().for_each(|body| add_example(body, &asked));
            let Some(response) = call["responses"].get_mut(example.status.to_string()) else { continue };
            let shared = response["$ref"].as_str().and_then(|place| responses.get(place.rsplit('/').next()?));
            if let Some(shared) = shared {
                *response = shared.clone();
            }
            add_example(response, &answered);
        }
        for (name, value) in [(asked, example.body.or(webhook)), (answered, example.answer)] {
            if let Some(value) = value {
                examples.insert(name, json!({ "summary": example.title, "value": value }));
            }
        }
    }
    Ok(examples)
}

/// Adds the headers that every answer has.
fn add_request_id_header(response: &mut Value) {
    if response.get("$ref").is_none() {
        response["headers"]["X-Request-Id"] = json!({ "$ref": "#/components/headers/RequestId" });
    }
}

fn add_example(body: &mut Value, name: &str) {
    if let Some(content) = body.pointer_mut("/content/application~1json") {
        content["examples"][name] = json!({ "$ref": format!("#/components/examples/{name}") });
    }
}
