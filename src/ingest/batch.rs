//! Builds a batch: applies each job to the loaded directory and collects what is to be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;

use super::duplicate_check::JournalIndex;
use super::job::{BatchError, RetryJob, WebhookJob, WebhookResult, encoded};
use super::load_plan::subjects;
use crate::clock::now_ms;
use crate::directory::DirectoryTransaction;
use crate::directory::batch::{Batch, Erasure};
use crate::directory::tallies::CountedBy;
use crate::domain::{
    AppId, CallMade, Digest, Event, Fact, Recent, RecordKey, SmoochId, WorkingSet, entry_body,
};
use crate::smooch::split_body::SplitBody;
use crate::store::{Actor, Entry, Error, Outcome, Quarantined, Seq, Source};

/// Maximum length of the detail stored with a quarantined body, in bytes.
const MOST_DETAIL: usize = 2048;

struct EventOrigin<'a> {
    app: &'a AppId,
    source: Source,
    /// Receive time, in ms since 1970.
    received: i64,
    /// Index of the body in the batch.
    body: usize,
    /// Index of the event in the body.
    place: usize,
}

/// Applies jobs to a directory, and collects what one transaction writes.
pub(super) struct BatchBuilder<'w> {
    pub(super) batch: Batch,
    /// The results of bodies that steps of operator jobs applied.
    pub(super) applied: Vec<WebhookResult>,
    next_seq: u64,
    /// Digests of the events of this batch.
    digests: HashSet<(AppId, Digest)>,
    duplicates: &'w mut JournalIndex,
}

impl<'w> BatchBuilder<'w> {
    pub(super) fn new(
        directory: WorkingSet,
        txn: &DirectoryTransaction<'_>,
        duplicates: &'w mut JournalIndex,
    ) -> Self {
        let batch = Batch::of_directory(directory, txn.clock(), now_ms());
        let (applied, digests) = (Vec::new(), HashSet::new());
        Self { batch, applied, next_seq: txn.next_entry(), digests, duplicates }
    }

    pub(super) fn add_webhook(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        job: &WebhookJob,
    ) -> Result<WebhookResult, BatchError> {
        let apart = self.split_erased(txn, job);
        let mut result = self.apply_events(txn, job, apart.as_ref(), None)?;
        let Some((reason, detail)) = quarantine_reason(job) else {
            self.count_unjournalled(job, &result);
            return Ok(result);
        };
        // A length may equal an erased id by chance.
        let mut headers = job.headers.lines().filter(|line| !line.starts_with("content-length:"));
        let named = headers.any(|line| txn.names_erased(&job.app, line.as_bytes()));
        result.set_quarantined(if named { 0 } else { count_unusable(job, apart.as_ref()) });
        self.count_unjournalled(job, &result);
        if result.quarantined == 0 {
            return Ok(result);
        }
        let body = apart.and_then(|apart| apart.rest).map_or(job.body.clone(), Bytes::from);
        let (app, received, headers) = (job.app.clone(), job.received, job.headers.clone());
        self.batch.quarantined.push(Quarantined { app, received, reason, detail, headers, body });
        Ok(result)
    }

    /// Counts the events of a delivery that have no journal entry.
    fn count_unjournalled(&mut self, job: &WebhookJob, result: &WebhookResult) {
        let WebhookResult { repeated, quarantined, erased, .. } = *result;
        for (name, count) in [("repeated", repeated), ("quarantined", quarantined), ("erased", erased)] {
            self.batch.counts.add(&job.app, job.received, CountedBy::Outcome, name, count as u64);
        }
    }

    /// Separates the parts of a body about erased app users from the rest; `None` if it names none of them.
    fn split_erased(&self, txn: &DirectoryTransaction<'_>, job: &WebhookJob) -> Option<SplitBody> {
        let app = &job.app;
        let is_meant = |event: &Event| self.names_erased_user(app, event);
        let meant = job.events.iter().any(|(_, event)| is_meant(event));
        (meant || txn.names_erased(app, &job.body)).then(|| {
            SplitBody::of(&job.body, |place, text| {
                let event = job.events.iter().find(|(at, _)| Some(*at) == place);
                event.is_some_and(|(_, event)| is_meant(event)) || txn.names_erased(app, text)
            })
        })
    }

    /// Applies a quarantined body. Events of it that were journalled when it came are duplicates, so the duplicate check
    /// reaches back to that time.
    pub(super) fn add_retry(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        job: &RetryJob,
    ) -> Result<Option<WebhookResult>, BatchError> {
        if self.batch.verdicts.released.contains(&job.seq) || txn.quarantined_app(job.seq)?.is_none() {
            return Ok(None);
        }
        let first = self.batch.entries.len();
        let since = job.held_since - i64::from(Recent::WINDOW) * 1000;
        let apart = self.split_erased(txn, &job.webhook);
        let mut result = self.apply_events(txn, &job.webhook, apart.as_ref(), Some(since))?;
        // The erasure removes the erased app users from a quarantined body and keeps the rest.
        result.set_quarantined(count_unusable(&job.webhook, apart.as_ref()));
        match quarantine_reason(&job.webhook) {
            Some((reason, detail)) if result.quarantined > 0 => {
                self.batch.verdicts.kept.push((job.seq, reason, detail));
            }
            _ => self.batch.verdicts.released.push(job.seq),
        }
        let is_used = result.quarantined == 0;
        self.audit_redrive(&job.by, &job.webhook.app, job.seq, (first, is_used));
        Ok(Some(result))
    }

