//! Logs: to stderr, one JSON object a line, or text on a terminal.
//!
//! A thread writes the lines. Logging never blocks and never fails: lines that cannot be written, or that no reader
//! takes, are dropped and counted.

use std::io::{self, IsTerminal, Write, stderr};
use std::panic;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, LogSettings};
use crate::metrics::LOG_LINES_LOST;
use crate::request_context::RequestContext;

/// Lines that may wait to be written; more are dropped.
const WAITING: usize = 1024;
/// Time for the last lines at the end of the process.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Between two attempts to flush them.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts logging. `RUST_LOG` wins over the settings.
///
/// Only the location of a panic is logged: its text may hold personal data. Keep the result until the last line is
/// logged.
pub fn start(settings: &LogSettings) -> LastLines {
    let asked = std::env::var_os("RUST_LOG").map(|levels| levels_of(&levels.to_string_lossy())).transpose();
    let (asked, refused) = asked.map_or_else(|why| (None, Some(why)), |asked| (asked, None));
    let levels = asked.unwrap_or_else(|| Targets::new().with_default(settings.level));
    let (to_write, waiting) = sync_channel(WAITING);
    // Without a thread every line is dropped, and counted.
    _ = thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(&waiting));
    let lines = fmt::layer().log_internal_errors(false).with_writer(Lines(to_write.clone()));
    let text = match settings.format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let filtered = tracing_subscriber::registry().with(levels);
    if text {
        filtered.with(lines.with_target(false).map_event_format(WithRequest)).init();
    } else {
        let lines = lines.json().flatten_event(true).with_span_list(false);
        filtered.with(lines.map_event_format(WithRequest)).init();
    }
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic at {place}");
    }));
    if let Some(why) = refused {
        tracing::error!(why, "RUST_LOG is ignored, log.level holds: {why}");
    }
    LastLines(to_write)
}

/// Reads levels such as `warn,rollcall::http=debug`. Without any, errors are logged.
fn levels_of(text: &str) -> Result<Targets, String> {
    let levels: Vec<&str> = text.split(',').map(str::trim).filter(|level| !level.is_empty()).collect();
    if levels.is_empty() {
        return Ok(Targets::new().with_default(LevelFilter::ERROR));
    }
    // Any other word alone would be a target, and would silence all others.
    let is_known = |level: &str| {
        let is_target = level.contains('=') || level.starts_with("rollcall");
        is_target && !level.contains(' ') || level.parse::<LevelFilter>().is_ok()
    };
    if let Some(unknown) = levels.iter().find(|level| !is_known(level)) {
        return Err(format!("{unknown:?} is neither a level nor a target of rollcall"));
    }
    levels.join(",").parse().map_err(|error: ParseError| error.to_string())
}

enum Message {
    Line(Vec<u8>),
    /// Dropped once every line before it is written.
    Flush(SyncSender<()>),
}

/// Sends lines to the thread. One call of `write` is one line.
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
    // A failed write may have left part of a line; a newline ends it.
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

/// On drop, waits for a short time until all lines are written.
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
        // The error of a dropped sender is the signal that all is written.
        _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// Adds the fields of the current request to each line.
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
    ) -> std::fmt::Result {
        let _request = RequestContext::current().span().entered();
        self.0.format_event(context, line, event)
    }
}
