//! No command overwrites a database in use, or a file of another kind than its own output.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::backup::{message, printed, refused};
use crate::storage_faults::strace;
use crate::support::{Home, Program, installed, require, until};

/// Every command line that writes to the file `target`.
fn commands<'t>(target: &'t str, listen: &'t str) -> Vec<Vec<&'t str>> {
    let user = "000000000000000000000001";
    vec![
        vec!["backup", target],
        vec!["backup", "--overwrite", target],
        vec!["restore", "--to", target, "whole.db"],
        vec!["restore", "--replace", "--to", target, "whole.db"],
        vec!["export", "-o", target],
        vec!["export", "--format", "csv", "-o", target],
        vec!["export", "--user", user, "-o", target],
        vec!["journal", "replay", "..", "--to", listen, "--resume-file", target],
    ]
}

/// The existing files to write over, by name. Some are open in another process.
fn targets(home: &Home) -> Vec<String> {
    let at = |name: &str| home.path().join(name);
    let database = at("rollcall.db");
    symlink("rollcall.db", at("link.db")).unwrap();
    fs::hard_link(&database, at("hard.db")).unwrap();
    symlink("rollcall.db-wal", at("link.log")).unwrap();
    fs::hard_link(at("rollcall.db-wal"), at("hard.log")).unwrap();
    symlink("nothing", at("dangling")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    drop(UnixListener::bind(at("socket")).unwrap());
    fs::write(at("letter"), "A letter to somebody.\n".repeat(400)).unwrap();
    fs::hard_link(&database, at("taken-1.partial")).unwrap();
    symlink("rollcall.db", at("taken-2.partial")).unwrap();
    fs::hard_link(&database, at("taken-3.restoring")).unwrap();
    let absolute = database.to_str().unwrap().to_owned();
    let named = [
        "rollcall.db",
        "folder/../rollcall.db",
        "./rollcall.db",
        "sqlite://rollcall.db",
        "link.db",
        "hard.db",
        "rollcall.db-wal",
        "rollcall.db-shm",
        "rollcall.db-journal",
        "rollcall.db.lock",
        "rollcall.db.verify",
        "rollcall.db.rebuild",
        "link.log",
        "hard.log",
        "dangling",
        "folder",
        "socket",
        "letter",
        "config.toml",
        "/dev/null",
        "other.db",
        "other.db-wal",
        "second.db",
        "second.db-wal",
        "second.db.lock",
    ];
    named.into_iter().map(str::to_owned).chain([absolute]).collect()
}

/// The state of every file of a home: its inode, and its bytes unless a process writes to it meanwhile.
fn state(home: &Home) -> Vec<(PathBuf, u64, Option<Vec<u8>>)> {
    let mut files: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Locks are created where there are none, which does not matter.
    files.retain(|path| !path.ends_with("taken-3.lock"));
    files.sort();
    let steady = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        ["letter", "whole.db", "other.db"].contains(&name).then(|| fs::read(path).unwrap())
    };
    files
        .into_iter()
        .map(|path| (path.clone(), path.symlink_metadata().unwrap().ino(), steady(&path)))
        .collect()
}

struct Scene {
    home: Home,
    program: Program,
    second: Program,
    _other: rusqlite::Connection,
    stored: usize,
}

/// Two services, each with its database in one folder; a foreign database, in use; and a backup.
fn scene() -> Scene {
    let mut home = Home::with("[limits]\njson_depth = 50\n");
    let program = home.start();
    for n in 0..3 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    printed(&home, &["backup", "whole.db"]);
    home.env.push(("ROLLCALL__STORE__URL".to_owned(), "sqlite://second.db".to_owned()));
    let second = home.start();
    assert_eq!(second.webhook(message(1)).status, 200);
    home.env.clear();
    let other = rusqlite::Connection::open(home.path().join("other.db")).unwrap();
    other
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
        .unwrap();
    Scene { home, program, second, _other: other, stored: 3 }
}

impl Scene {
    /// A command must fail, say why, and change nothing; and webhooks are stored as before.
    fn refuses(&mut self, args: &[&str]) {
        let before = state(&self.home);
        let (code, said) = refused(&self.home, args);
        assert!([Some(1), Some(74)].contains(&code), "{args:?}: {code:?} {said}");
        assert!(said.starts_with("rollcall: ") && !said.contains("panicked"), "{args:?}: {said}");
        assert!(before == state(&self.home), "{args:?}: a file was changed: {said}");
        self.stored += 1;
        assert_eq!(self.program.webhook(message(self.stored)).status, 200, "{args:?}");
    }

