//! A file of the database that is moved, deleted, replaced or overwritten under a running service: nothing is
//! acknowledged into it, and the process ends with 74.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::backup::{message, printed};
use crate::support::{Hang, SECRET, installed, request, require, until};

/// A fault of the files in the folder `data`, its undoing, and true if a commit sees it at once.
struct Loss {
    name: &'static str,
    happens: fn(&Path),
    undone: fn(&Path),
    at_once: bool,
}

fn rename(folder: &Path, from: &str, to: &str) {
    fs::rename(folder.join(from), folder.join(to)).unwrap();
}

const NOTHING: fn(&Path) = |_| {};

const LOSSES: [Loss; 12] = [
    Loss {
        name: "a link to where it was moved is put in its place",
        happens: |data| {
            fs::create_dir(data.join("big")).unwrap();
            rename(data, "rollcall.db", "big/rollcall.db");
            symlink("big/rollcall.db", data.join("rollcall.db")).unwrap();
        },
        undone: |data| rename(data, "big/rollcall.db", "rollcall.db"),
        at_once: true,
    },
    Loss {
        name: "the database is moved",
        happens: |data| rename(data, "rollcall.db", "moved.db"),
        undone: |data| rename(data, "moved.db", "rollcall.db"),
        at_once: true,
    },
    Loss {
        name: "another file is put in its place",
        happens: |data| {
            fs::rename(data.join("rollcall.db"), data.join("moved.db")).unwrap();
            fs::copy(data.join("../backup.db"), data.join("rollcall.db")).unwrap();
        },
        undone: |data| rename(data, "moved.db", "rollcall.db"),
        at_once: true,
    },
    Loss {
        name: "the folder is moved",
        happens: |data| fs::rename(data, data.with_file_name("elsewhere")).unwrap(),
        undone: |data| fs::rename(data.with_file_name("elsewhere"), data).unwrap(),
        at_once: true,
    },
    Loss {
        name: "the log is removed",
        happens: |data| fs::remove_file(data.join("rollcall.db-wal")).unwrap(),
        undone: NOTHING,
        at_once: true,
    },
    Loss {
        name: "the log is moved",
        happens: |data| rename(data, "rollcall.db-wal", "moved-wal"),
        undone: NOTHING,
        at_once: true,
    },
    Loss {
        name: "the shared memory is removed",
        happens: |data| fs::remove_file(data.join("rollcall.db-shm")).unwrap(),
        undone: NOTHING,
        at_once: false,
    },
    Loss {
        name: "the lock is removed",
        happens: |data| fs::remove_file(data.join("rollcall.db.lock")).unwrap(),
        undone: NOTHING,
        at_once: false,
    },
    Loss {
        name: "the lock is replaced",
        happens: |data| {
            fs::write(data.join("new"), "").unwrap();
            rename(data, "new", "rollcall.db.lock");
        },
        undone: NOTHING,
        at_once: false,
    },
    Loss {
        name: "the link leads elsewhere",
        happens: |data| {
            fs::remove_file(data.join("link.db")).unwrap();
            symlink("other.db", data.join("link.db")).unwrap();
        },
        undone: |data| {
            fs::remove_file(data.join("link.db")).unwrap();
            symlink("rollcall.db", data.join("link.db")).unwrap();
        },
        at_once: false,
    },
    Loss {
        name: "a backup is copied over it",
        happens: |data| {
            fs::copy(data.join("rollcall.db"), data.join("kept.db")).unwrap();
            fs::copy(data.join("../backup.db"), data.join("rollcall.db")).unwrap();
        },
        undone: |data| rename(data, "kept.db", "rollcall.db"),
        at_once: false,
    },
    Loss {
        name: "it is cut off",
        happens: |data| {
            fs::copy(data.join("rollcall.db"), data.join("kept.db")).unwrap();
            File::create(data.join("rollcall.db")).unwrap();
        },
        undone: |data| rename(data, "kept.db", "rollcall.db"),
        at_once: false,
    },
];

/// A service whose database is a link in the folder `data`, with a backup of it beside that.
fn served() -> (Home, Program) {
    let home = Home::with("[store]\nurl = \"sqlite://data/link.db\"");
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("rollcall.db"), "").unwrap();
    symlink("rollcall.db", data.join("link.db")).unwrap();
    let program = home.start();
    for n in 0..3 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    printed(&home, &["backup", "backup.db"]);
    (home, program)
}

