//! The figures as a table, each beside its goal, and as JSON.

use serde_json::{Value, json};

use crate::machine::median;
use crate::rounds::{Cell, Figures, Kept, Measured, Workload};

/// More than this of one processor used by other programs, in per cent, makes a figure doubtful.
const DIRTY: f64 = 12.0;

/// Everything that was measured.
pub struct Report {
    pub measured: Vec<Measured>,
    /// From start to first answer without a database, in ms.
    pub first_answers: Vec<f64>,
    pub killed: Kept,
    /// The time of an append of 4 KiB and its sync before and after, in ms.
    pub sync_times: [f64; 2],
    /// Users in the workload of known ones.
    pub users: u64,
    /// Why there is no peer.
    pub no_peer: Option<String>,
}

fn least_ratio(workload: Workload) -> f64 {
    match workload {
        Workload::New => 0.30,
        Workload::Known => 0.32,
        Workload::Many => 0.25,
        Workload::Busy => 0.45,
    }
}

/// The minimum ratio of our rate to the peer's.
const LEAST_TIMES: f64 = 7.0;

/// A value beside the least that it may be.
pub fn at_least(value: f64, goal: f64) -> String {
    format!("{value:.2} goal >= {goal} {}", mark(value >= goal))
}

/// A value beside the most that it may be.
pub fn at_most(value: f64, goal: f64, unit: &str) -> String {
    format!("{} {unit} goal <= {goal} {}", short(value), mark(value <= goal))
}

fn mark(met: bool) -> &'static str {
    if met { "✓" } else { "✗" }
}

/// Three digits.
fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The median over the rounds of the program's rate through the yardstick's of the same round.
fn ratio(cell: &Cell) -> f64 {
    let ratios: Vec<f64> =
        cell.program.rates.iter().zip(&cell.noop.rates).map(|(ours, noop)| ours / noop).collect();
    median(&ratios)
}

/// The ratio of our rate to the peer's; `None` without a peer.
fn times(cell: &Cell) -> Option<f64> {
    let peer = median(&cell.peer.rates);
    (peer > 0.0).then(|| median(&cell.program.rates) / peer)
}

/// Prints the report.
pub fn print(report: &Report) {
    println!(
        "{:<8}{:>6}  {:<9}{:>8}{:>9}{:>9}{:>9}{:>9}{:>8}  ratio to the no-op, goals",
        "users", "conns", "server", "req/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU us", "other %"
    );
    for measured in &report.measured {
        for cell in &measured.cells {
            let name = format!("{:?}", measured.workload).to_lowercase();
            row(&name, cell.connections, "rollcall", &cell.program, &verdict(measured.workload, cell));
            row("", 0, "no-op", &cell.noop, "");
            let compared =
                times(cell).map_or(String::new(), |times| format!("x {}", at_least(times, LEAST_TIMES)));
            row("", 0, "fastify", &cell.peer, &compared);
        }
    }
    println!();
    for measured in &report.measured {
        let memory = measured.memory.iter().copied().fold(0.0, f64::max);
        let goal = if measured.workload == Workload::Many {
            at_most(memory, 150.0, "MB")
        } else {
            format!("{} MB", short(memory))
        };
        let prepared =
            measured.prepared.map_or(String::new(), |bytes| format!("; {bytes:.0} bytes a user before"));
        println!(
            "{:?}: peak memory {goal}; bodies of {} bytes on average; the file grows by {:.0} bytes for an event{prepared}",
            measured.workload,
            measured.body,
            median(&measured.growth)
        );
    }
    let first =
        |what: &str, times: &[f64]| println!("first answer, {what}: {}", at_most(median(times), 20.0, "ms"));
    first("no database yet", &report.first_answers);
    for measured in report.measured.iter().filter(|measured| measured.workload == Workload::Many) {
        first(&format!("{} users", report.users), &measured.first_answers);
    }
    for measured in &report.measured {
        for kept in &measured.kept {
            println!(
                "{:?}: {} events acknowledged, {} stored",
                measured.workload, kept.accepted, kept.stored
            );
        }
    }
    let killed = &report.killed;
    println!(
        "kill -9: {} events acknowledged, {} stored, {} were under way",
        killed.accepted, killed.stored, killed.unanswered
    );
    println!(
        "disk: 4 KiB appended and synced in {:.3} ms before, {:.3} ms after",
        report.sync_times[0], report.sync_times[1]
    );
    if let Some(why) = &report.no_peer {
        println!("no peer to compare with: {why}");
    }
    println!(
        "CPU us: processor time of the server for a request. other %: of one processor, used by neither server nor"
    );
    println!(
        "load; above {DIRTY} (marked !) something else was running, and rates and latencies are not to be trusted."
    );
}

