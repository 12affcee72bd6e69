//! The door of the admin listener: who may pass it.

mod commands;
mod names;
mod routes;
mod scope;
mod secrets;
mod sessions;
mod settings;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::support::{APP, Answer, PATIENCE, Program, parse, request_as_is};

/// The demo app and another one.
pub const APPS: &str = r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
webhook_secrets = ["demo-webhook-secret"]
app_token = "demo-app-token"
keys = [{ id = "app_demo", secret = "demo-key-secret-change-me" }]
[[apps]]
id = "other"
webhook_secrets = ["the secret of the other app"]
"#;

/// Sends a request from this address of the machine, and reads the head of the answer.
pub fn ask_from(
    from: &str,
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, Vec<(String, String)>) {
    let mut stream = connect(from, to);
    write_request(&mut stream, to, method, path, headers);
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    while !received.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "{method} {path}: {}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&buffer[..read]);
    }
    let answer = parse(&received).unwrap();
    (answer.status, answer.headers)
}

fn write_request(stream: &mut TcpStream, to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {to}\r\n"));
    }
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\n{{}}").as_bytes()).unwrap();
}

/// A connection from this address of the machine.
fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        socket.connect(to).await.unwrap()
    });
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A stream of changes on the admin listener.
pub struct Stream(TcpStream);

impl Stream {
    pub fn open(program: &Program, headers: &[(&str, &str)]) -> Self {
        let mut stream = connect("127.0.0.1", program.admin);
        let headers = [headers, &[("accept", "text/event-stream")]].concat();
        write_request(&mut stream, program.admin, "GET", &format!("/v1/apps/{APP}/changes"), &headers);
        let mut buffer = [0; 12];
        stream.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"HTTP/1.1 200");
        Self(stream)
    }

    /// Waits for the end of the stream.
    pub fn ends(mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("the stream ends");
        assert!(rest.ends_with(b"0\r\n\r\n"), "the answer is complete");
    }
}

/// POSTs JSON to the admin listener, with these headers alone.
pub fn post(program: &Program, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers = [headers, &[("content-type", "application/json")]].concat();
    request_as_is(program.admin, "POST", path, &headers, body.to_string().as_bytes()).unwrap()
}

/// Signs in with a name and a secret.
pub fn sign_in(program: &Program, name: &str, secret: &str) -> Answer {
    post(program, "/session", &[], &json!({ "name": name, "secret": secret }))
}

/// The status of GET `/session` with these headers alone.
pub fn who(program: &Program, headers: &[(&str, &str)]) -> u16 {
    request_as_is(program.admin, "GET", "/session", headers, b"").unwrap().status
}
