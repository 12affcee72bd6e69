//! The files in `ops/`: read by the programs they are for where these are here, and by eye elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Home, installed, require};

pub(super) fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The keys of a unit file by section, each with its values.
fn unit(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut section = String::new();
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => name.clone_into(&mut section),
            None => {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("no key: {line}"));
                keys.entry(format!("{section}.{key}")).or_default().push(value.to_owned());
            }
        }
    }
    keys
}

#[test]
fn the_unit_matches_the_program() {
    let keys = unit(&shipped("rollcall.service"));
    let of = |key: &str| keys.get(key).unwrap_or_else(|| panic!("{key} is missing")).join(" ");
    for (key, value) in [
        ("Service.Type", "notify-reload"),
        ("Service.Restart", "always"),
        ("Service.RestartPreventExitStatus", "78"),
        ("Service.StateDirectory", "rollcall"),
        ("Service.WorkingDirectory", "/var/lib/rollcall"),
        ("Service.ProtectSystem", "strict"),
        ("Service.NoNewPrivileges", "yes"),
        ("Service.UMask", "0077"),
        ("Unit.StartLimitIntervalSec", "0"),
        ("Install.WantedBy", "multi-user.target"),
    ] {
        assert_eq!(of(key), value, "{key}");
    }
    let seconds = |key: &str| of(key).parse::<u64>().unwrap();
    assert!(seconds("Service.WatchdogSec") >= 20);
    assert!(seconds("Service.TimeoutStopSec") > 10, "drain_within is 10 s");
    // The command line in it is one the program takes.
    let command = of("Service.ExecStart");
    let args: Vec<&str> = command.split(' ').skip(1).collect();
    let home = Home::new();
    std::fs::write(home.path().join("mine.toml"), "no_such_key = 1").unwrap();
    let args: Vec<&str> =
        args.iter().map(|arg| if arg.ends_with(".toml") { "mine.toml" } else { arg }).collect();
    let output = home.command(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn systemd_itself_finds_nothing_wrong_with_the_unit() {
    require!(installed("systemd-analyze"));
    let version = Command::new("systemd-analyze").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let version: u32 = version.split_whitespace().nth(1).unwrap().parse().unwrap();
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_rollcall");
    let mut text = shipped("rollcall.service").replace("/usr/local/bin/rollcall", program);
    if version < 253 {
        // notify-reload came with 253; everything else is older.
        text = text.replace("Type=notify-reload", "Type=notify");
    }
    let path = home.path().join("rollcall.service");
    std::fs::write(&path, text).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let about_us: Vec<&str> = said.lines().filter(|line| line.contains("rollcall")).collect();
    assert!(about_us.is_empty() && output.status.success(), "{said}");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--threshold=20"])
        .arg(&path)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "exposed: {}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_shells_and_the_manual_know_every_command() {
    let home = Home::new();
    let run = |args: &[&str]| {
        let output = home.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let commands =
        ["serve", "replay", "token", "check-config", "backup", "restore", "verify", "doctor", "check-health"];
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]);
        let missing: Vec<_> = commands.iter().filter(|command| !script.contains(**command)).collect();
        assert!(missing.is_empty(), "{shell}: {missing:?}");
    }
    let page = run(&["man"]);
    assert!(page.contains(".TH rollcall 1") && page.contains("Exit codes"), "{page}");
    assert_eq!(run(&["man", "--to", "man"]), "");
    for command in commands {
        let page: PathBuf = home.path().join(format!("man/rollcall-{command}.1"));
        assert!(std::fs::read_to_string(&page).unwrap().contains(".TH"), "{}", page.display());
    }
}
