//! `rollcall replay`: posts recorded payloads to a webhook target, as Smooch would.

pub(super) mod driver;
pub(super) mod payloads;
pub(super) mod post;
pub(super) mod sign;
pub(super) mod summary;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::Progress;
use super::{CommandError, stop_signal};
use crate::config::Settings;
use driver::{PayloadSink, PostArgs};
use payloads::{PayloadSource, PayloadSources, names};
use post::SignedPayload;
use sign::Signer;
use summary::PostOutcome;

const AFTER_HELP: &str = "\
Bodies are sent byte for byte. Every answer is counted and none is retried, whether 503, 429 or none: run the replay \
again instead, since repeated events count once. No proxy is used and no redirect is followed.

The summary goes to stdout, the first ten failures and the progress to stderr. It includes bodies that rollcall put \
into quarantine, which are answered 200, and skipped entries of folders. Exit codes: 0 everything was answered 2xx, 1 \
anything was refused, unanswered or not sent, or there was nothing to send, or a signal stopped it, 130 a \
second signal ended it. Ctrl-C and SIGTERM wait for requests in progress; a second signal does not, and ends the \
command without a summary.

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
    let progress = Progress::new(count, "payloads")?;
    let read = move |sink: &PayloadSink| {
        for source in (0..repeat).flat_map(|_| &sources) {
            payloads::read(source, &mut |place, body| {
                let signed = body.and_then(|body| Ok((signer.sign(&body)?, body)));
                sink.put(match signed {
                    Ok((headers, body)) => Ok(SignedPayload { place, body, headers }),
                    Err(why) => Err(PostOutcome::NotSent { place, why }),
                });
            });
        }
    };
    let advance = |_: &PostOutcome, progress: &mut Progress| progress.advance(1);
    let mut replayed = posting.replay(poster, read, stop_signal()?, progress, advance).await?;
    replayed.tally.passed_over = passed_over;
    anyhow::ensure!(
        replayed.is_stopped || !replayed.tally.is_empty(),
        "nothing was sent: there is no payload in {}",
        names(&args.paths)
    );
    posting.print_summary(&replayed)?;
    Ok(if replayed.tally.all_well() && !replayed.is_stopped { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