    /// Applies an event of the journal again, which was received then (in ms since 1970). It is a duplicate, unless the
    /// entry is lost or was erased meanwhile.
    pub(super) fn add_replay(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        job: &WebhookJob,
        received: i64,
    ) -> Result<WebhookResult, BatchError> {
        let since = received - i64::from(Recent::WINDOW) * 1000;
        let apart = self.split_erased(txn, job);
        self.apply_events(txn, job, apart.as_ref(), Some(since))
    }

    /// Deletes bodies from the quarantine, and returns how many of them existed.
    pub(super) fn add_drop(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        seqs: &[Seq],
        by: &Actor,
    ) -> Result<usize, BatchError> {
        let before = self.batch.verdicts.released.len();
        let mut dropped: BTreeMap<AppId, Vec<Seq>> = BTreeMap::new();
        for seq in seqs.iter().filter(|seq| !self.batch.verdicts.released.contains(seq)) {
            if let Some(app) = txn.quarantined_app(*seq)? {
                dropped.entry(app).or_default().push(*seq);
            }
        }
        for (app, mut bodies) in dropped {
            bodies.dedup();
            self.batch.verdicts.released.extend(&bodies);
            self.audit_drop(by, app, bodies);
        }
        Ok(self.batch.verdicts.released.len() - before)
    }

    /// Applies and journals the events of a body, except duplicates: events that were journalled within the time in
    /// which the sender may repeat them or, if given, `since` a time in ms since 1970. If an event names an erased
    /// app user, only its facts about others, and only the rest of its body, are journalled.
    fn apply_events(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        job: &WebhookJob,
        apart: Option<&SplitBody>,
        since: Option<i64>,
    ) -> Result<WebhookResult, BatchError> {
        let app = &job.app;
        let mut result = WebhookResult { quarantined: job.unusable.len(), ..WebhookResult::default() };
        let (mut whole, mut duplicates) = (None, JournalIndex::default());
        for (place, event) in &job.events {
            panic_if_asked(&event.trigger);
            let place = apart.map_or(Some(*place), |apart| apart.place(*place));
            // Smooch spells an id in one way, so any other spelling of an erased id means the erased app user.
            let is_erased = |id: &SmoochId| txn.means_erased(app, id);
            let said = place
                .is_none()
                .then(|| self.without_the_erased(app, &event.clone().without_erased(is_erased)));
            if said.as_ref().is_some_and(|said| said.facts.is_empty()) {
                result.erased += 1;
                continue;
            }
            let event = said.as_ref().unwrap_or(event);
            if self.is_duplicate(txn, app, event, job.received, since, &mut duplicates)? {
                result.repeated += 1;
                continue;
            }
            let subject = &subjects(app, event)[0];
            let known = self.batch.directory.record(subject);
            result.contradicting +=
                usize::from(known.is_some_and(|known| known.recent.contradicts(&event.stamp)));
            self.apply(app, event)?;
            let outcome = if event.facts.is_empty() { Outcome::Kept } else { Outcome::Learned };
            result.learned += usize::from(outcome == Outcome::Learned);
            result.kept += usize::from(outcome == Outcome::Kept);
            let received = job.received;
            if let Some(place) = place {
                let rest =
                    || apart.and_then(|apart| apart.rest.clone()).map_or(job.body.clone(), Bytes::from);
                let body = *whole.get_or_insert_with(|| self.add_body(rest()));
                let of = EventOrigin { app, source: Source::Webhook, received, body, place };
                self.append_entry(&of, event, outcome);
            } else {
                // A merge into an erased app user erases as well.
                let said = self.without_the_erased(app, event);
                let body = self.add_body(encoded(serde_json::to_vec(&said))?.into());
                let of = EventOrigin { app, source: Source::Reduced, received, body, place: 0 };
                self.append_entry(&of, &said, outcome);
            }
        }
        Ok(result)
    }

    fn add_body(&mut self, body: Bytes) -> usize {
        self.batch.bodies.push(body);
        self.batch.bodies.len() - 1
    }

    fn names_erased_user(&self, app: &AppId, event: &Event) -> bool {
        let mut users = event.facts.iter().flat_map(Fact::users).flatten();
        users.any(|id| self.batch.directory.is_erased(app, id))
    }

    /// The event without its facts about erased app users; merges stay.
    pub(super) fn without_the_erased(&self, app: &AppId, event: &Event) -> Event {
        event.clone().without_erased(|id| self.batch.directory.is_erased(app, id))
    }

