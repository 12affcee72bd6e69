//! The alert rules and the dashboard use only existing metrics.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::seen_much;
use crate::support::{Home, installed, require, until};

/// Labels that Prometheus adds when it scrapes.
const ADDED: [&str; 2] = ["job", "instance"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(name)
}

/// Words before a list of labels.
const GROUPING: [&str; 4] = ["by", "without", "on", "ignoring"];
/// Other words that name no metric.
const OPERATORS: [&str; 7] = ["and", "or", "unless", "bool", "offset", "group_left", "group_right"];

/// The selectors of an expression: the name of each, and its labels with their values. Whether the expression is one
/// at all is for `promtool` to say.
fn selectors(expr: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let mut found = Vec::new();
    let mut rest = expr;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        let word = rest[start..].split(|c: char| !c.is_ascii_alphanumeric() && !"_:.".contains(c)).next();
        let word = word.unwrap_or_default();
        rest = rest[start + word.len()..].trim_start();
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        let is_function =
            rest.starts_with('(') || GROUPING.iter().any(|by| rest.starts_with(&format!("{by} (")));
        if GROUPING.contains(&word) {
            rest = rest.split_once(')').unwrap_or_else(|| panic!("{expr}: {word} has no list")).1;
        } else if let Some((labels, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            let equal = |label| match str::split_once(label, "=\"") {
                Some((name, value)) if value.ends_with('"') => (name.trim(), value.trim_end_matches('"')),
                _ => panic!("{expr}: {label} is not LABEL=\"VALUE\""),
            };
            found.push((word, labels.split(',').map(equal).collect()));
            rest = after;
        } else if !is_number && !is_function && !OPERATORS.contains(&word) {
            found.push((word, Vec::new()));
        }
    }
    found
}

/// Every selector of an expression finds a series in the text, apart from Prometheus's own.
fn finds_something(expr: &str, text: &str) {
    let selectors = selectors(expr);
    assert!(!selectors.is_empty(), "{expr}: names no metric");
    for (name, labels) in selectors {
        if name != "up" {
            let series: Vec<&str> = text
                .lines()
                .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
                .collect();
            assert!(!series.is_empty(), "{expr}: there is no metric {name}");
            for (label, value) in labels.into_iter().filter(|(label, _)| !ADDED.contains(label)) {
                let label = format!("{label}=\"{value}\"");
                assert!(series.iter().any(|line| line.contains(&label)), "{expr}: {name} has no {label}");
            }
        }
    }
}

#[test]
fn selectors_are_distinguished_from_functions_and_labels() {
    let expr = r#"histogram_quantile(0.9, sum by (le) (rate(a_bucket{job="x", le="1"}[5m]))) > 2 * b or c"#;
    assert_eq!(
        selectors(expr),
        [("a_bucket", vec![("job", "x"), ("le", "1")]), ("b", vec![]), ("c", vec![])]
    );
}

/// The expressions of the alert rules.
fn alerts() -> Vec<String> {
    let text = std::fs::read_to_string(file("prometheus-alerts.yaml")).unwrap();
    let rules: Value = serde_yaml_ng::from_str(&text).unwrap();
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for group in rules["groups"].as_array().unwrap() {
        assert!(group["name"].is_string(), "{group}");
        for rule in group["rules"].as_array().unwrap() {
            let known = ["alert", "expr", "for", "labels", "annotations"];
            assert!(rule.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{rule}");
            assert!(names.insert(rule["alert"].as_str().unwrap().to_owned()), "{rule}: twice");
            assert!(matches!(rule["labels"]["severity"].as_str(), Some("page" | "ticket")), "{rule}");
            for said in ["summary", "description"] {
                assert!(rule["annotations"][said].as_str().is_some_and(|text| !text.is_empty()), "{rule}");
            }
            found.push(rule["expr"].as_str().unwrap().to_owned());
        }
    }
    found
}

/// The expressions of the dashboard's panels.
fn panels() -> Vec<String> {
    let board: Value =
        serde_json::from_str(&std::fs::read_to_string(file("grafana-dashboard.json")).unwrap()).unwrap();
    let mut ids = BTreeSet::new();
    let mut found = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}: twice");
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{panel}: beyond the edge");
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            // The values that Grafana inserts.
            found.push(expr.replace("$__rate_interval", "5m").replace("$job", "rollcall"));
        }
    }
    found
}

#[test]
fn every_metric_of_the_rules_and_the_dashboard_is_there() {
    let home = Home::new();
    let program = seen_much(&home);
    until("the users are counted", || program.metric("rollcall_users{}") == 1.0);
    let text = program.admin("/metrics").text;
    let (alerts, panels) = (alerts(), panels());
    assert!(alerts.len() > 10 && panels.len() > 30, "{} and {}", alerts.len(), panels.len());
    for expr in alerts.iter().chain(&panels) {
        finds_something(expr, &text);
    }
}

#[test]
fn prometheus_itself_takes_the_rules_and_the_expressions_of_the_dashboard() {
    require!(installed("promtool"));
    let folder = tempfile::tempdir().unwrap();
    let rules: Vec<Value> = panels()
        .into_iter()
        .enumerate()
        .map(|(n, expr)| json!({ "record": format!("panel:{n}"), "expr": expr }))
        .collect();
    let panels = folder.path().join("panels.yaml");
    let groups = json!({ "groups": [{ "name": "panels", "rules": rules }] });
    std::fs::write(&panels, groups.to_string()).unwrap();
    for rules in [file("prometheus-alerts.yaml"), panels] {
        let checked = Command::new("promtool").args(["check", "rules"]).arg(rules).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}
