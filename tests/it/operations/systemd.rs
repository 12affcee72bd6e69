//! The test plays systemd: a datagram socket in `NOTIFY_SOCKET`, and the watchdog's variables.

use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use crate::support::{Home, PATIENCE, first_message};

struct Systemd {
    socket: UnixDatagram,
}

impl Systemd {
    fn new(home: &mut Home) -> Self {
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        home.env.push(("NOTIFY_SOCKET".to_owned(), path.to_str().unwrap().to_owned()));
        Self { socket }
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = loop {
            match self.socket.recv(&mut buffer) {
                // A signal to the test itself, such as that of a child's end.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                received => break received.unwrap(),
            }
        };
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Everything up to the first word with this in it.
    fn until(&self, part: &str) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while !heard.last().is_some_and(|word: &String| word.contains(part)) {
            assert!(Instant::now() < end, "never told: {part}; {heard:?}");
            heard.push(self.next());
        }
        heard
    }
}

#[test]
fn systemd_is_notified_of_the_start_each_reload_and_the_stop() {
    let mut home = Home::new();
    let systemd = Systemd::new(&mut home);
    let program = home.start();
    let start = systemd.until("READY=1");
    assert!(start[..start.len() - 1].iter().all(|word| word.contains("EXTEND_TIMEOUT_USEC=")), "{start:?}");
    for wrong in [false, true] {
        home.settings = if wrong { "no_such_key = 1" } else { "[limits]\njson_depth = 32" }.to_owned();
        home.command(&["check-config"]).output().unwrap();
        program.signal("HUP");
        let reloading = systemd.next();
        let stamp = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim);
        assert!(stamp.is_some_and(|stamp| stamp.parse::<u64>().unwrap() > 0), "{reloading:?}");
        // Wrong settings are no reason to be taken for dead.
        let ready = systemd.next();
        assert!(ready.starts_with("READY=1\n"), "wrong: {wrong}: {ready:?}");
        assert_eq!(ready.contains("the last reload was refused"), wrong, "{ready:?}");
    }
    program.signal("TERM");
    assert!(systemd.next().starts_with("STOPPING=1\n"));
    assert_eq!(program.wait().0.code(), Some(0));
}

/// Another process holds the write lock of the database: the worker hangs in its batch, as on a dead disk.
#[test]
fn the_watchdog_is_notified_unless_the_worker_hangs() {
    let mut home = Home::new();
    let systemd = Systemd::new(&mut home);
    home.env.push(("WATCHDOG_USEC".to_owned(), "400000".to_owned()));
    let program = home.start();
    systemd.until("READY=1");
    for _ in 0..3 {
        systemd.until("WATCHDOG=1");
    }
    let sql = home.sql();
    sql.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| program.webhook(first_message("user-1", 1_600_000_000.0)).status);
        systemd.until("STATUS=stuck");
        // No further message until the batch proceeds, which it does by itself after a while.
        let heard = systemd.until("STATUS=ready");
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].contains("WATCHDOG=1"));
        sql.execute_batch("ROLLBACK").unwrap();
        assert_eq!(sent.join().unwrap(), 503);
    });
    assert!(program.log().contains("the worker is stuck in a batch"));
    systemd.until("WATCHDOG=1");
    assert_eq!(program.webhook(first_message("user-1", 1_600_000_000.0)).status, 200);
    program.stop();
}

/// The worker checks for work every second; between two checks it is in no batch.
#[test]
fn an_idle_service_is_never_reported_as_stuck_at_any_interval() {
    for usec in ["1000000", "2000000"] {
        let mut home = Home::new();
        let systemd = Systemd::new(&mut home);
        home.env.push(("WATCHDOG_USEC".to_owned(), usec.to_owned()));
        let program = home.start();
        systemd.until("READY=1");
        for _ in 0..8 {
            let heard = systemd.until("WATCHDOG=1");
            assert!(!heard.iter().any(|word| word.contains("stuck")), "{usec}: {heard:?}");
        }
        assert_eq!(program.webhook(first_message("user-1", 1_600_000_000.0)).status, 200);
        let log = program.stop();
        assert!(!log.contains("stuck"), "{usec}: {log}");
    }
}

#[test]
fn without_systemd_no_notification_is_sent() {
    let mut home = Home::new();
    home.env.push(("NOTIFY_SOCKET".to_owned(), home.path().join("nobody").to_str().unwrap().to_owned()));
    let program = home.start();
    assert_eq!(program.webhook(first_message("user-1", 1_600_000_000.0)).status, 200);
    let log = program.stop();
    assert!(log.contains("cannot notify systemd"), "{log}");
}
