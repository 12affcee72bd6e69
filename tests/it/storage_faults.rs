//! Faults of the disk: errors, lost writes, slow syncs, no room (F2 to F8).

mod full;
mod log_alone;
mod lost;
mod power;
mod read_only;
mod slow;
mod sync;
mod torn;

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::crash::ledger::Ledger;
use crate::crash::traffic::{Sender, Sent};
use crate::support::{APP, Home, Missing, Program, first_message, installed, require};

/// The start of a command line that traces the program and tampers with its system calls. The program keeps the
/// process id that the test knows. `strace.log` has the calls.
pub fn strace(home: &Home, trace: &str, inject: &str, paths: &[&str]) -> Vec<String> {
    let mut line: Vec<String> = ["strace", "-D", "-f", "-qq"].map(String::from).into();
    // With this, calls of no interest cost nothing; and no signal is delivered.
    line.extend((!inject.contains("signal=")).then(|| "--seccomp-bpf".to_owned()));
    line.push("-o".to_owned());
    line.push(home.path().join("strace.log").to_str().unwrap().to_owned());
    line.extend(["-e".to_owned(), format!("trace={trace}")]);
    if !inject.is_empty() {
        line.extend(["-e".to_owned(), format!("inject={inject}")]);
    }
    for path in paths {
        line.extend(["-P".to_owned(), home.path().join(path).to_str().unwrap().to_owned()]);
    }
    line
}

/// The traced system calls.
pub fn traced(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("strace.log")).unwrap()
}

/// A home whose database exists and is closed.
fn used(settings: &str) -> Home {
    let home = Home::with(settings);
    let program = home.start();
    assert_eq!(program.webhook(first_message("00000000000000000000aaaa", 1_600_000_000.5)).status, 200);
    program.stop();
    home
}

/// Sends with all senders until no server listens any more, or `enough` is answered 200; returns the time of the
/// first other answer.
fn send(program: &Program, senders: &mut [Sender], ledger: &mut Ledger, enough: u64) -> Option<Instant> {
    let to = program.listen;
    let mut refused = None;
    std::thread::scope(|scope| {
        let (sent, answers) = mpsc::channel::<Sent>();
        for sender in senders {
            let sent = sent.clone();
            scope.spawn(move || sender.run_until(to, &sent, enough));
        }
        drop(sent);
        for sent in answers {
            if !sent.acknowledged {
                refused = refused.or_else(|| Some(Instant::now()));
            }
            ledger.note(sent);
        }
    });
    refused
}

/// A separate file system inside a home. Unmounted when dropped.
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts at the folder `disk` of the home, which takes root and is not permitted in every container.
    fn new(home: &Home, args: &[&str]) -> Result<Self, Missing> {
        Self::at(home, "disk", args)
    }

    /// The same at another folder of the home.
    pub fn at(home: &Home, folder: &str, args: &[&str]) -> Result<Self, Missing> {
        installed("mount")?;
        let at = home.path().join(folder);
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(args).arg(&at).output().unwrap();
        let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
        if !mounted.status.success() {
            let why = why.replace(&format!("{}: ", at.display()), "");
            return Err(Missing::new(format!("a file system of its own cannot be mounted: {why}")));
        }
        Ok(Self(at))
    }

    fn remount(&self, options: &str) {
        let done =
            Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Settings that put the database on the disk of [`Mounted`].
const ON_DISK: &str = "[store]\nurl = \"sqlite://disk/rollcall.db\"";

/// A webhook of about this size, about an app user of its own.
pub fn large(n: usize, size: usize) -> String {
    let text: String =
        (0..size).map(|at| char::from(b'a' + ((at * 7 + n * 13 + at * at / 11) % 26) as u8)).collect();
    let id = format!("{n:024x}");
    serde_json::json!({
        "trigger": "message:appUser", "app": { "_id": APP },
        "messages": [{ "_id": format!("m{n}"), "text": text, "role": "appUser", "authorId": id, "received": 1_600_000_000 + n }],
        "appUser": { "_id": id, "properties": { "text": text } },
    })
    .to_string()
}
