//! Hand-written HTTP, so that a test can send requests that no client would.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::{PATIENCE, check, proof_of};
use crate::ingress::hmac;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// `error.code` of a refusal in Smooch's shape.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Addresses of the admin listener that need no operator.
const OPEN: [&str; 4] = ["/livez", "/readyz", "/healthz", "/metrics"];

/// Headers that prove an operator.
const PROOFS: [&str; 3] = ["authorization", "cookie", "x-rollcall-session"];

/// As [`request_as_is`]; a call of the admin listener has the key of the program (see [`super::prove`]), unless it has a proof of its own.
pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let is_open = OPEN.iter().any(|open| path.starts_with(open));
    let proves = headers.iter().any(|(name, _)| PROOFS.contains(&&*name.to_lowercase()));
    let proof = if is_open || proves { None } else { proof_of(to) };
    let proof = proof.iter().map(|proof| ("authorization", proof.as_str()));
    request_as_is(to, method, path, &headers.iter().copied().chain(proof).collect::<Vec<_>>(), body)
}

/// Sends a request to the program on a separate connection; the answer must be in the document. An error is a failed
/// or broken connection.
pub fn request_as_is(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let answer = raw(to, &[head.as_bytes(), body].concat())?;
    let answer = parse(&answer).ok_or_else(|| std::io::Error::other(format!("no answer: {answer:?}")))?;
    check(to, method, path, &answer);
    Ok(answer)
}

/// Sends bytes and reads until the other side closes.
pub fn raw(to: SocketAddr, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // The other side may answer and close before it has read everything.
    _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) if !answer.is_empty() => return Ok(answer),
            Err(error) => return Err(error),
        }
    }
}

/// The first answer in the received bytes.
pub fn parse(answer: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(answer);
    let (head, text) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Some(Answer { status, headers, text: text.to_owned() })
}

pub fn basic(key_id: &str, secret: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key_id}:{secret}")))
}

pub fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Base64 as tokens have it.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of exactly these bytes, signed with HS256 regardless of the header.
pub fn signed_with(header: &str, claims: &str, secret: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    format!("{message}.{}", base64(hmac::<sha2::Sha256>(64, secret.as_bytes(), message.as_bytes())))
}
