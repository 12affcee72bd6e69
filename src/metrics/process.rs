//! What the system knows of the process, as every Prometheus client tells it. Nothing where there is no `/proc`.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Ticks of `/proc` in a second, on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

#[derive(Default)]
pub(super) struct Process {
    cpu: Counter<f64, AtomicU64>,
    memory: Gauge,
    open_files: Gauge,
    most_files: Gauge,
    started: Gauge<f64, AtomicU64>,
}

impl Process {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("process_cpu_seconds", "Processor time", self.cpu.clone());
        registry.register("process_resident_memory_bytes", "Resident memory", self.memory.clone());
        registry.register("process_open_fds", "Open files and sockets", self.open_files.clone());
        registry.register(
            "process_max_fds",
            "The most files and sockets that may be open",
            self.most_files.clone(),
        );
        registry.register(
            "process_start_time_seconds",
            "When the process began, since 1970",
            self.started.clone(),
        );
    }

    /// Looks again.
    pub(super) fn look(&self) {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let stat = read("stat");
        // The second field is the program's name, which may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let ticks =
            |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).map(|ticks| ticks / TICKS);
        if let (Some(user), Some(system)) = (ticks(11), ticks(12)) {
            self.cpu.inner().store((user + system).to_bits(), std::sync::atomic::Ordering::Relaxed);
        }
        let booted = fs::read_to_string("/proc/stat").unwrap_or_default();
        let booted = booted.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok());
        if let (Some(booted), Some(after)) = (booted, ticks(19)) {
            self.started.set(booted + after);
        }
        let status = read("status");
        let kib =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_ascii_whitespace().next());
        if let Some(kib) = kib.and_then(|kib| kib.parse::<i64>().ok()) {
            self.memory.set(kib * 1024);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.open_files.set(open.count() as i64);
        }
        let limits = read("limits");
        let most = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files")?.split_ascii_whitespace().next());
        if let Some(most) = most.and_then(|most| most.parse::<i64>().ok()) {
            self.most_files.set(most);
        }
    }
}
