//! A disk that hangs, played by strace.

use std::process::{Child, Command, Stdio};

use super::{Home, Program, until};

/// A disk that hangs on these system calls, for far longer than any time limit, until this is dropped. Needs strace.
pub struct Hang(Child);

impl Hang {
    pub fn on(home: &Home, program: &Program, calls: &str) -> Self {
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-o", "strace.log", "-p", &program.pid().to_string()])
            .args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:delay_enter=60000000")])
            .current_dir(home.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let hang = Self(strace);
        let tasks = format!("/proc/{}/task", program.pid());
        until("every thread is traced", || {
            let tasks = std::fs::read_dir(&tasks).unwrap().map(|task| task.unwrap().path().join("status"));
            let statuses: Vec<String> = tasks.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
            statuses.iter().all(|status| !status.contains("TracerPid:\t0"))
        });
        hang
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
