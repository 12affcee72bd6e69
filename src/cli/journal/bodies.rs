//! The webhook bodies of the journal as the source of a replay.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::resume::ResumePoint;
use crate::cli::listing::PAGE;
use crate::cli::replay::driver::{PayloadSink, ReplaySource};
use crate::cli::replay::payloads::{NotSent, PayloadLocation};
use crate::cli::replay::post::SignedPayload;
use crate::cli::replay::sign::Signer;
use crate::cli::replay::summary::PostOutcome;
use crate::directory::{DirectoryReader, journal::BatchBody};
use crate::ingest::maintenance::reparse_event;
use crate::store::rows::RowFilter;
use crate::store::{self, Entry, Source};

/// Entries whose bodies are read at once.
const AT_ONCE: usize = 64;
const OWN: &str = "made through our own API";
const REDUCED: &str = "reduced by an erasure";

pub(super) struct JournalBodies {
    pub(super) reader: DirectoryReader,
    pub(super) wanted: RowFilter,
    pub(super) signer: Signer,
    /// One entry was selected by its number.
    pub(super) is_named: bool,
    /// The entry that a stopped replay continues from.
    pub(super) point: Arc<ResumePoint>,
    /// Set to stop reading.
    pub(super) stop: Arc<AtomicBool>,
}

impl ReplaySource for JournalBodies {
    type End = store::Result<bool>;

    fn read(self, sink: &PayloadSink) -> Self::End {
        self.read_each(&|request| sink.put(request))
    }
}

impl JournalBodies {
    /// Calls `put` with each. Returns true if it was stopped before the end.
    pub(super) fn read_each(
        mut self,
        put: &dyn Fn(Result<SignedPayload, PostOutcome>),
    ) -> store::Result<bool> {
        let mut before = None;
        loop {
            let page = self.reader.find_entries(&self.wanted, PAGE)?;
            let Some(last) = page.last() else { return Ok(false) };
            self.wanted.continue_after(last.seq);
            for few in page.chunks(AT_ONCE) {
                for (entry, body) in few.iter().zip(self.bodies(few)?) {
                    if self.stop.load(Ordering::Relaxed) {
                        return Ok(true);
                    }
                    if let Some(why) = no_webhook(entry) {
                        put(Err(self.passed_over(entry, why)));
                    } else if let Some((batch, body)) = body {
                        if body.is_empty() {
                            put(Err(not_sent(entry, NotSent::NotKept)));
                        } else if before.replace((batch, entry.body)) != Some((batch, entry.body)) {
                            self.point.begin(entry.seq);
                            put(self.request(entry, &body));
                        }
                    } else {
                        put(Err(not_sent(entry, NotSent::Damaged)));
                    }
                    self.point.pass(entry.seq);
                }
            }
        }
    }

    /// The bodies of these entries; `None` for a missing or damaged one.
    fn bodies(&mut self, few: &[Entry]) -> store::Result<Vec<Option<BatchBody>>> {
        match self.reader.read_bodies(few, reparse_event) {
            Err(store::Error::Hole(_)) if few.len() > 1 => {
                few.chunks(1).map(|one| Ok(self.bodies(one)?.pop().flatten())).collect()
            }
            Err(store::Error::Hole(_)) => Ok(vec![None]),
            bodies => Ok(bodies?.into_iter().map(Some).collect()),
        }
    }

    fn passed_over(&self, entry: &Entry, why: &'static str) -> PostOutcome {
        if self.is_named { not_sent(entry, NotSent::NoWebhook(why)) } else { PostOutcome::PassedOver { why } }
    }

    fn request(&self, entry: &Entry, body: &[u8]) -> Result<SignedPayload, PostOutcome> {
        match self.signer.sign_as(entry.app.as_str(), body) {
            Ok(headers) => Ok(SignedPayload { place: named(entry), body: body.to_vec(), headers }),
            Err(why) => Err(not_sent(entry, why)),
        }
    }
}

fn named(entry: &Entry) -> PayloadLocation {
    PayloadLocation { file: "journal".into(), line: Some(entry.seq) }
}

fn not_sent(entry: &Entry, why: NotSent) -> PostOutcome {
    PostOutcome::NotSent { place: named(entry), why }
}

/// The reason why an entry is no original webhook, if so.
fn no_webhook(entry: &Entry) -> Option<&'static str> {
    match entry.source {
        Source::Webhook => None,
        Source::Api => Some(OWN),
        Source::Reduced => Some(REDUCED),
    }
}
