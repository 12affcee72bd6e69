//! `rollcall replay`: posts recorded payloads to a running target, as Smooch would.
//!
//! One thread reads and signs, a few tasks post, and the caller counts. The channels between them are
//! bounded, so that memory does not depend on how much there is to replay.

mod payloads;
pub(super) mod post;
mod sign;
mod tally;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use tokio::task::JoinSet;

use crate::config::{self, Settings};
use payloads::Source;
use post::{Poster, Request};
use sign::Signer;
use tally::{Outcome, Tally};

/// How often the spinner of a replay without a known end turns.
const SPIN: Duration = Duration::from_millis(100);

const AFTER_HELP: &str = "\
Bodies are sent byte for byte as they are recorded. Every answer is counted and none is tried again, be it \
503, 429 or no answer at all: run the replay again instead, since what arrives twice counts once. Requests \
go straight to the target: no proxy is used and no redirect followed.

The summary goes to stdout, the first ten failures and the progress to stderr. The exit code is 0 if \
everything was answered 2xx, 1 if anything was refused, unanswered or not sent.

Examples:
  rollcall replay fixtures/webhooks
  rollcall replay --concurrency 1 fixtures/sequences/removal.jsonl
  zcat recorded.jsonl.gz | rollcall replay --rate 200 --to https://hooks.example.com/webhooks -";

/// What `rollcall replay` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// What to post: .jsonl files with a payload on each line, other files of one payload each, folders
    /// (every .json and .jsonl in them, however deep, sorted by name), or - for .jsonl on stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The target, http or https; if left out, /webhooks where the settings (server.listen) say that
    /// rollcall listens
    #[arg(long, value_name = "URL", value_parser = target)]
    to: Option<Url>,
    /// The app whose first webhook secret signs, by its id; if left out, the app that the payload
    /// names, or for a payload that names none the only app of the settings
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// How to sign: with the secret itself as X-API-Key, which is what Smooch does, or with an
    /// HMAC-SHA256 of the body as X-Hub-Signature-256
    #[arg(long, value_enum, default_value = "api-key")]
    sign: sign::Scheme,
    /// Requests a second at most; as fast as they are answered if left out
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// Requests under way at once, 1 to 1024; with 1 the order of the payloads is kept strictly
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Rounds: how many times to post the whole set
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
    /// How long to wait for an answer; 20s is what Smooch waits
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = config::duration)]
    timeout: Duration,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Posts everything once a round and prints a summary on stdout. Returns what to exit with: 0 if
