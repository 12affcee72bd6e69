//! Logs: to stderr, one JSON object a line, or text on a terminal.
//!
//! A thread writes the lines. Where they cannot be written, or nobody reads them, they are counted and lost; who
//! logs neither fails nor waits.

use std::fmt;
use std::io::{self, IsTerminal, Write, stderr};
use std::panic;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogFormat, LogSettings};
use crate::metrics::LOG_LINES_LOST;
use crate::request_context::RequestContext;

/// Lines that wait while nobody reads them; more are lost.
const WAITING: usize = 1024;
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Between two tries to have them written.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts logging. `RUST_LOG` wins over the settings.
///
/// A panic is logged by its place alone: its text may hold what must not be in a log. Keep what this gives until
/// the last line is logged.
pub fn start(settings: &LogSettings) -> LastLines {
    let level = settings.level.to_string();
    let filter = EnvFilter::builder().try_from_env().unwrap_or_else(|_| EnvFilter::new(level));
    let (to_write, waiting) = sync_channel(WAITING);
    // Without a thread every line is lost, and counted.
    _ = thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(&waiting));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(Lines(to_write.clone()));
    let text = match settings.format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    if text {
        lines.with_target(false).map_event_format(WithRequest).init();
    } else {
        lines.json().flatten_event(true).with_span_list(false).map_event_format(WithRequest).init();
    }
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic at {place}");
    }));
    LastLines(to_write)
}

/// Something for the thread that writes.
enum Message {
    Line(Vec<u8>),
    /// Everything before this is to be written; then this is dropped.
    Flush(SyncSender<()>),
}

/// Where lines go. One call of `write` is one line.
struct Lines(SyncSender<Message>);

impl<'l> MakeWriter<'l> for Lines {
    type Writer = &'l Self;

    fn make_writer(&'l self) -> &'l Self {
        self
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_vec())).is_err() {
            LOG_LINES_LOST.inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(waiting: &Receiver<Message>) {
    // After a failure a part of a line may be there, which the next one must not continue.
    let mut begin: &[u8] = b"";
    for message in waiting {
        let line = match message {
            Message::Line(line) => line,
            Message::Flush(done) => {
                drop(done);
                continue;
            }
        };
        let mut stderr = stderr().lock();
        let written = stderr.write_all(begin).and_then(|()| stderr.write_all(&line));
        begin = if written.is_ok() { b"" } else { b"\n" };
        if written.is_err() {
            LOG_LINES_LOST.inc();
        }
    }
}

/// Dropped, it waits until everything is written that was logged before, though not for long.
pub struct LastLines(SyncSender<Message>);

impl Drop for LastLines {
    fn drop(&mut self) {
        let until = Instant::now() + LAST_LINES;
        let (done, written) = sync_channel(1);
        let mut flush = Message::Flush(done);
        while let Err(TrySendError::Full(again)) = self.0.try_send(flush) {
            if Instant::now() > until {
                return;
            }
            flush = again;
            thread::sleep(PAUSE);
        }
        // An error says that the other end is dropped, which is what is waited for.
        _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// Writes each line within the request that it is about.
struct WithRequest<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithRequest<F>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let _request = RequestContext::current().span().entered();
        self.0.format_event(context, line, event)
    }
}
