//! Every answer that a test gets is one that `/openapi.json` describes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::Answer;

/// The document, as the program serves it.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(rollcall::http::openapi::document()).unwrap());

/// The methods that an address can have.
pub const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The admin listeners of the programs that run, each with the folder of its database and, if that is not its key, what requests
/// prove themselves with; every other address is a public one.
type AdminListeners = HashMap<SocketAddr, (PathBuf, Option<String>)>;
static ADMIN: LazyLock<Mutex<AdminListeners>> = LazyLock::new(Mutex::default);

/// Registers the listeners of a program, which has its database in this folder.
pub fn listeners(public: SocketAddr, admin: SocketAddr, folder: &Path) {
    let mut known = ADMIN.lock().unwrap();
    // A port may have been another program's.
    known.remove(&public);
    known.insert(admin, (folder.to_owned(), None));
}

/// Has requests to an admin listener prove themselves with this `Authorization`, in place of the key.
pub fn prove(admin: SocketAddr, authorization: String) {
    ADMIN.lock().unwrap().get_mut(&admin).expect("it is registered").1 = Some(authorization);
}

/// The `Authorization` of requests to an admin listener.
pub fn proof_of(admin: SocketAddr) -> Option<String> {
    let own = ADMIN.lock().unwrap().get(&admin)?.1.clone();
    own.or_else(|| Some(format!("Bearer {}", key_of(admin)?)))
}

/// The key of the program with this admin listener: the content of the key file in its folder.
pub fn key_of(admin: SocketAddr) -> Option<String> {
    let (folder, _) = ADMIN.lock().unwrap().get(&admin).cloned()?;
    let mut files = std::fs::read_dir(folder).ok()?.map_while(Result::ok).map(|file| file.path());
    let key = files.find(|path| path.to_string_lossy().ends_with(".db-key"))?;
    Some(std::fs::read_to_string(key).ok()?.trim().to_owned())
}

/// Headers that say something about the message only, or are browsers' business.
const OF_MESSAGES: [&str; 7] =
    ["content-type", "content-length", "transfer-encoding", "connection", "date", "cache-control", "vary"];

/// Fails unless the document describes this answer.
pub fn check(to: SocketAddr, method: &str, target: &str, answer: &Answer) {
    let path = target.split('?').next().unwrap_or_default();
    let length = answer.header("content-length").and_then(|length| length.parse().ok());
    if length.is_some_and(|length: usize| answer.text.len() < length && method != "HEAD") {
        return; // It was broken off.
    }
    let response = described(to, method, path, answer.status);
    let response = response.unwrap_or_else(|| panic!("{method} {path}: not in the document: {answer:?}"));
    if let Err(wrong) = conforms(response, method, answer) {
        panic!("{method} {path}: {wrong}: {answer:?}");
    }
}

/// The document's description of an answer.
fn described(to: SocketAddr, method: &str, path: &str, status: u16) -> Option<&'static Value> {
    let method = if method == "HEAD" { "GET" } else { method };
    let trimmed = path.trim_end_matches('/');
    // No id follows these words.
    let path =
        if ["channels", "history"].iter().any(|word| trimmed.ends_with(word)) { trimmed } else { path };
    let items = templates(path, ADMIN.lock().unwrap().contains_key(&to));
    let known = METHODS.iter().find(|known| known.to_uppercase() == method);
    let call = known.and_then(|method| items.iter().find_map(|item| item.get(method)));
    if let Some(call) = call.filter(|_| status != 404 || !path.ends_with('/')) {
        return call["responses"].get(status.to_string()).map(resolve);
    }
    let name = match (items.is_empty(), status) {
        // Also where an id with slashes would fit, had it such a method.
        (_, 404) => "NotFound",
        (false, 405) => "MethodNotAllowed",
        // The preflight request of a browser.
        (false, 200) if method == "OPTIONS" => return DOCUMENT.pointer("/components/responses/Empty"),
        (_, 415) => "UnsupportedMediaType",
        (_, 503) => "Unavailable",
        _ => return None,
    };
    let version = if path.starts_with("/v2/") { "V2" } else { "" };
    DOCUMENT.pointer(&format!("/components/responses/{version}{name}"))
}

/// The document's templates for an address of a listener, the closest first.
fn templates(path: &str, admin: bool) -> Vec<&'static Value> {
    // At the target a slash may be encoded; in an id it is no slash.
    let lower = path.to_lowercase();
    let encoded = ["webhooks%2f", "%2fwebhooks"].iter().any(|target| lower.contains(target));
    let path = if encoded { lower.replace("%2f", "/") } else { path.to_owned() };
    let word = |word| percent_decode_str(word).decode_utf8_lossy().trim().to_lowercase();
    let written = path.split('/').map(|given| match word(given) {
        known if known == "appusers" || known == "webhooks" => known,
        _ => given.to_owned(),
    });
    let written: Vec<String> = written.collect();
    let path: Vec<&str> = written.iter().map(String::as_str).collect();
    let found = templates_as_written(&path, admin);
    if !found.is_empty() {
        return found;
    }
    // With a slash too many somewhere.
    let words: Vec<&str> = path.into_iter().filter(|word| !word.is_empty()).collect();
    templates_as_written(&[&[""], &*words].concat(), admin)
}

