//! F6: a disk, a folder or a file that cannot be written.

use super::*;

/// The start is refused with exit code 74 and a message that names the file.
fn refuses(home: &Home, name: &str) {
    let (status, log) = home.try_start().map(|_| ()).unwrap_err();
    assert_eq!(status.code(), Some(74), "{log}");
    let said = log.lines().rfind(|line| line.contains("\"ERROR\"")).unwrap_or_else(|| panic!("{log}"));
    assert!(said.contains(name), "{said}");
    println!("{name}: {said}");
}

#[test]
fn a_folder_that_is_not_there_is_refused_at_the_start() {
    refuses(&Home::with("[store]\nurl = \"sqlite://nowhere/rollcall.db\""), "nowhere/rollcall.db");
}

#[test]
fn a_folder_where_the_file_should_be_is_refused_at_the_start() {
    let home = Home::new();
    std::fs::create_dir(home.database()).unwrap();
    refuses(&home, "rollcall.db");
}

/// Root may write anywhere, so the file system itself has to refuse.
#[test]
fn a_read_only_disk_is_refused_at_the_start() {
    let home = Home::with(ON_DISK);
    let disk = require!(Mounted::new(&home, &["-t", "tmpfs", "-o", "size=16m", "tmpfs"]));
    let program = home.start();
    assert_eq!(program.webhook(large(1, 100)).status, 200);
    program.stop();
    disk.remount("ro");
    refuses(&home, "disk/rollcall.db");
    disk.remount("rw");
    let program = home.start();
    assert_eq!(program.app_user(&format!("{:024x}", 1)).status, 200);
}

#[test]
fn a_read_only_file_in_a_writable_folder_is_refused_at_the_start() {
    let home = Home::with(ON_DISK);
    let _disk = require!(Mounted::new(&home, &["-t", "tmpfs", "-o", "size=16m", "tmpfs"]));
    let program = home.start();
    assert_eq!(program.webhook(large(1, 100)).status, 200);
    program.stop();
    // A read-only bind mount of the file over itself: root is refused too.
    let file = home.path().join("disk/rollcall.db");
    let mount = |args: &[&str]| {
        let done = Command::new("mount").args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let name = file.to_str().unwrap();
    mount(&["--bind", name, name]);
    mount(&["-o", "remount,bind,ro", name]);
    let bound = Mounted(file);
    refuses(&home, "disk/rollcall.db");
    drop(bound);
    assert_eq!(home.start().app_user(&format!("{:024x}", 1)).status, 200);
}