    /// Everything that was acknowledged is there after a restart.
    fn ends_well(self) {
        self.program.stop();
        assert_eq!(self.home.rows("journal"), self.stored as i64);
        self.second.stop();
        let sql = rusqlite::Connection::open(self.home.path().join("second.db")).unwrap();
        assert_eq!(sql.query_row("SELECT count(*) FROM journal", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
        // No service starts on a database that has another name.
        for link in ["hard.db", "taken-1.partial", "taken-3.restoring"] {
            _ = fs::remove_file(self.home.path().join(link));
        }
        assert_eq!(self.home.start().all_app_users().len(), self.stored);
    }
}

#[test]
fn no_command_overwrites_a_file_in_use_or_of_another_kind() {
    let mut scene = scene();
    let listen = format!("http://{}/webhooks", scene.second.listen);
    for target in targets(&scene.home) {
        for args in commands(&target, &listen) {
            scene.refuses(&args);
        }
    }
    // A database of the settings that a `--set` calls by another name is the same.
    for url in ["sqlite://hard.db", "sqlite://link.db"] {
        let set = format!("store.url={url}");
        scene.refuses(&["--set", &set, "backup", "--overwrite", "rollcall.db"]);
    }
    // A partial file of a stopped process is overwritten, unless its name belongs to another kind of file.
    for taken in ["taken-1", "taken-2"] {
        for args in [["backup", taken], ["backup", "--overwrite"], ["export", "-o"]] {
            let args = if args[1] == taken { args.to_vec() } else { [&args[..], &[taken]].concat() };
            scene.refuses(&args);
        }
    }
    scene.refuses(&["restore", "--to", "taken-3", "whole.db"]);
    // Each page of the manual is a file as well.
    for target in ["rollcall.db", "rollcall.db-wal", "letter"] {
        let folder = scene.home.path().join(format!("man-{target}"));
        fs::create_dir(&folder).unwrap();
        fs::hard_link(scene.home.path().join(target), folder.join("rollcall-serve.1")).unwrap();
        scene.refuses(&["man", "--to", folder.to_str().unwrap()]);
        fs::remove_dir_all(&folder).unwrap();
    }
    // And no folder is made under a name that is one of a database, which would then not open.
    for name in
        ["rollcall.db-journal", "rollcall.db.verify", "rollcall.db.partial", "rollcall.db.rebuild/man"]
    {
        scene.refuses(&["man", "--to", name]);
        assert!(!scene.home.path().join(name).exists(), "{name}");
    }
    scene.ends_well();
}

/// The next start, or the next erasure, must not mistake a finished file for a partial one.
#[test]
fn nothing_is_written_under_a_name_of_unfinished_work() {
    let mut home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    printed(&home, &["backup", "whole.db"]);
    let listen = format!("http://{}/webhooks", program.listen);
    fs::create_dir(home.path().join("rollcall.db.rebuild")).unwrap();
    symlink("rollcall.db.rebuild", home.path().join("elsewhere")).unwrap();
    for (name, says) in [
        ("mine.partial", "choose another name"),
        ("rollcall.db.partial", "choose another name"),
        ("mine.restoring", "choose another name"),
        ("rollcall.db.unfinished-99999", "choose another name"),
        ("rollcall.db.rebuild/mine.db", "belongs to the database"),
        ("elsewhere/mine.db", "belongs to the database"),
    ] {
        for args in commands(name, &listen) {
            let (code, said) = refused(&home, &args);
            assert_eq!(code, Some(1), "{args:?}: {said}");
            assert!(said.contains(says) && !home.path().join(name).exists(), "{args:?}: {said}");
        }
    }
    // These are names like any other.
    for name in ["partial", "mine.unfinished-monday", "mine.partial.db"] {
        printed(&home, &["backup", name]);
    }
    program.stop();
    // Nor is a database served from there, nor a folder created.
    for (command, exit) in [("check-config", 78), ("serve", 74)] {
        let (code, said) = refused(&home, &["--set", "store.url=sqlite://mine.partial", command]);
        assert!(code == Some(exit) && said.contains("choose another name"), "{command}, {code:?}: {said}");
    }
    assert!(!home.path().join("mine.partial").exists());
    fs::remove_dir_all(home.path().join("rollcall.db.rebuild")).unwrap();
    home.settings = "[backup]\nfolder = \"rollcall.db.rebuild\"".to_owned();
    let program = home.start();
    let line = program.wait_for_log("backup failed");
    assert!(line.contains("belongs to the database"), "{line}");
    program.stop();
    assert!(!home.path().join("rollcall.db.rebuild").exists());
    for name in ["partial", "mine.unfinished-monday", "mine.partial.db"] {
        printed(&home, &["verify", name]);
    }
}

#[test]
fn a_foreign_file_with_the_name_of_a_partial_one_is_left_alone() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    let listen = format!("http://{}/webhooks", program.listen);
    printed(&home, &["backup", "whole.db"]);
    for args in commands("mine", &listen) {
        let name = if args[0] == "restore" { "mine.restoring" } else { "mine.partial" };
        let notes = home.path().join(name);
        fs::write(&notes, "my own notes").unwrap();
        let (code, said) = refused(&home, &args);
        assert!(
            code == Some(1) && said.contains(&format!("{name} is in the way")),
            "{args:?}, {code:?}: {said}"
        );
        assert_eq!(fs::read_to_string(&notes).unwrap(), "my own notes", "{args:?}");
        assert!(!home.path().join("mine").exists(), "{args:?}");
    }
}

#[test]
fn each_command_may_replace_its_own_output() {
    let home = Home::new();
    let program = home.start();
    for n in 0..3 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    let listen = format!("http://{}/webhooks", program.listen);
    for (target, args) in [
        ("b.db", &["backup", "--overwrite", "b.db"][..]),
        ("x.ndjson", &["export", "-o", "x.ndjson"]),
        ("x.csv", &["export", "--format", "csv", "-o", "x.csv"]),
        ("x.json", &["export", "--user", "000000000000000000000001", "-o", "x.json"]),
        ("state", &["journal", "replay", "..", "--to", &listen, "--resume-file", "state"]),
        ("man/rollcall-serve.1", &["man", "--to", "man"]),
    ] {
        let path = home.path().join(target);
        for begun in ["nothing", "empty", "its own", "half of its own"] {
            // Of a process that was killed.
            let own = fs::read(&path).unwrap_or_default();
            if path.parent().unwrap().is_dir() {
                let mut half = own[..own.len().div_ceil(2)].to_vec();
                if begun == "its own" && args[0] == "backup" {
                    // The first page is written last.
                    half[..4096].fill(0);
                }
                fs::write(format!("{}.partial", path.display()), half).unwrap();
            }
            // An export without app users is empty; a backup never is.
            if begun == "empty" && args[0] != "backup" {
                fs::write(&path, "").unwrap();
            }
            let (code, said) = refused(&home, args);
            assert_eq!(code, Some(0), "{args:?} over {begun}: {said}");
            assert!(path.metadata().unwrap().len() > 0, "{args:?}");
            assert!(!Path::new(&format!("{}.partial", path.display())).exists(), "{args:?}");
        }
    }
    assert!(!home.path().join("b.db.lock").exists(), "no lock is left beside a backup");
    printed(&home, &["verify", "b.db"]);
    program.stop();
}

/// The backup is there when the copying begins; a service opens it before the copying ends.
#[test]
fn a_service_that_starts_on_the_target_meanwhile_keeps_its_database() {
    require!(installed("strace"));
    let mut home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    printed(&home, &["backup", "old.db"]);
    let wrapper = strace(&home, "fsync,fdatasync", "fsync,fdatasync:delay_enter=4000000:when=1", &[]);
    home.wrapper = wrapper;
    let mut command = home.command(&["backup", "--overwrite", "old.db"]);
    let backup = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    until("it has begun", || home.path().join("old.db.partial").exists());
    home.wrapper.clear();
    home.settings = "[store]\nurl = \"sqlite://old.db\"".to_owned();
    let served = home.start();
    assert_eq!(served.webhook(message(2)).status, 200);
    let output = backup.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("old.db"), "{said}");
    assert_eq!(served.webhook(message(3)).status, 200);
    served.kill();
    let served = home.start();
    assert_eq!(served.all_app_users().len(), 3);
    served.stop();
    program.stop();
}

/// The database is in the folder of the backups, with a name like theirs and older than all of them.
#[test]
fn backups_by_the_clock_never_remove_the_database() {
    let url = "sqlite://kept/rollcall-2020-01-01T00-00-00.000Z.db";
    let home = Home::with(&format!(
        "[store]\nurl = \"{url}\"\n[backup]\nfolder = \"kept\"\nevery = \"50ms\"\nkeep = 1"
    ));
    fs::create_dir(home.path().join("kept")).unwrap();
    let program = home.start();
    for n in 1..=4 {
        assert_eq!(program.webhook(message(n)).status, 200);
        until("there is one more", || program.metric("rollcall_backups_total{outcome=\"made\"}") >= n as f64);
    }
    assert_eq!(program.metric("rollcall_backups_total{outcome=\"failed\"}"), 0.0);
    program.kill();
    let program = home.start();
    assert_eq!(program.all_app_users().len(), 4);
    program.stop();
    let names = fs::read_dir(home.path().join("kept")).unwrap().map(|entry| entry.unwrap().file_name());
    let backups = names.filter(|name| name.to_string_lossy().ends_with(".db")).count();
    assert!(backups <= 3, "the database, the newest, and perhaps one that was made at the end: {backups}");
}