#[test]
fn a_lost_file_is_noticed_and_nothing_is_acknowledged_into_it() {
    for loss in &LOSSES {
        let (home, program) = served();
        let (data, name) = (home.path().join("data"), loss.name);
        (loss.happens)(&data);
        let (mut acknowledged, mut not_ready) = (3, None);
        // Until no server listens any more.
        for n in 3.. {
            let sent =
                request(program.listen, "POST", "/webhooks", &[("x-api-key", SECRET)], message(n).as_bytes());
            match sent.map(|answer| answer.status) {
                Ok(200) => acknowledged += 1,
                Ok(status) => assert_eq!(status, 503, "{name}"),
                Err(_) => break,
            }
            let ready = request(program.admin, "GET", "/readyz", &[], b"");
            not_ready = not_ready.or_else(|| ready.ok().filter(|ready| ready.status == 503));
        }
        let (status, log) = program.wait();
        assert_eq!(status.code(), Some(74), "{name}: {log}");
        assert!(log.contains("nothing more is acknowledged"), "{name}: {log}");
        let not_ready = not_ready.unwrap_or_else(|| panic!("{name}: never not ready"));
        assert!(not_ready.text.contains("moved, removed or replaced"), "{name}: {not_ready:?}");
        println!("{name}: {} acknowledged before it was noticed", acknowledged - 3);
        assert!(acknowledged == 3 || !loss.at_once, "{name}: {acknowledged}");
        (loss.undone)(&data);
        let program = home.try_start().unwrap_or_else(|(_, log)| panic!("{name}: {log}"));
        for n in 0..acknowledged {
            assert_eq!(program.app_user(&format!("{n:024x}")).status, 200, "{name}: {n} of {acknowledged}");
        }
        program.stop();
    }
}

#[test]
fn an_idle_service_notices_it_as_well_and_the_next_start_makes_no_empty_directory() {
    for emptied in [false, true] {
        let (home, program) = served();
        let data = home.path().join("data");
        let program = if emptied {
            // The log is empty, so only the mark shows it.
            program.stop();
            home.start()
        } else {
            program
        };
        let began = Instant::now();
        fs::rename(data.join("rollcall.db"), data.join("moved.db")).unwrap();
        program.wait_for_log("nothing more is acknowledged");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let (status, log) = program.wait();
        assert_eq!(status.code(), Some(74), "{log}");
        let (status, log) = home.try_start().map(|_| ()).unwrap_err();
        assert_eq!(status.code(), Some(74), "{log}");
        assert!(log.contains("is missing or empty") && !data.join("rollcall.db").exists(), "{log}");
        fs::rename(data.join("moved.db"), data.join("rollcall.db")).unwrap();
        assert_eq!(home.start().all_app_users().len(), 3);
    }
}

/// Beside the link lies the log, where SQLite would not look for it.
#[test]
fn a_start_on_a_link_that_was_put_in_the_place_of_the_database_is_refused() {
    let home = Home::new();
    let program = home.start();
    for n in 0..3 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    program.kill();
    fs::create_dir(home.path().join("big")).unwrap();
    rename(home.path(), "rollcall.db", "big/rollcall.db");
    symlink("big/rollcall.db", home.database()).unwrap();
    let (status, log) = home.try_start().map(|_| ()).unwrap_err();
    assert!(status.code() == Some(74) && log.contains("rollcall.db-wal"), "{status}: {log}");
    rename(home.path(), "big/rollcall.db", "rollcall.db");
    assert_eq!(home.start().all_app_users().len(), 3);
}

/// Nothing was copied into the database yet: without its log it is empty.
#[test]
fn a_start_without_the_log_that_had_everything_is_refused() {
    for empties in [|log: &Path| fs::remove_file(log).unwrap(), |log: &Path| drop(File::create(log).unwrap())]
    {
        let home = Home::new();
        let program = home.start();
        assert_eq!(program.webhook(message(1)).status, 200);
        assert_eq!(program.get("/v1/changes").status, 200);
        program.kill();
        empties(&home.path().join("rollcall.db-wal"));
        let (status, log) = home.try_start().map(|_| ()).unwrap_err();
        assert!(status.code() == Some(74) && log.contains("its feeds had 1 changes: its log is missing or was emptied. Put the log back, or run `rollcall restore"), "{status}: {log}");
        fs::remove_file(home.database()).unwrap();
        assert_eq!(home.start().all_app_users().len(), 0, "that was somebody's will");
    }
}

/// SQLite has the shared memory mapped: the kernel ends a process that reaches behind its end.
#[test]
fn shared_memory_that_is_cut_off_ends_the_process_and_loses_nothing_acknowledged() {
    let (home, program) = served();
    File::create(home.path().join("data/rollcall.db-shm")).unwrap();
    let mut acknowledged = vec![0, 1, 2];
    for n in 3.. {
        let sent =
            request(program.listen, "POST", "/webhooks", &[("x-api-key", SECRET)], message(n).as_bytes());
        match sent.map(|answer| answer.status) {
            Ok(200) => acknowledged.push(n),
            Ok(status) => assert_eq!(status, 503),
            Err(_) => break,
        }
    }
    let (status, log) = program.wait();
    assert!(!status.success(), "{status}: {log}");
    let program = home.start();
    for n in acknowledged {
        assert_eq!(program.app_user(&format!("{n:024x}")).status, 200, "{n}, {status}: {log}");
    }
    assert_eq!(program.webhook(message(7)).status, 200);
    program.stop();
}

