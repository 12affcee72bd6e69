//! The load: signed bodies over keep-alive connections, each waiting for its answer before the next.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use crate::bodies::{Random, SECRET, Writer};
use crate::histogram::Histogram;

/// Bodies have from 1,000 to 9,999 bytes, so that the length has its place in the head.
const LENGTH_DIGITS: usize = 4;

/// The app users of the events.
#[derive(Clone, Copy, Debug)]
pub enum Users {
    /// Each event is about a new app user: from this number on.
    New(u64),
    /// Any of this many, with equal probability.
    Among(u64),
    /// Any of this many, few of them often: rank k with the probability ln(1 + 1 / k) / ln(n + 1), which is Zipf's law
    /// with the exponent 1 but for the first ranks.
    Skewed(u64),
}

/// Makes requests.
pub trait Requests: 'static {
    /// Puts the next request into `out`, and nothing else; gives the bytes of its body.
    fn next(&mut self, out: &mut Vec<u8>, now: Instant) -> u64;
}

/// Makes webhooks.
pub struct Source {
    users: Users,
    writer: Writer,
    random: Random,
    head: Vec<u8>,
    started: (Instant, u64),
}

impl Source {
    /// `seed` makes the message ids of several sources different.
    pub fn new(users: Users, address: SocketAddr, seed: u64) -> Self {
        let head = format!(
            "POST /webhooks HTTP/1.1\r\nhost: {address}\r\nuser-agent: smooch-load/1\r\naccept: application/json\r\n\
             content-type: application/json\r\nx-api-key: {SECRET}\r\ncontent-length: 0000\r\n\r\n"
        );
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let started = (Instant::now(), now.as_millis() as u64);
        Self { users, writer: Writer::new(seed), random: Random(seed), head: head.into_bytes(), started }
    }
}

impl Requests for Source {
    fn next(&mut self, out: &mut Vec<u8>, now: Instant) -> u64 {
        let user = match &mut self.users {
            Users::Among(all) => self.random.below(*all),
            Users::Skewed(all) => self.random.skewed(*all),
            Users::New(next) => {
                *next += 1;
                *next - 1
            }
        };
        out.clear();
        out.extend_from_slice(&self.head);
        let (began, at) = self.started;
        self.writer.event(out, user, at + (now - began).as_millis() as u64);
        let mut length = out.len() - self.head.len();
        let bytes = length as u64;
        let end = self.head.len() - 4;
        for place in (end - LENGTH_DIGITS..end).rev() {
            out[place] = b'0' + (length % 10) as u8;
            length /= 10;
        }
        bytes
    }
}

/// The amount of load, and its duration.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub address: SocketAddr,
    pub connections: usize,
    /// Sent, but not counted.
    pub warm_up: Duration,
    pub time: Duration,
}

/// The result.
#[derive(Default)]
pub struct Outcome {
    /// Answers of 200, those of the warm-up among them.
    pub accepted: u64,
    /// Answers of anything else.
    pub refused: u64,
    /// Connections that broke.
    pub broken: u64,
    /// Requests under way when their connection broke.
    pub unanswered: u64,
    /// Of the requests counted.
    pub latencies: Histogram,
    /// Bytes of the bodies sent.
    pub bytes: u64,
    /// The first refusal or broken connection.
    pub trouble: Option<String>,
}

/// Sends until the time is over and the last answer has come. `counting` is called as the warm-up ends.
pub fn run<R: Requests>(
    plan: Plan,
    source: R,
    counting: impl FnOnce() + 'static,
) -> io::Result<(R, Outcome)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = Rc::new(RefCell::new((source, Outcome::default())));
    let (told, started) = (shared.clone(), Instant::now());
    LocalSet::new().block_on(&runtime, async move {
        let mut connections = JoinSet::new();
        for _ in 0..plan.connections {
            connections.spawn_local(connection(plan, started, told.clone()));
        }
        tokio::time::sleep(plan.warm_up).await;
        counting();
        while connections.join_next().await.is_some() {}
    });
    let shared = Rc::try_unwrap(shared).map_err(|_| io::Error::other("a connection is still open"))?;
    Ok(shared.into_inner())
}

type Shared<R> = Rc<RefCell<(R, Outcome)>>;

async fn connection<R: Requests>(plan: Plan, started: Instant, shared: Shared<R>) {
    let mut sent = false;
    if let Err(error) = requests(plan, started, &shared, &mut sent).await {
        let outcome = &mut shared.borrow_mut().1;
        outcome.broken += 1;
        outcome.unanswered += u64::from(sent);
        outcome.trouble.get_or_insert_with(|| format!("a connection broke: {error}"));
    }
}

async fn requests<R: Requests>(
    plan: Plan,
    started: Instant,
    shared: &Shared<R>,
    sent: &mut bool,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(plan.address).await?;
    stream.set_nodelay(true)?;
    let (from, until) = (started + plan.warm_up, started + plan.warm_up + plan.time);
    let (mut request, mut answer) = (Vec::with_capacity(4096), [0; 4096]);
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(());
        }
        {
            let (source, outcome) = &mut *shared.borrow_mut();
            outcome.bytes += source.next(&mut request, began);
        }
        let began = Instant::now();
        *sent = true;
        write(&mut stream, &request).await?;
        let status = read(&mut stream, &mut answer).await?;
        let took = began.elapsed();
        *sent = false;
        let outcome = &mut shared.borrow_mut().1;
        if status != 200 {
            outcome.refused += 1;
            outcome.trouble.get_or_insert_with(|| format!("an answer of {status}"));
            continue;
        }
        outcome.accepted += 1;
        if began >= from && began + took <= until {
            outcome.latencies.note(took);
        }
    }
}

/// Writes all of it.
pub async fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Reads one answer to its end; gives its status.
async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<u16> {
    let mut filled = 0;
    loop {
        let mut into = ReadBuf::new(&mut buffer[filled..]);
        // Not `try_read`: this one knows that a read which does not fill the buffer has emptied the socket.
        poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut into)).await?;
        let read = into.filled().len();
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some((status, length)) = head(&buffer[..filled])
            && filled >= length
        {
            return Ok(status);
        }
    }
}

/// The status of an answer and its length with the head, once the head is complete.
fn head(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse::<usize>().ok();
    let status = number(answer.get(9..12)?)?;
    let name = b"content-length:";
    let lines = answer[..end].split(|byte| *byte == b'\n');
    let length = lines
        .filter(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name))
        .find_map(|line| number(&line[name.len()..]));
    Some((u16::try_from(status).ok()?, end + length.unwrap_or(0)))
}
