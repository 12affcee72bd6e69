//! `rollcall replay`: posts recorded payloads to a webhook target, as Smooch would.
//!
//! One thread reads and signs, several tasks post, and the caller counts. The channels between them are bounded, so
//! that memory does not depend on the number of payloads.

pub(super) mod payloads;
pub(super) mod post;
pub(super) mod sign;
pub(super) mod summary;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::Url;
use tokio::task::JoinSet;

use super::progress::Progress;
use super::{CommandError, admin_client};
use crate::config::{self, Settings};
use payloads::{PayloadSource, PayloadSources, names};
use post::{Poster, SignedPayload};
use sign::Signer;
use summary::{PostOutcome, ReplaySummary};

const AFTER_HELP: &str = "\
Bodies are sent byte for byte. Every answer is counted and none is retried, whether 503, 429 or none: run the replay \
again instead, since repeated events count once. No proxy is used and no redirect is followed.

The summary goes to stdout, the first ten failures and the progress to stderr. It includes bodies that rollcall put \
into quarantine, which are answered 200, and skipped entries of folders. Exit codes: 0 everything was answered 2xx, 1 \
anything was refused, unanswered or not sent, or there was nothing to send.

Examples:
  rollcall replay fixtures/webhooks
  rollcall replay --concurrency 1 fixtures/sequences/removal.jsonl
  zcat recorded.jsonl.gz | rollcall replay --rate 200 --to https://hooks.example.com/webhooks -";

/// The arguments of `rollcall replay`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct ReplayArgs {
    /// Payloads: .jsonl files with one on each line, other files with one each, folders (searched recursively
    /// for .json and .jsonl in any case, sorted by name, hidden entries skipped), or - for .jsonl on stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Id of the app whose first webhook secret signs; by default the app named in the payload, else the only
    /// app of the settings
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Number of times to post the whole set
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
    #[command(flatten)]
    posting: PostArgs,
}

/// Options of posting.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PostArgs {
    /// The target, http or https; by default /webhooks at server.listen of the settings
    #[arg(long, value_name = "URL", value_parser = target)]
    pub(super) to: Option<Url>,
    /// Signature: the secret itself as X-API-Key, as Smooch does; an HMAC-SHA256 of the body as
    /// X-Hub-Signature-256; or Standard Webhooks with webhook-id, webhook-timestamp and webhook-signature, or
    /// with Svix's names of these
    #[arg(long, value_enum, default_value = "api-key")]
    pub(super) sign: sign::SignatureScheme,
    /// Requests a second at most; by default unlimited
    #[arg(long, value_name = "N")]
    pub(super) rate: Option<NonZeroU32>,
    /// Concurrent requests, 1 to 1024; 1 preserves the order of the payloads
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) concurrency: u16,
    /// Time limit of a request; Smooch waits 20s
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = config::duration)]
    pub(super) timeout: Duration,
    /// Print the summary as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Posts everything in rounds and prints a summary on stdout. Returns the exit code: 0 if everything was answered 2xx,