    /// Applies an event to the directory, and records the app users that it erases.
    pub(super) fn apply(&mut self, app: &AppId, event: &Event) -> Result<(), BatchError> {
        let before = self.batch.directory.erased().len();
        self.batch.directory.apply_event(app, event)?;
        let seq = self.next_seq;
        let erased = self.batch.directory.erased()[before..].iter();
        let erased = erased.map(|(key, known)| Erasure { seq, key: key.clone(), known: known.clone() });
        self.batch.erasures.extend(erased);
        Ok(())
    }

    /// True if the event was journalled within the time in which its sender may repeat it, or since the given time.
    /// Applying an older event again changes nothing.
    fn is_duplicate(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        app: &AppId,
        event: &Event,
        received: i64,
        since: Option<i64>,
        duplicates: &mut JournalIndex,
    ) -> Result<bool, Error> {
        let (subject, digest) = (&subjects(app, event)[0], &event.stamp.digest);
        let links = |since| move |from, most| txn.read_links(subject, from, since, most);
        let record = self.batch.directory.record(subject);
        match record.map(|record| record.recent.holds(&event.stamp, Recent::seconds(received))) {
            Some(Some(true)) => return Ok(true),
            // Only the journal can decide.
            Some(None) => {
                let since = received - i64::from(Recent::WINDOW) * 1000;
                let at = (subject, self.stored_head(subject));
                if self.digests.contains(&(app.clone(), *digest))
                    || self.duplicates.contains(at, digest, since, links(since))?
                {
                    return Ok(true);
                }
            }
            _ => {}
        }
        let Some(since) = since else { return Ok(false) };
        duplicates.contains((subject, self.stored_head(subject)), digest, since, links(since))
    }

    fn stored_head(&self, subject: &RecordKey) -> Option<u64> {
        let entry = self.batch.directory.entry(subject)?;
        match &entry.before {
            Some(before) => before.as_ref()?.head,
            None => entry.now.head,
        }
    }

    /// Journals an event that a call made, with the call.
    pub(super) fn append_call(
        &mut self,
        app: &AppId,
        received: i64,
        event: &Event,
        call: Option<&CallMade>,
    ) -> Result<(), BatchError> {
        let body = self.add_body(encoded(entry_body(event, call))?.into());
        self.append_entry(
            &EventOrigin { app, source: Source::Api, received, body, place: 0 },
            event,
            Outcome::Learned,
        );
        Ok(())
    }

    fn append_entry(&mut self, of: &EventOrigin<'_>, event: &Event, outcome: Outcome) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.digests.insert((of.app.clone(), event.stamp.digest));
        let subjects = subjects(of.app, event);
        let mut users = Vec::with_capacity(subjects.len());
        for (n, (app, user)) in subjects.into_iter().enumerate() {
            let record = self.batch.directory.record_mut(&app, &user);
            let stamp = (n == 0).then_some(&*event.stamp);
            let previous = record.set_journal_head(seq, stamp, of.received);
            users.push((user, previous));
        }
        self.batch.entries.push(Entry {
            seq,
            app: of.app.clone(),
            source: of.source,
            received: of.received,
            event_time: event.stamp.known_time(),
            trigger: Arc::from(&*event.trigger),
            outcome,
            digest: event.stamp.digest,
            users,
            body: of.body,
            place: of.place,
        });
    }
}

/// Counts the unusable events of a body that name no erased app user.
fn count_unusable(job: &WebhookJob, apart: Option<&SplitBody>) -> usize {
    let others = |apart: &SplitBody| {
        let used = job.events.iter().filter(|(place, _)| apart.place(*place).is_some()).count();
        apart.others() - used
    };
    apart.map_or(usize::MAX, others).min(job.unusable.len())
}

/// Why a body goes to quarantine: the reason code of its first unusable event, and the details of all, up to a limit.
fn quarantine_reason(job: &WebhookJob) -> Option<(String, String)> {
    let (reason, first) = job.unusable.first()?;
    let mut detail = first.clone();
    let mut listed = 1;
    for (_, more) in &job.unusable[1..] {
        if detail.len() + more.len() > MOST_DETAIL {
            break;
        }
        detail.push_str("; ");
        detail.push_str(more);
        listed += 1;
    }
    if listed < job.unusable.len() {
        detail.push_str(&format!("; and {} more", job.unusable.len() - listed));
    }
    Some(((*reason).to_owned(), detail))
}

/// In builds with debug assertions, the trigger named by `ROLLCALL_PANIC_ON` panics, to test that the other jobs of the
/// batch survive.
fn panic_if_asked(trigger: &str) {
    #[cfg(debug_assertions)]
    {
        static PANIC_ON: std::sync::LazyLock<Option<String>> =
            std::sync::LazyLock::new(|| std::env::var("ROLLCALL_PANIC_ON").ok());
        assert!(PANIC_ON.as_deref() != Some(trigger), "provoked");
    }
    _ = trigger;
}