fn verdict(workload: Workload, cell: &Cell) -> String {
    match cell.connections {
        1 => format!("{:.2}; p50 {}", ratio(cell), at_most(cell.program.latencies.quantile(0.5), 0.5, "ms")),
        64 => {
            let [p99, p999] = [0.99, 0.999].map(|share| cell.program.latencies.quantile(share));
            let ratio = at_least(ratio(cell), least_ratio(workload));
            format!("{ratio}; p99 {}; p99.9 {}", at_most(p99, 10.0, "ms"), at_most(p999, 50.0, "ms"))
        }
        _ => at_least(ratio(cell), least_ratio(workload)),
    }
}

fn row(name: &str, connections: usize, server: &str, figures: &Figures, goals: &str) {
    if figures.rates.is_empty() {
        return;
    }
    let connections = if connections > 0 { connections.to_string() } else { String::new() };
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| short(figures.latencies.quantile(share)));
    let (rate, cpu, other) = (median(&figures.rates), median(&figures.cpu), median(&figures.other));
    let dirty = if other > DIRTY { "!" } else { " " };
    let failed = if figures.failed > 0 { format!(" FAILED: {}", figures.failed) } else { String::new() };
    println!(
        "{name:<8}{connections:>6}  {server:<9}{rate:>8.0}{p50:>9}{p99:>9}{p999:>9}{cpu:>9.1}{other:>7.0}{dirty}  {goals}{failed}"
    );
}

/// The report for programs.
pub fn json(report: &Report) -> Value {
    let figures = |figures: &Figures| {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| figures.latencies.quantile(share));
        json!({
            "rates": figures.rates, "p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "failed": figures.failed,
            "cpu_us": figures.cpu, "load_cpu_us": figures.load_cpu, "other_percent": figures.other,
        })
    };
    let cell = |cell: &Cell| {
        json!({
            "connections": cell.connections, "program": figures(&cell.program), "noop": figures(&cell.noop),
            "peer": times(cell).map(|_| figures(&cell.peer)), "ratio": ratio(cell), "times_the_peer": times(cell),
        })
    };
    let kept = |kept: &Kept| json!({ "acknowledged": kept.accepted, "stored": kept.stored, "unanswered": kept.unanswered });
    let measured = |measured: &Measured| {
        json!({
            "workload": format!("{:?}", measured.workload).to_lowercase(),
            "cells": measured.cells.iter().map(cell).collect::<Vec<_>>(),
            "peak_memory_mb": measured.memory, "first_answer_ms": measured.first_answers,
            "kept": measured.kept.iter().map(kept).collect::<Vec<_>>(), "body_bytes": measured.body,
            "file_bytes_an_event": measured.growth, "file_bytes_a_known_user": measured.prepared,
        })
    };
    json!({
        "workloads": report.measured.iter().map(measured).collect::<Vec<_>>(),
        "first_answer_ms": report.first_answers, "killed": kept(&report.killed),
        "sync_ms": report.sync_times, "users": report.users, "no_peer": report.no_peer,
    })
}