/// everything was answered 2xx, else 1. Bodies and secrets are never printed.
///
/// # Errors
/// Nothing was posted, because the app is not in the settings, its secret cannot travel in a header,
/// the target cannot be told, or stdin is to be read twice; or nothing takes the summary.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let signer = Signer::new(args.sign, args.app.as_deref(), &settings.apps)?;
    let target = args.to.clone().map_or_else(|| default_target(settings.server.listen), Ok)?;
    let sources = payloads::find(&args.paths);
    match sources.iter().filter(|source| **source == Source::Stdin).count() {
        0 => {}
        1 if args.repeat.get() == 1 => {}
        _ => bail!("stdin can be read only once: name - once, and leave --repeat out"),
    }
    let poster = Poster::new(target, args.timeout, args.rate)?;
    let progress = progress(&sources, args.repeat.get())?;
    let began = Instant::now();
    let tally = replay(args, sources, signer, poster, &progress).await?;
    let took = began.elapsed();
    progress.finish_and_clear();
    if let Some(more) = tally.unnamed_failures() {
        // Whoever closed stderr still gets the summary.
        let _ = writeln!(io::stderr(), "… and {more} more");
    }
    let summary = if args.json { tally.json(took).to_string() } else { tally.text(took) };
    writeln!(io::stdout(), "{summary}").context("the summary could not be printed")?;
    Ok(if tally.all_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn replay(
    args: &Args,
    sources: Vec<Source>,
    signer: Signer,
    poster: Poster,
    progress: &ProgressBar,
) -> anyhow::Result<Tally> {
    let room = usize::from(args.concurrency);
    let (to_post, requests) = async_channel::bounded(room);
    let (to_count, outcomes) = async_channel::bounded(room);
    let (repeat, not_sent) = (args.repeat.get(), to_count.clone());
    let reader = tokio::task::spawn_blocking(move || {
        for _ in 0..repeat {
            read_round(&sources, &signer, &to_post, &not_sent);
        }
    });
    let poster = Arc::new(poster);
    let mut posting = JoinSet::new();
    for _ in 0..room {
        let (poster, requests, to_count) = (poster.clone(), requests.clone(), to_count.clone());
        posting.spawn(async move {
            while let Ok(request) = requests.recv().await {
                // Outcomes are taken until every sender of them is gone.
                let _ = to_count.send(poster.post(request).await).await;
            }
        });
    }
    // Each loop ends when nobody is left to send.
    drop((requests, to_count));
    let mut tally = Tally::default();
    while let Ok(outcome) = outcomes.recv().await {
        if let Some(failure) = tally.add(&outcome) {
            progress.suspend(|| {
                let _ = writeln!(io::stderr(), "{failure}");
            });
        }
        progress.inc(1);
    }
    posting.join_all().await;
    reader.await.context("reading the payloads failed")?;
    Ok(tally)
}

/// Reads and signs everything once. Waits while there is enough to post.
fn read_round(
    sources: &[Source],
    signer: &Signer,
    to_post: &async_channel::Sender<Request>,
    not_sent: &async_channel::Sender<Outcome>,
) {
    for source in sources {
        payloads::read(source, &mut |place, body| {
            let signed = body.and_then(|body| Ok((signer.sign(&body)?, body)));
            // Both are open while this runs, unless the posting tasks have failed, which is said elsewhere.
            let _ = match signed {
                Ok((header, body)) => to_post.send_blocking(Request { place, body, header }).is_ok(),
                Err(why) => not_sent.send_blocking(Outcome::NotSent { place, why }).is_ok(),
            };
        });
    }
}

/// A bar on stderr, or a spinner if the end is not known; neither where stderr is no terminal.
fn progress(sources: &[Source], rounds: u32) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::no_length();
    if bar.is_hidden() {
        return Ok(bar);
    }
    let template = match payloads::count(sources) {
        Some(count) => {
            bar.set_length(count * u64::from(rounds));
            "{wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left"
        }
        None => "{spinner} {human_pos} done, {per_sec}, {elapsed}",
    };
    bar.set_style(ProgressStyle::with_template(template).context("the progress cannot be shown")?);
    bar.enable_steady_tick(SPIN);
    Ok(bar)
}

pub(super) fn target(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err("must begin with http:// or https://".to_owned()),
        Err(error) => Err(format!("not a URL such as https://hooks.example.com/webhooks: {error}")),
    }
}

/// Where a service that listens there is reached from this machine.
pub(super) fn default_target(mut listen: SocketAddr) -> anyhow::Result<Url> {
    if listen.port() == 0 {
        bail!("server.listen has port 0, which is any free one: name the target with --to");
    }
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Url::parse(&format!("http://{listen}/webhooks")).context("server.listen makes no URL: use --to")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Result<Args, String> {
        let words = std::iter::once("replay").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
    }

    #[test]
    fn left_out_options_are_what_smooch_does() {
        let args = args("fixtures -").unwrap();
        assert_eq!(args.timeout, Duration::from_secs(20));
        assert_eq!(args.sign, sign::Scheme::ApiKey);
        assert_eq!((args.concurrency, args.repeat.get(), args.rate), (4, 1, None));
        assert_eq!(args.paths, [PathBuf::from("fixtures"), PathBuf::from("-")]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, said) in [
            ("", "<PATH>..."),
            ("--rate 0 x", "--rate"),
            ("--repeat 0 x", "--repeat"),
            ("--concurrency 0 x", "1..=1024"),
            ("--to localhost:8787 x", "must begin with http:// or https://"),
            ("--to /webhooks x", "not a URL"),
            ("--sign md5 x", "possible values: api-key, hmac"),
            ("--timeout 0s x", "more than zero"),
        ] {
            let error = args(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn the_default_target_is_where_the_service_is_reached_from_here() {
        let url = |listen: &str| default_target(listen.parse().unwrap()).map(String::from);
        assert_eq!(url("127.0.0.1:8787").unwrap(), "http://127.0.0.1:8787/webhooks");
        assert_eq!(url("0.0.0.0:80").unwrap(), "http://127.0.0.1/webhooks");
        assert_eq!(url("[::]:8787").unwrap(), "http://[::1]:8787/webhooks");
        assert!(url("127.0.0.1:0").unwrap_err().to_string().contains("--to"));
    }
}
