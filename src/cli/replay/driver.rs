//! The driver of a replay: reads a source, posts its payloads and counts the outcomes.
//!
//! One thread reads and signs, several tasks post, and the caller counts. The channels between them are bounded, so
//! that memory does not depend on the number of payloads.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_channel::{Receiver, Sender};
use reqwest::Url;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::post::{Poster, SignedPayload};
use super::sign;
use super::summary::{PostOutcome, ReplaySummary};
use crate::cli::admin_client;
use crate::cli::progress::Progress;
use crate::config::{self, Settings};

/// A completed replay.
pub(crate) struct Replayed<E> {
    pub(crate) tally: ReplaySummary,
    pub(crate) took: Duration,
    /// What the reader returned; `None` if it was left behind, as one that waits for stdin.
    pub(crate) end: Option<E>,
    /// A signal ended it before every payload was posted.
    pub(crate) is_stopped: bool,
}

/// Options of posting.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PostArgs {
    /// The target, http or https; by default /webhooks at server.listen of the settings
    #[arg(long, value_name = "URL", value_parser = target)]
    pub(crate) to: Option<Url>,
    /// Signature: the secret itself as X-API-Key, as Smooch does; an HMAC-SHA256 of the body as
    /// X-Hub-Signature-256; or Standard Webhooks with webhook-id, webhook-timestamp and webhook-signature, or
    /// with Svix's names of these
    #[arg(long, value_enum, default_value = "api-key")]
    pub(crate) sign: sign::SignatureScheme,
    /// Requests a second at most; by default unlimited
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<NonZeroU32>,
    /// Concurrent requests, 1 to 1024; 1 preserves the order of the payloads
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,
    /// Time limit of a request; Smooch waits 20s
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = config::duration)]
    pub(crate) timeout: Duration,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl PostArgs {
    /// Fails if the target is unknown, or https without certificates.
    pub(crate) fn poster(&self, settings: &Settings) -> anyhow::Result<Poster> {
        let target = self.to.clone().map_or_else(|| default_target(settings.server.listen), Ok)?;
        Poster::new(target, self.timeout, self.rate)
    }

    /// Posts the payloads that `read` puts into the sink, on a thread of its own. Prints the first failures; calls
    /// `each` with every outcome. Once `stop` holds true, those that wait are dropped without an outcome.
    pub(crate) async fn replay<E: Send + 'static>(
        &self,
        poster: Poster,
        read: impl FnOnce(&PayloadSink) -> E + Send + 'static,
        stop: watch::Receiver<bool>,
        mut progress: Progress,
        mut each: impl FnMut(&PostOutcome, &mut Progress),
    ) -> anyhow::Result<Replayed<E>> {
        let (began, mut tally) = (Instant::now(), ReplaySummary::default());
        let room = usize::from(self.concurrency);
        let (to_post, requests) = async_channel::bounded(room);
        let (to_count, outcomes) = async_channel::bounded(room);
        let sink = PayloadSink { to_post, outcomes: to_count.clone(), offered: Cell::new(0) };
        let reader = tokio::task::spawn_blocking(move || (read(&sink), sink.offered.get()));
        let (poster, mut posting) = (Arc::new(poster), JoinSet::new());
        for _ in 0..room {
            posting.spawn(post_each(poster.clone(), requests.clone(), to_count.clone(), stop.clone()));
        }
        drop((requests, to_count));
        let post = async {
            posting.join_all().await;
            // After a stop, the reader may wait for its input.
            outcomes.close();
        };
        let mut counted = 0;
        let count = async {
            while let Ok(outcome) = outcomes.recv().await {
                counted += 1;
                tally.add(&outcome).inspect(|failure| progress.say(failure));
                each(&outcome, &mut progress);
            }
        };
        tokio::join!(post, count);
        let is_left = *stop.borrow() && !reader.is_finished();
        let read = if is_left { None } else { Some(reader.await.context("reading the payloads failed")?) };
        let is_stopped = read.as_ref().is_none_or(|(_, offered)| *offered > counted);
        let end = read.map(|(end, _)| end);
        progress.finish();
        Ok(Replayed { tally, took: began.elapsed(), end, is_stopped })
    }

    /// Prints the number of further failures and the summary.
    pub(crate) fn print_summary<E>(&self, replayed: &Replayed<E>) -> anyhow::Result<()> {
        let Replayed { tally, took, .. } = replayed;
        if let Some(more) = tally.unnamed_failures() {
            // A closed stderr is ignored.
            let _ = writeln!(io::stderr(), "… and {more} more");
        }
        if replayed.is_stopped {
            let _ = writeln!(io::stderr(), "stopped by a signal; the rest was not posted");
        }
        let summary = if self.json { tally.json(*took).to_string() } else { tally.text(*took) };
        writeln!(io::stdout(), "{summary}").context("the summary could not be printed")
    }
}

/// Takes payloads to be posted. Blocks while enough wait.
pub(crate) struct PayloadSink {
    to_post: Sender<SignedPayload>,
    outcomes: Sender<PostOutcome>,
    /// Payloads, of which each has an outcome unless a stop drops it.
    offered: Cell<u64>,
}

impl PayloadSink {
    /// Takes a payload, or the outcome of one that is not posted. Returns false if the replay has ended.
    pub(crate) fn put(&self, request: Result<SignedPayload, PostOutcome>) -> bool {
        self.offered.update(|offered| offered + 1);
        match request {
            Ok(request) => self.to_post.send_blocking(request).is_ok(),
            Err(outcome) => self.outcomes.send_blocking(outcome).is_ok(),
        }
    }
}

/// Posts requests until there are no more, or `stop` holds true.
async fn post_each(
    poster: Arc<Poster>,
    requests: Receiver<SignedPayload>,
    outcomes: Sender<PostOutcome>,
    mut stop: watch::Receiver<bool>,
) {
    let next = async || {
        let request = requests.recv().await.ok()?;
        poster.wait_for_slot().await;
        Some(request)
    };
    while let Some(request) = tokio::select! {
        biased;
        Ok(_) = stop.wait_for(|stop| *stop) => None,
        request = next() => request,
    } {
        // Open until all tasks have ended.
        let _ = outcomes.send(poster.post(request).await).await;
    }
}

pub(crate) fn target(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err("must begin with http:// or https://".to_owned()),
        Err(error) => Err(format!("not a URL such as https://hooks.example.com/webhooks: {error}")),
    }
}

fn default_target(listen: SocketAddr) -> anyhow::Result<Url> {
    let listen = admin_client::fixed_address("server.listen", listen, "name the target with --to")?;
    Url::parse(&format!("http://{listen}/webhooks")).context("server.listen makes no URL: use --to")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_target_is_where_the_service_is_reached_from_here() {
        let url = |listen: &str| default_target(listen.parse().unwrap()).map(String::from);
        assert_eq!(url("127.0.0.1:8787").unwrap(), "http://127.0.0.1:8787/webhooks");
        assert_eq!(url("0.0.0.0:80").unwrap(), "http://127.0.0.1/webhooks");
        assert_eq!(url("[::]:8787").unwrap(), "http://[::1]:8787/webhooks");
        assert!(url("127.0.0.1:0").unwrap_err().to_string().contains("--to"));
    }
}