fn templates_as_written(path: &[&str], admin: bool) -> Vec<&'static Value> {
    let mut found: Vec<_> = DOCUMENT["paths"].as_object().unwrap().iter().collect();
    found.retain(|(_, item)| is_on(item, admin));
    found.sort_by_key(|(template, _)| {
        std::cmp::Reverse(template.split('/').filter(|word| !word.starts_with('{')).count())
    });
    let fitting = |fits: fn(&[&str], &[&str]) -> bool| {
        let found = found.iter().filter(|(template, _)| fits(&template.split('/').collect::<Vec<_>>(), path));
        found.map(|(_, item)| *item).collect::<Vec<_>>()
    };
    let exact = fitting(fits);
    if exact.is_empty() { fitting(fits_with_slashes) } else { exact }
}

/// True if the document has this path item on the admin listener, or else on the public one; it may be on both.
pub fn is_on(item: &Value, admin: bool) -> bool {
    let Some(servers) = item["servers"].as_array() else { return !admin };
    servers.iter().any(|server| (server["url"] != "/") == admin)
}

/// True if a path of the document matches an address, segment by segment.
pub fn fits(template: &[&str], path: &[&str]) -> bool {
    let same = |(word, given): (&&str, &&str)| word == given || word.starts_with('{') && !given.is_empty();
    template.len() == path.len() && template.iter().zip(path).all(same)
}

/// True if it matches when the id of an app user contains unescaped slashes.
fn fits_with_slashes(template: &[&str], path: &[&str]) -> bool {
    let Some(at) = template.iter().position(|word| *word == "appusers").map(|at| at + 1) else {
        return false;
    };
    let Some(more) = path.len().checked_sub(template.len()).filter(|_| template.get(at) == Some(&"{id}"))
    else {
        return false;
    };
    let id = path[at..=at + more].join("/");
    fits(template, &[&path[..at], &[&id], &path[at + more + 1..]].concat())
}

/// The target of a `$ref`.
pub fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(place) => resolve(DOCUMENT.pointer(&place[1..]).unwrap_or_else(|| panic!("{place} is nowhere"))),
        None => value,
    }
}

fn conforms(response: &'static Value, method: &str, answer: &Answer) -> Result<(), String> {
    let headers: Vec<_> = response["headers"].as_object().into_iter().flatten().collect();
    for (name, header) in &headers {
        let header = resolve(header);
        match answer.header(&name.to_lowercase()) {
            Some(value) => {
                valid(&header["schema"], &value.into()).map_err(|wrong| format!("{name}: {wrong}"))?;
            }
            None if header["required"] == true => return Err(format!("{name} is missing")),
            None => {}
        }
    }
    let documented = |name: &str| headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
    let mut names = answer.headers.iter().map(|(name, _)| name.as_str());
    let own = |name: &&str| {
        !OF_MESSAGES.contains(name)
            && !name.starts_with("access-control-")
            && (*name, method) != ("allow", "OPTIONS")
    };
    if let Some(name) = names.find(|name| own(name) && !documented(name)) {
        return Err(format!("{name} is not in the document"));
    }
    if method == "HEAD" {
        return Ok(());
    }
    let kind = answer.header("content-type");
    match (response.get("content"), kind) {
        (None, None) if answer.text.is_empty() => Ok(()),
        (Some(content), Some(kind)) => {
            let body = content.get(kind).ok_or_else(|| format!("{kind} is not in the document"))?;
            if kind != "application/json" {
                return Ok(());
            }
            let text = match serde_json::from_str(&answer.text) {
                Ok(text) => text,
                // Numbers are shown as they came, and some are beyond this reader.
                Err(error) if error.to_string().starts_with("number out of range") => return Ok(()),
                Err(error) => return Err(error.to_string()),
            };
            valid(&body["schema"], &text)
        }
        (content, kind) => Err(format!("{kind:?} instead of {content:?}")),
    }
}

/// Checks a value against a schema of the document.
pub fn valid(schema: &Value, value: &Value) -> Result<(), String> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let validator = KNOWN
        .lock()
        .unwrap()
        .entry(schema.to_string())
        .or_insert_with(|| {
            let components = json!({ "schemas": DOCUMENT["components"]["schemas"] });
            let whole = json!({ "allOf": [schema], "components": components });
            Arc::new(jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{schema}: {error}")))
        })
        .clone();
    let wrong = validator.iter_errors(value).map(|error| format!("{} {error}", error.instance_path())).next();
    wrong.map_or(Ok(()), Err)
}
