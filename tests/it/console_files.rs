//! How the console's files are served. What they do is in `browser.rs`.

use crate::support::{Answer, Home, Program};

/// The headers of every file of a page.
fn check_headers(path: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(policy.split(';').any(|one| one.trim() == part), "{path} lacks {part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{path}: {name}");
    }
}

/// The addresses in a page, as a browser resolves them under `/console/`.
fn named(page: &str) -> Vec<String> {
    let quoted = ["src=\"", "href=\""].iter().flat_map(|name| page.split(name).skip(1));
    quoted.map(|text| format!("/console/{}", text.split('"').next().unwrap())).collect()
}

/// Every file that a page and its scripts import, by its address.
fn files(program: &Program) -> Vec<String> {
    let mut found = named(&program.admin("/console/").text);
    let mut next = 0;
    while next < found.len() {
        let from = found[next].clone();
        next += 1;
        if !from.ends_with(".js") {
            continue;
        }
        let script = program.admin(&from).text;
        let imports = script.split("from \"").skip(1).map(|text| text.split('"').next().unwrap().to_owned());
        for import in imports.filter(|import| import.starts_with('.')) {
            let mut folder: Vec<&str> = from.split('/').collect();
            folder.pop();
            for word in import.split('/').filter(|word| *word != ".") {
                if word == ".." { _ = folder.pop() } else { folder.push(word) }
            }
            let address = folder.join("/");
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

#[test]
fn the_root_leads_to_the_console_behind_any_prefix() {
    let program = Home::new().start();
    for path in ["/", "/console"] {
        let answer = program.admin(path);
        assert_eq!((answer.status, answer.header("location")), (307, Some("console/")), "{path}");
        check_headers(path, &answer);
    }
    let page = program.admin("/console/");
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-cache")));
    check_headers("/console/", &page);
    for address in ["src=\"/", "href=\"/", "src=\"http", "href=\"http"] {
        assert!(!page.text.contains(address), "an address that is not relative: {}", page.text);
    }
    assert_eq!(program.get("/console/").status, 404, "not on the public listener");
}

#[test]
fn the_files_of_a_build_have_addresses_of_their_own_and_never_change() {
    let program = Home::new().start();
    let files = files(&program);
    assert!(files.len() > 20 && files.len() < 45, "{files:?}");
    for path in &files {
        let answer = program.admin(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        check_headers(path, &answer);
        let kind = match path.rsplit('.').next().unwrap() {
            "js" => "text/javascript",
            "css" => "text/css",
            _ => "image/svg+xml",
        };
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{path}: {answer:?}");
    }
    let (version, name) = files[0]["/console/".len()..].split_once('/').unwrap();
    for other in [
        format!("/console/{name}"),
        format!("/console/0{version}/{name}"),
        format!("/console/{version}/no.js"),
    ] {
        assert_eq!(program.admin(&other).status, 404, "{other}");
    }
}

#[test]
fn the_documentation_page_has_the_same_policy() {
    let program = Home::new().start();
    for path in ["/docs", "/docs/page.css", "/docs/page.js", "/docs/tokens.css", "/docs/icon.svg"] {
        check_headers(path, &program.get(path));
    }
}
