//! A connection that is kept open, as Smooch keeps its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::{Answer, KEY_ID, KEY_SECRET, PATIENCE, SECRET, basic, encoded};

pub struct Line {
    stream: BufReader<TcpStream>,
}

impl Line {
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// The bytes of a webhook.
    pub fn webhook(body: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST /webhooks HTTP/1.1\r\nhost: here\r\nx-api-key: {SECRET}\r\ncontent-length: {length}\r\n\r\n{body}")
            .into_bytes()
    }

    /// Posts a webhook and waits for the answer.
    pub fn post(&mut self, body: &str) -> io::Result<Answer> {
        self.ask(&Self::webhook(body))
    }

    /// Looks an app user up by any of its names.
    pub fn app_user(&mut self, name: &str) -> io::Result<Answer> {
        let (name, credentials) = (encoded(name), basic(KEY_ID, KEY_SECRET));
        self.ask(
            format!("GET /v1/appusers/{name} HTTP/1.1\r\nhost: here\r\nauthorization: {credentials}\r\n\r\n")
                .as_bytes(),
        )
    }

    /// Sends bytes, without waiting for anything.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        self.answer()
    }

    pub fn answer(&mut self) -> io::Result<Answer> {
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if !line.ends_with("\r\n") {
                return Err(broken());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let mut lines = lines.into_iter();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(broken)?;
        let headers = lines.filter_map(|line| {
            line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        });
        let mut answer = Answer { status, headers: headers.collect(), text: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).ok_or_else(broken)?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        answer.text = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }
}