/// The lock is on the file, with any content. The content shows that the database is the previous one.
#[test]
fn a_lock_that_is_emptied_still_locks_and_costs_the_feed_its_epoch_at_most() {
    for after in [0, 2] {
        let (home, program) = served();
        let epoch = |program: &Program| {
            let page = program.get("/v1/changes?snapshot=true&limit=1").json();
            page["epoch"].as_str().unwrap().to_owned()
        };
        let before = epoch(&program);
        File::create(home.path().join("data/rollcall.db.lock")).unwrap();
        let (status, said) = home.try_start().map(|_| ()).unwrap_err();
        assert!(status.code() == Some(1) && said.contains("in use by another process"), "{status}: {said}");
        for n in 3..3 + after {
            assert_eq!(program.webhook(message(n)).status, 200);
        }
        assert_eq!(epoch(&program), before);
        program.stop();
        let program = home.start();
        assert_eq!(program.all_app_users().len(), 3 + after);
        assert_ne!(epoch(&program), before);
        assert_eq!(program.get(&format!("/v1/changes?since={before}-1")).status, 410);
        program.stop();
    }
}

#[test]
fn an_unmounted_disk_is_noticed() {
    let home = Home::with(ON_DISK);
    let disk = require!(Mounted::new(&home, &["-t", "tmpfs", "-o", "size=32m", "tmpfs"]));
    let program = home.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    drop(disk);
    // A commit looks at the files unless one of the last 5 ms did.
    until("it is refused", || {
        let sent =
            request(program.listen, "POST", "/webhooks", &[("x-api-key", SECRET)], message(2).as_bytes());
        sent.map_or(true, |answer| answer.status == 503)
    });
    let (status, log) = program.wait();
    assert_eq!(status.code(), Some(74), "{log}");
}

/// Writes over the log, as an attempt to free space might.
fn cut(log: &Path, how: &str) {
    match how {
        "emptied" => drop(File::create(log).unwrap()),
        "cut in the middle" => {
            let file = File::options().write(true).open(log).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }
        _ => {
            let bytes = fs::metadata(log).unwrap().len() as usize;
            let file = File::options().write(true).open(log).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; bytes], 0).unwrap();
        }
    }
}

/// The commit under way makes the log as long as it was before it was cut off.
#[test]
fn a_log_that_is_cut_off_during_a_commit_is_noticed() {
    require!(installed("strace"));
    for len in [32, 100, 5000] {
        let home = Home::with("[store]\nurl = \"sqlite://data/link.db\"\n[ingest]\nanswer_within = \"30s\"");
        fs::create_dir(home.path().join("data")).unwrap();
        symlink("rollcall.db", home.path().join("data/link.db")).unwrap();
        let program = home.start();
        for n in 0..3 {
            assert_eq!(program.webhook(message(n)).status, 200);
        }
        let hang = Hang::on(&home, &program, "pwrite64");
        std::thread::scope(|scope| {
            let program = &program;
            let under_way = scope.spawn(move || {
                request(program.listen, "POST", "/webhooks", &[("x-api-key", SECRET)], message(7).as_bytes())
            });
            until("the commit is being written", || {
                fs::read_to_string(home.path().join("strace.log")).unwrap().contains("pwrite64")
            });
            let log = home.path().join("data/rollcall.db-wal");
            File::options().write(true).open(log).unwrap().set_len(len).unwrap();
            drop(hang);
            _ = under_way.join().unwrap();
        });
        let (status, log) = program.wait();
        assert_eq!(status.code(), Some(74), "{len}: {log}");
        assert!(log.contains("was cut off or overwritten in place"), "{len}: {log}");
    }
}

#[test]
fn a_log_that_is_cut_off_or_overwritten_in_place_is_noticed() {
    for how in ["emptied", "cut in the middle", "overwritten"] {
        for end in ["webhook", "nothing", "SIGTERM"] {
            let (home, program) = served();
            cut(&home.path().join("data/rollcall.db-wal"), how);
            match end {
                "webhook" => {
                    let sent = request(
                        program.listen,
                        "POST",
                        "/webhooks",
                        &[("x-api-key", SECRET)],
                        message(7).as_bytes(),
                    );
                    assert!(sent.is_err() || sent.is_ok_and(|answer| answer.status == 503), "{how}, {end}");
                }
                "SIGTERM" => program.signal("TERM"),
                _ => {}
            }
            let (status, log) = program.wait();
            assert_eq!(status.code(), Some(74), "{how}, {end}: {log}");
            assert!(log.contains("was cut off or overwritten in place"), "{how}, {end}: {log}");
            assert!(!log.contains("everything acknowledged is on disk"), "{how}, {end}: {log}");
        }
    }
}