/// else 1. Bodies and secrets are never printed.
///
/// # Errors
/// Nothing was posted: the app is not in the settings, its secret does not fit in a header, the target is unknown,
/// stdin is named twice, or there is no payload; or stdout cannot be written.
pub async fn run(args: &ReplayArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let posting = &args.posting;
    let signer = Signer::new(posting.sign, args.app.as_deref(), &settings.apps)?;
    let PayloadSources { sources, passed_over } = payloads::find(&args.paths);
    let stdins = sources.iter().filter(|source| **source == PayloadSource::Stdin).count();
    if stdins > 1 || args.repeat.get() > 1 && sources.iter().any(PayloadSource::is_read_once) {
        let why = "stdin, or a pipe, can be read only once: name it once, and leave --repeat out";
        return Err(CommandError::Usage(why.to_owned()).into());
    }
    let poster = posting.poster(settings)?;
    let repeat = args.repeat.get();
    let count = || Some(payloads::count(&sources)? * u64::from(repeat));
    let mut progress = Progress::new(count, "payloads")?;
    let began = Instant::now();
    let read = move |feed: &PayloadSink| {
        for _ in 0..repeat {
            read_round(&sources, &signer, feed);
        }
    };
    let mut tally = ReplaySummary::default();
    tally.passed_over = passed_over;
    post_all(posting.concurrency, poster, read, |outcome| {
        tally.add(outcome).inspect(|failure| progress.say(failure));
        progress.advance(1);
    })
    .await?;
    let took = began.elapsed();
    progress.finish();
    anyhow::ensure!(!tally.is_empty(), "nothing was sent: there is no payload in {}", names(&args.paths));
    posting.summary(&tally, took)?;
    Ok(if tally.all_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl PostArgs {
    /// # Errors
    /// The target is unknown, or https without certificates.
    pub(super) fn poster(&self, settings: &Settings) -> anyhow::Result<Poster> {
        let target = self.to.clone().map_or_else(|| default_target(settings.server.listen), Ok)?;
        Poster::new(target, self.timeout, self.rate)
    }

    /// Prints the number of further failures and the summary.
    pub(super) fn summary(&self, tally: &ReplaySummary, took: Duration) -> anyhow::Result<()> {
        if let Some(more) = tally.unnamed_failures() {
            // A closed stderr is ignored.
            let _ = writeln!(io::stderr(), "… and {more} more");
        }
        let summary = if self.json { tally.json(took).to_string() } else { tally.text(took) };
        writeln!(io::stdout(), "{summary}").context("the summary could not be printed")
    }
}

/// Takes payloads to be posted. Blocks while enough wait.
pub(super) struct PayloadSink {
    to_post: async_channel::Sender<SignedPayload>,
    outcomes: async_channel::Sender<PostOutcome>,
}

impl PayloadSink {
    /// Takes a payload, or the outcome of one that is not posted.
    pub(super) fn put(&self, request: Result<SignedPayload, PostOutcome>) {
        // Both are open unless the posting tasks have failed, which is reported elsewhere.
        let _ = match request {
            Ok(request) => self.to_post.send_blocking(request).is_ok(),
            Err(outcome) => self.outcomes.send_blocking(outcome).is_ok(),
        };
    }
}

/// Posts the payloads of `read` concurrently and calls `each` with every outcome. Returns the result of `read`.
pub(super) async fn post_all<R: Send + 'static>(
    concurrency: u16,
    poster: Poster,
    read: impl FnOnce(&PayloadSink) -> R + Send + 'static,
    mut each: impl FnMut(&PostOutcome),
) -> anyhow::Result<R> {
    let room = usize::from(concurrency);
    let (to_post, requests) = async_channel::bounded(room);
    let (to_count, outcomes) = async_channel::bounded(room);
    let feed = PayloadSink { to_post, outcomes: to_count.clone() };
    let reader = tokio::task::spawn_blocking(move || read(&feed));
    let poster = Arc::new(poster);
    let mut posting = JoinSet::new();
    for _ in 0..room {
        let (poster, requests, to_count) = (poster.clone(), requests.clone(), to_count.clone());
        posting.spawn(async move {
            while let Ok(request) = requests.recv().await {
                // The receiver lives until every sender is dropped.
                let _ = to_count.send(poster.post(request).await).await;
            }
        });
    }
    // Each loop ends when its senders are dropped.
    drop((requests, to_count));
    while let Ok(outcome) = outcomes.recv().await {
        each(&outcome);
    }
    posting.join_all().await;
    reader.await.context("reading the payloads failed")
}

/// Reads and signs all payloads once.
fn read_round(sources: &[PayloadSource], signer: &Signer, feed: &PayloadSink) {
    for source in sources {
        payloads::read(source, &mut |place, body| {
            let signed = body.and_then(|body| Ok((signer.sign(&body)?, body)));
            feed.put(match signed {
                Ok((headers, body)) => Ok(SignedPayload { place, body, headers }),
                Err(why) => Err(PostOutcome::NotSent { place, why }),
            });
        });
    }
}

pub(super) fn target(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err("must begin with http:// or https://".to_owned()),
        Err(error) => Err(format!("not a URL such as https://hooks.example.com/webhooks: {error}")),
    }
}

/// The webhook target of the service of the settings.
fn default_target(listen: SocketAddr) -> anyhow::Result<Url> {
    let Some(listen) = admin_client::reached_at(listen) else {
        let why = "server.listen has port 0, which is any free one: name the target with --to";
        return Err(CommandError::Usage(why.to_owned()).into());
    };
    Url::parse(&format!("http://{listen}/webhooks")).context("server.listen makes no URL: use --to")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ReplayArgs,
    }

    fn args(line: &str) -> Result<ReplayArgs, String> {
        let words = std::iter::once("replay").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
    }

    #[test]
    fn default_options_behave_as_smooch() {
        let args = args("fixtures -").unwrap();
        assert_eq!(args.posting.timeout, Duration::from_secs(20));
        assert_eq!(args.posting.sign, sign::SignatureScheme::ApiKey);
        assert_eq!((args.posting.concurrency, args.repeat.get(), args.posting.rate), (4, 1, None));
        assert_eq!(args.paths, [PathBuf::from("fixtures"), PathBuf::from("-")]);
    }

    #[test]
    fn nonsensical_options_are_refused() {
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
