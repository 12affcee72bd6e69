//! `ops/Dockerfile`. No test here can build an image: they check the text of the file, and that the program behaves
//! accordingly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::shipped::shipped;
use crate::support::{Home, Missing, files, parse, raw, require};

/// Settings of an app with a secret that is not public.
const OWN_APP: &str = "[[apps]]\nid = \"a\"\nwebhook_secrets = [\"a secret of my own\"]\n";

/// The instructions of each stage, each with its arguments; continued lines are joined.
fn stages() -> Vec<Vec<(String, String)>> {
    let text = shipped("Dockerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let mut stages = Vec::new();
    for line in joined.lines().filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap();
        if word == "FROM" {
            stages.push(Vec::new());
        }
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        stages.last_mut().unwrap().push((word.to_owned(), rest));
    }
    stages
}

/// The arguments of every such instruction of a stage.
fn all<'s>(stage: &'s [(String, String)], word: &str) -> Vec<&'s str> {
    stage.iter().filter(|(name, _)| name == word).map(|(_, rest)| rest.as_str()).collect()
}

/// The environment of the image.
fn environment() -> BTreeMap<String, String> {
    let stages = stages();
    let pairs = all(stages.last().unwrap(), "ENV").into_iter().flat_map(|line| line.split(' '));
    pairs.map(|pair| pair.split_once('=').unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn a_change_of_the_code_compiles_no_dependency_again() {
    let stages = stages();
    let [build, _] = &stages[..] else { panic!("built in one image, run in another") };
    let place = |what: &str| {
        let found = build.iter().position(|(word, rest)| format!("{word} {rest}").contains(what));
        found.unwrap_or_else(|| panic!("{what}: {build:?}"))
    };
    let placeholder = place("echo 'fn main() {}' > src/main.rs");
    assert!(build[placeholder].1.contains("cargo build --profile dist --locked"));
    assert!(place("COPY Cargo.toml Cargo.lock") < placeholder && place("COPY .cargo") < placeholder);
    let sources = place("COPY . .");
    assert!(placeholder < sources, "the sources come after the layer of the dependencies");
    let (_, last) = build.last().unwrap();
    assert!(
        last.starts_with("touch src/main.rs src/lib.rs &&")
            && last.ends_with("cargo build --profile dist --locked")
    );
    let program = all(stages.last().unwrap(), "COPY").join(" ");
    assert!(program.contains("/src/target/dist/rollcall "), "the profile that was built: {program}");
    // The dependencies are built with the settings of cargo.
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/config.toml").exists());
}

#[test]
fn the_image_runs_as_a_user_that_can_read_its_settings_and_knows_certificates() {
    let stages = stages();
    let image = stages.last().unwrap();
    let run = all(image, "RUN").join(" && ");
    assert!(run.contains("install --yes --no-install-recommends ca-certificates"), "{run}");
    assert!(run.contains("rm -rf /var/lib/apt/lists/*"), "{run}");
    // A number: Kubernetes refuses `runAsNonRoot` with a name.
    assert_eq!(all(image, "USER"), ["10001:10001"]);
    for made in ["groupadd --gid 10001", "useradd --uid 10001 --gid 10001", "-m 700 -o 10001 -g 10001"] {
        assert!(run.contains(made), "{made}: {run}");
    }
    assert_eq!(all(image, "VOLUME"), ["/var/lib/rollcall"]);
    assert_eq!(all(image, "STOPSIGNAL"), ["SIGTERM"]);
    assert!(all(image, "HEALTHCHECK")[0].ends_with("CMD [\"/usr/local/bin/rollcall\", \"check-health\"]"));
    // `docker run -P` publishes the exposed ports: never the admin listener.
    assert_eq!(all(image, "EXPOSE"), ["8787"]);
    let guide = include_str!("../../../docs/operations.md");
    for said in ["chown root:10001 config.toml", "chmod 640 config.toml"] {
        assert!(guide.contains(said) && shipped("Dockerfile").contains(said), "{said}");
    }
}

#[test]
fn with_the_images_environment_the_program_is_reached_and_finds_itself_healthy() {
    let environment = environment();
    assert_eq!(environment["ROLLCALL_CONFIG"], "/etc/rollcall/config.toml");
    let host = |key: &str| environment[key].rsplit_once(':').unwrap().0.to_owned();
    let (public, admin) = (host("ROLLCALL__SERVER__LISTEN"), host("ROLLCALL__SERVER__ADMIN_LISTEN"));
    assert_eq!((&*public, &*admin), ("0.0.0.0", "0.0.0.0"));
    let mut home = Home::with(OWN_APP);
    let refused =
        home.command(&["--set", &format!("server.admin_listen={admin}:0"), "check-config"]).output();
    assert_eq!(refused.unwrap().status.code(), Some(78), "nobody could sign in");
    // What the guide says to set, with the secret in a file.
    std::fs::write(home.path().join("secret"), "a secret of sixteen bytes\n").unwrap();
    let guide = include_str!("../../../docs/operations.md");
    for (name, value) in
        [("NAME", "ops"), ("ROLE", "operator"), ("SECRETS__0_FILE", "/run/secrets/rollcall-ops")]
    {
        let name = format!("ROLLCALL__CONSOLE__OPERATORS__0__{name}");
        assert!(guide.contains(&format!("-e {name}={value}")), "{name}");
        let value = value.replace("/run/secrets/rollcall-ops", home.path().join("secret").to_str().unwrap());
        home.env.push((name, value));
    }
    home.env.push(("ROLLCALL__SERVER__LISTEN".to_owned(), format!("{public}:0")));
    home.env.push(("ROLLCALL__SERVER__ADMIN_LISTEN".to_owned(), format!("{admin}:0")));
    let program = home.start_with(&[], "\"ready on ").map_err(|(_, log)| log).unwrap();
    let port = program.admin.port();
    // As a probe or Prometheus asks: by an address of the container.
    let addresses = Command::new("hostname").arg("-I").output();
    let addresses = addresses.map(|found| String::from_utf8(found.stdout).unwrap()).unwrap_or_default();
    for ip in addresses.split_whitespace().filter(|ip| !ip.contains(':')).chain(["127.0.0.1"]) {
        let host = format!("{ip}:{port}");
        let ask = format!("GET /readyz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = parse(&raw(host.parse().unwrap(), ask.as_bytes()).unwrap()).unwrap();
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
    let check = |port: u16| {
        let at = format!("server.admin_listen={admin}:{port}");
        home.command(&["--set", &at, "check-health"]).output().unwrap().status.code()
    };
    assert_eq!(check(port), Some(0));
    program.stop();
    assert_eq!(check(port), Some(69));
}

/// The settings of mode 640 are read through the image's group, and through no other.
#[test]
fn the_images_user_reads_settings_that_its_group_may_read() {
    let home = Home::with(OWN_APP);
    let program = home.path().join("rollcall");
    std::fs::copy(env!("CARGO_BIN_EXE_rollcall"), &program).unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let settings = home.path().join("settings.toml");
    std::fs::write(&settings, OWN_APP).unwrap();
    std::fs::set_permissions(&settings, Permissions::from_mode(0o640)).unwrap();
    let owned = chown(&settings, Some(0), Some(10001));
    require!(owned.map_err(|why| Missing::new(format!("a file cannot be given to another group: {why}"))));
    // The data folder belongs to the image's user.
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    chown(&data, Some(10001), Some(10001)).unwrap();
    for (group, code) in [(10001, 0), (10002, 78)] {
        let mut command = Command::new(&program);
        command.args(["check-config", "--config"]).arg(&settings).current_dir(&data);
        let output = command.uid(10001).gid(group).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{group}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The files copied into the build are those that the build needs, and no others.
#[test]
fn the_build_has_every_file_that_is_compiled_in() {
    let ignored = shipped("Dockerfile.dockerignore");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut needed: BTreeSet<String> =
        [".cargo", "Cargo.toml", "Cargo.lock", "config.toml", "src"].map(String::from).into();
    for file in files(&root.join("src"), "rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        for part in text.split("include_str!(\"").chain(text.split("include_bytes!(\"")).skip(1) {
            let path = part.split('"').next().unwrap();
            let embedded = file.parent().unwrap().join(path);
            let Ok(embedded) = embedded.canonicalize() else { continue };
            let top = embedded.strip_prefix(root).unwrap().iter().next().unwrap();
            needed.insert(top.to_string_lossy().into_owned());
        }
    }
    assert!(needed.len() > 5, "what is embedded is found: {needed:?}");
    let copied: BTreeSet<String> =
        ignored.lines().filter_map(|line| line.strip_prefix('!')).map(str::to_owned).collect();
    assert_eq!(copied, needed);
}
