//! The alert rules and the dashboard use only existing metrics.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, VectorSelector, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;

use super::seen_much;
use crate::support::{Home, installed, require, until};

/// Labels that Prometheus adds when it scrapes.
const ADDED: [&str; 2] = ["job", "instance"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(name)
}

/// The selectors of an expression.
#[derive(Default)]
struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(matrix) => self.0.push(matrix.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// Every selector of an expression finds a series in the text, apart from Prometheus's own.
fn finds_something(expr: &str, text: &str) {
    let parsed = parse(expr).unwrap_or_else(|error| panic!("{expr}: {error}"));
    let mut selectors = Selectors::default();
    walk_expr(&mut selectors, &parsed).unwrap();
    assert!(!selectors.0.is_empty(), "{expr}: names no metric");
    for selector in selectors.0 {
        let name = selector.name.unwrap_or_else(|| panic!("{expr}: a selector without a name"));
        if name != "up" {
            let series: Vec<&str> = text
                .lines()
                .filter(|line| line.strip_prefix(&*name).is_some_and(|rest| rest.starts_with(['{', ' '])))
                .collect();
            assert!(!series.is_empty(), "{expr}: there is no metric {name}");
            for matcher in selector.matchers.matchers.iter().filter(|m| !ADDED.contains(&m.name.as_str())) {
                assert!(matches!(matcher.op, MatchOp::Equal), "{expr}");
                let label = format!("{}=\"{}\"", matcher.name, matcher.value);
                assert!(series.iter().any(|line| line.contains(&label)), "{expr}: {name} has no {label}");
            }
        }
    }
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
fn prometheus_itself_takes_the_rules() {
    require!(installed("promtool"));
    let checked = Command::new("promtool")
        .args(["check", "rules"])
        .arg(file("prometheus-alerts.yaml"))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
