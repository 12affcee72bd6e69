//! The console's files, as `web/console/` has them. `index.html` names the others under an address with a hash of them
//! all, so a browser asks for each of them once. They show nobody: no operator is needed for them.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use super::error::ApiError;
use super::web_file::{self, Caching};

/// In `index.html`, the folder of the other files.
const FOLDER: &str = "VERSION/";

const INDEX: &str = include_str!("../../web/console/index.html");

/// Files of `web/console/`: the name and the content of each.
macro_rules! files {
    ($($name:literal)+) => {
        &[$(($name, include_bytes!(concat!("../../web/console/", $name)))),+]
    };
}

/// All files but `index.html`. A test compares the list with the folder.
const FILES: &[(&str, &[u8])] = files! {
    "api.js"
    "app.js"
    "icon.svg"
    "icons.svg"
    "keys.js"
    "request.js"
    "state.js"
    "stream.js"
    "pages/asof.js"
    "pages/audit.js"
    "pages/backups.js"
    "pages/bulk.js"
    "pages/edit.js"
    "pages/event.js"
    "pages/events.js"
    "pages/group.js"
    "pages/health.js"
    "pages/jobs.js"
    "pages/live.js"
    "pages/merge.js"
    "pages/overview.js"
    "pages/profile.js"
    "pages/quarantine.js"
    "pages/segments.js"
    "pages/settings.js"
    "pages/signin.js"
    "pages/timeline.js"
    "pages/user.js"
    "pages/users.js"
    "parts/change.js"
    "parts/changes.js"
    "parts/curl.js"
    "parts/dialog.js"
    "parts/filters.js"
    "parts/job.js"
    "parts/json.js"
    "parts/load.js"
    "parts/page.js"
    "parts/pager.js"
    "parts/text.js"
    "parts/time.js"
    "style/console.css"
    "style/tokens.css"
    "vendor/preact.js"
};

/// The hash of all files, in hexadecimal.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, content) in FILES {
        hash.update(name);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

static PAGE: LazyLock<String> = LazyLock::new(|| INDEX.replace(FOLDER, &format!("{}/", *VERSION)));

/// The addresses of the console's files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(lead_there))
        .route("/console", get(lead_there))
        .route("/console/", get(page))
        .route("/console/{version}/{file}", get(file))
        .route("/console/{version}/{folder}/{file}", get(file_of_folder))
}

/// GET `/` and `/console`: the address of the console, relative, for a path prefix of a proxy.
async fn lead_there() -> Response {
    let mut response = web_file::answer("index.html", "", Caching::Ask);
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("console/"));
    response
}

async fn page() -> Response {
    web_file::answer("index.html", PAGE.as_str(), Caching::Ask)
}

async fn file(Path((version, name)): Path<(String, String)>) -> Response {
    find(&version, &name)
}

async fn file_of_folder(Path((version, folder, name)): Path<(String, String, String)>) -> Response {
    find(&version, &format!("{folder}/{name}"))
}

fn find(version: &str, name: &str) -> Response {
    let found = FILES.iter().find(|(known, _)| *known == name).filter(|_| version == *VERSION);
    match found {
        Some((name, content)) => web_file::answer(name, *content, Caching::Forever),
        None => {
            ApiError::not_found("The console has no such file; open it again at /console/").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Files of the folder for those who change it.
    const NOT_SERVED: [&str; 10] = [
        "index.html",
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        "biome.json",
        "types.mjs",
        "calls.d.ts",
        "vendor/README.md",
        "vendor/preact.d.ts",
        "vendor/preact.entry.js",
    ];

    fn names_below(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true if ["node_modules", "types"].contains(&&*name) => {}
                true => names_below(&entry.path(), &format!("{name}/"), found),
                false => assert!(found.insert(name)),
            }
        }
    }

    fn text(content: &[u8]) -> &str {
        std::str::from_utf8(content).unwrap()
    }

    #[test]
    fn the_list_is_the_folder() {
        let mut there = BTreeSet::new();
        names_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("web/console"), "", &mut there);
        for name in NOT_SERVED {
            assert!(there.remove(name), "{name} is not there");
        }
        let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, there);
    }

    #[test]
    fn the_files_are_few_small_and_short() {
        let bytes: usize = FILES.iter().map(|(_, content)| content.len()).sum();
        assert!(bytes + INDEX.len() <= 300 * 1024, "{bytes} bytes");
        assert!(FILES.len() < 45, "{} requests, and one for the page", FILES.len());
        for (name, content) in FILES.iter().filter(|(name, _)| !name.starts_with("vendor/")) {
            let lines = text(content).lines().count();
            assert!(lines <= 400, "{name} has {lines} lines");
        }
        let icons = FILES.iter().find(|(name, _)| *name == "icons.svg").unwrap().1;
        assert!(text(icons).matches("<symbol").count() <= 20);
    }

    #[test]
    fn every_file_is_asked_for_by_another_one() {
        let all: String = FILES.iter().map(|(_, content)| text(content)).chain([INDEX]).collect();
        for (name, _) in FILES {
            let last = name.rsplit('/').next().unwrap();
            assert!(all.contains(&format!("/{last}\"")), "nothing asks for {name}");
        }
    }

    /// The policy refuses some of these in a browser; here each is found before.
    #[test]
    fn no_file_makes_html_of_text_or_asks_elsewhere() {
        let own = FILES.iter().filter(|(name, _)| !name.starts_with("vendor/"));
        for (name, content) in
            own.map(|(name, content)| (*name, text(content))).chain([("index.html", INDEX)])
        {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacent",
                "document.write",
                "eval(",
                "new Function",
                "https://",
                "style=\"",
                "onclick=",
                "javascript:",
            ] {
                assert!(!content.contains(word), "{name} has {word}");
            }
            let elsewhere = content.replace("http://www.w3.org/2000/svg", "").contains("http://");
            assert!(!elsewhere, "{name} names an address");
        }
    }
}
