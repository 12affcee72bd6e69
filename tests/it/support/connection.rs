//! A connection that stays open for a test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::{Answer, PATIENCE, check, parse};

/// A connection that stays open, for one request after the other, or for bytes that are no request.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub fn open(to: SocketAddr) -> Self {
        Self::try_open(to).unwrap()
    }

    pub fn try_open(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new() })
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes; whether the other side still takes any.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer; `None` if the connection ends before.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut buffer = [0; 8192];
        loop {
            if let Some(answer) = self.unread_answer() {
                return Some(answer);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.unread.extend_from_slice(&buffer[..read]),
            }
        }
    }

    fn unread_answer(&mut self) -> Option<Answer> {
        let head = self.unread.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let answer = parse(&self.unread[..head])?;
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let text = String::from_utf8(self.unread.get(head..head + length)?.to_vec()).unwrap();
        self.unread.drain(..head + length);
        Some(Answer { text, ..answer })
    }

    /// A request, and its answer.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: rollcall\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        assert!(self.send([head.as_bytes(), b"\r\n", body].concat()), "the connection takes a request");
        let answer = self.answer().unwrap_or_else(|| panic!("no answer to {method} {path}"));
        check(self.stream.peer_addr().unwrap(), method, path, &answer);
        answer
    }

    /// True if the other side closes without another byte.
    pub fn closes(&mut self) -> bool {
        let ended = match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        self.unread.is_empty() && ended
    }
}
