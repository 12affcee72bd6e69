//! The exit code of each kind of failure: 0 fine, 1 failed, 2 usage, 69 unavailable, 74 input or output, 78 settings.

use std::net::TcpListener;

use crate::backup::backed_up;
use crate::support::Home;

#[test]
fn every_command_ends_with_the_exit_code_of_its_failure() {
    let (home, _) = backed_up(2);
    std::fs::write(home.path().join("wrong.toml"), "no_such_key = 1").unwrap();
    std::fs::write(home.path().join("letter"), "A letter to somebody.\n".repeat(400)).unwrap();
    std::fs::create_dir(home.path().join("folder")).unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("server.listen={}", busy.local_addr().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("server.admin_listen={closed}");
    let nowhere = "store.url=sqlite://no/such/folder.db";
    for (args, code) in [
        (&["check-config"][..], 0),
        (&["verify"], 0),
        (&["verify", "backup.db"], 0),
        (&["backup", "new.db"], 0),
        (&["restore", "--to", "restored.db", "backup.db"], 0),
        (&["token"], 0),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["--help"], 0),
        (&["verify", "letter"], 1),
        (&["backup", "new.db"], 1),
        (&["restore", "backup.db"], 1),
        (&["restore", "--to", "elsewhere.db", "letter"], 1),
        (&["token", "--app", "no-such-app"], 2),
        (&["doctor"], 1),
        (&["--no-such-flag"], 2),
        (&["no-such-command"], 2),
        (&["backup"], 2),
        (&["restore"], 2),
        (&["completions", "no-such-shell"], 2),
        (&["--set", &nobody, "check-health"], 69),
        (&["verify", "nowhere.db"], 74),
        (&["verify", "folder"], 74),
        (&["backup", "no/such/folder/b.db"], 74),
        (&["--set", nowhere, "backup", "b.db"], 74),
        (&["restore", "--to", "no/such/folder/b.db", "backup.db"], 74),
        (&["restore", "--to", "elsewhere.db", "nowhere.db"], 74),
        (&["man", "--to", "letter"], 74),
        (&["--set", nowhere, "serve"], 74),
        (&["--set", &listen, "serve"], 74),
        (&["--config", "wrong.toml", "check-config"], 78),
        (&["--config", "wrong.toml", "serve"], 78),
        (&["--config", "wrong.toml", "backup", "b.db"], 78),
        (&["--config", "wrong.toml", "verify"], 78),
        (&["--config", "no-such.toml", "check-health"], 78),
    ] {
        let output = home.command(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        let quiet = code == 0 || args == ["doctor"];
        assert!(quiet || !said.trim().is_empty(), "{args:?} says why");
    }
    let left: Vec<_> =
        ["b.db", "elsewhere.db"].iter().filter(|name| home.path().join(name).exists()).collect();
    assert!(left.is_empty(), "what failed left nothing: {left:?}");
}

#[test]
fn fine_settings_are_summed_up() {
    let output = Home::new().command(&["check-config"]).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("settings are fine: 1 app, listening on ") && said.contains(", admin on "),
        "{said}"
    );
}

#[test]
fn health_is_0_while_it_is_ready_and_69_while_it_is_not() {
    let home = Home::new();
    let program = home.start();
    let admin = format!("server.admin_listen={}", program.admin);
    let ask = || {
        let output = home.command(&["--set", &admin, "check-health"]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(ask(), (Some(0), "ready\n".to_owned()));
    program.stop();
    assert_eq!(ask().0, Some(69));
}

#[test]
fn a_file_named_as_a_folder_is_reported() {
    let home = Home::new();
    std::fs::write(home.path().join("letter"), "A letter.").unwrap();
    for to in ["letter", "letter/below", "letter/further/below"] {
        let output = home.command(&["man", "--to", to]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{to}: {said}");
        assert!(said.contains("letter: is no folder"), "{to}: {said}");
    }
    assert_eq!(std::fs::read_to_string(home.path().join("letter")).unwrap(), "A letter.");
}
