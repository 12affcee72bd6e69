//! Logs: to stderr, one JSON object a line, or text on a terminal.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::panic;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Log, LogFormat};
use crate::request::Request;

/// Starts logging. `RUST_LOG` wins over the settings.
///
/// A panic is logged by its place alone: its text may hold what must not be in a log.
pub fn start(settings: &Log) {
    let level = settings.level.to_string();
    let filter = EnvFilter::builder().try_from_env().unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let text = match settings.format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    if text {
        lines.with_target(false).map_event_format(Named).init();
    } else {
        lines.json().flatten_event(true).with_span_list(false).map_event_format(Named).init();
    }
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic at {place}");
    }));
}

/// Writes each line within the request that it is about.
struct Named<F>(F);

impl<S, N, F> FormatEvent<S, N> for Named<F>
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
        let _request = Request::current().span().entered();
        self.0.format_event(context, line, event)
    }
}
