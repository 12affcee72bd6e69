//! The program's routes and the document's paths are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::support::{APP, DOCUMENT, Home, METHODS, files, fits, is_on, parse, proof_of, raw};

/// Every text that the sources give to a function such as `.route(`.
fn given(function: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let texts = files(&folder, "rs").into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    let call = format!(".{function}(");
    let found = texts.flat_map(|text| {
        let behind = text.split(call.as_str()).skip(1).map(str::trim_start);
        let found = behind.filter_map(|text| Some(text.strip_prefix('"')?.split('"').next()?.to_owned()));
        found.collect::<Vec<_>>()
    });
    found.collect()
}

/// The prefixes of routes: none, and one or two levels.
fn bases() -> BTreeSet<String> {
    let nests = given("nest");
    let twice = nests.iter().flat_map(|outer| nests.iter().map(move |inner| format!("{outer}{inner}")));
    let once = nests.iter().cloned();
    once.chain(twice.collect::<Vec<_>>()).chain([String::new()]).collect()
}

/// An address that matches a path of the document.
fn address(template: &str) -> String {
    let words = template.split('/').map(|word| match word {
        "{app}" => APP,
        word if word.starts_with('{') => "anybody",
        word => word,
    });
    words.collect::<Vec<_>>().join("/")
}

type Routes = BTreeMap<(bool, String), BTreeSet<String>>;

/// The routes of both listeners: the paths named in the sources that the program does not answer with 404, each with
/// its methods. `true` is the admin listener.
fn of_the_program() -> Routes {
    let program = Home::new().start();
    let mut found = Routes::new();
    for template in
        bases().iter().flat_map(|base| given("route").into_iter().map(move |route| format!("{base}{route}")))
    {
        for (admin, listener) in [(false, program.listen), (true, program.admin)] {
            let key = proof_of(program.admin).unwrap();
            let line = format!(
                "PROPFIND {} HTTP/1.1\r\nhost: {listener}\r\nauthorization: {key}\r\ncontent-type: application/json\r\n\
                 connection: close\r\n\r\n",
                address(&template)
            );
            let answer = parse(&raw(listener, line.as_bytes()).unwrap()).unwrap();
            if answer.status == 404 {
                continue;
            }
            assert_eq!(answer.status, 405, "{template}: {answer:?}");
            let methods =
                answer.header("allow").unwrap().split(',').map(|method| method.trim().to_lowercase());
            // HEAD exists wherever GET does, with the same answer.
            let methods = methods.filter(|method| method != "head").collect();
            found.insert((admin, template.replace("{*", "{")), methods);
        }
    }
    found
}

fn of_the_document() -> Routes {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let words = |path: &'static str| path.split('/').collect::<Vec<_>>();
    let methods = |path: &'static String| {
        // A word may be in the place of an id, but not of a number: then the methods of the id's route apply to it too.
        let is_number = |template: &str| template.contains("{seq}") && !path.contains("{seq}");
        let items = paths.iter().filter(|(template, _)| !is_number(template));
        let items = items.filter(|(template, _)| fits(&words(template), &words(path)));
        let items: Vec<_> = items.map(|(_, item)| item).collect();
        let methods = METHODS.iter().filter(|method| items.iter().any(|item| item.get(method).is_some()));
        methods.map(|method| (*method).to_owned()).collect()
    };
    let on = |(path, item): (&'static String, &'static Value)| {
        let listeners = [false, true].into_iter().filter(|admin| is_on(item, *admin));
        listeners.map(|admin| ((admin, path.clone()), methods(path))).collect::<Vec<_>>()
    };
    paths.iter().flat_map(on).collect()
}

#[test]
fn the_document_has_every_route_of_the_program_and_no_other() {
    let (program, document) = (of_the_program(), of_the_document());
    assert!(program.len() >= 60, "the sources were read: {program:?}");
    for (route, methods) in &program {
        let described = document.get(route).unwrap_or_else(|| panic!("{route:?} is not in openapi/"));
        assert_eq!(methods, described, "{route:?}: what the program takes, and what openapi/ says");
    }
    for route in document.keys() {
        assert!(program.contains_key(route), "{route:?} is in openapi/ and nowhere else");
    }
}
