//! The state of the machine: processor time by process, memory, and latency of the disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// The length of a tick of `/proc`: 10 ms on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time used since the process began; children that have ended are not in it.
pub fn cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name, which may hold anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u32 =
        rest.split_ascii_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// The most memory that the process had at once, in MB of a million bytes.
pub fn peak_memory(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) * 1024.0 / 1e6
}

/// Processor time that everything together used since the machine started, the host's share included.
pub fn cpu_of_all() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
    let ticks: Vec<u32> = fields.filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum::<u32>();
    TICK * busy
}

/// Waits until a process does nothing, but not for ever.
pub fn settle(pid: u32) {
    let until = Instant::now() + Duration::from_secs(10);
    let mut before = cpu_of(pid);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(250));
        let now = cpu_of(pid);
        if now == before {
            return;
        }
        before = now;
    }
}

/// The median time, in ms, of appending 4 KiB and waiting until it is on disk.
pub fn sync_time(folder: &Path) -> io::Result<f64> {
    let path = folder.join("sync-time");
    let mut file = File::create(&path)?;
    let block = [7; 4096];
    let mut times = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(median(&times))
}

/// The middle of some figures; 0 of none.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}
