//! The usual `process_*` metrics of Prometheus clients, read from `/proc`; absent without it.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::table::metrics_table;

/// Ticks of `/proc` in a second, on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

metrics_table! {
    pub(super) struct Process {}
    cpu: Counter<f64, AtomicU64>, "process_cpu_seconds", "Processor time";
    memory: Gauge, "process_resident_memory_bytes", "Resident memory";
    open_files: Gauge, "process_open_fds", "Open files and sockets";
    most_files: Gauge, "process_max_fds", "The most files and sockets that may be open";
    started: Gauge<f64, AtomicU64>, "process_start_time_seconds", "When the process began, since 1970";
}

impl Default for Process {
    fn default() -> Self {
        Self::unregistered()
    }
}

impl Process {
    pub(super) fn refresh(&self) {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let stat = read("stat");
        // The second field is the program's name, which may contain spaces and parentheses.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let ticks =
            |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).map(|ticks| ticks / TICKS);
        if let (Some(user), Some(system)) = (ticks(11), ticks(12)) {
            self.cpu.inner().store((user + system).to_bits(), std::sync::atomic::Ordering::Relaxed);
        }
        // The first number behind the name of a line.
        let number = |text: &str, name: &str| -> Option<i64> {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok())
        };
        let booted = number(&fs::read_to_string("/proc/stat").unwrap_or_default(), "btime ");
        if let (Some(booted), Some(after)) = (booted, ticks(19)) {
            self.started.set(booted as f64 + after);
        }
        if let Some(kib) = number(&read("status"), "VmRSS:") {
            self.memory.set(kib * 1024);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.open_files.set(open.count() as i64);
        }
        if let Some(most) = number(&read("limits"), "Max open files") {
            self.most_files.set(most);
        }
    }
}
