//! A batch being worked out: what each of its jobs comes to, before anything is saved.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;

use super::failure::Failure;
use super::load_plan::subjects;
use super::queue::{Delivered, Receipt, Redriven};
use super::walks::Walks;
use crate::clock::now_ms;
use crate::domain::{AppId, Digest, Directory, Event, Fact, Key, Recent, SmoochId};
use crate::smooch::apart::Apart;
use crate::store::archive::Verdicts;
use crate::store::{Batch, Entry, Erasure, Error, Outcome, Quarantined, Seq, Source, Txn};

/// Bytes of detail kept with a body in quarantine.
const MOST_DETAIL: usize = 2048;

/// Where an event came from.
pub(super) struct Origin<'a> {
    pub(super) app: &'a AppId,
    pub(super) source: Source,
    /// In ms since 1970.
    pub(super) received: i64,
    /// Its place among the bodies of the batch.
    pub(super) body: usize,
    /// Its place in that body.
    pub(super) place: usize,
}

/// A batch being worked out.
pub(super) struct Work<'w> {
    pub(super) batch: Batch,
    next_seq: u64,
    /// The events of this batch.
    digests: HashSet<(AppId, Digest)>,
    walks: &'w mut Walks,
}

impl<'w> Work<'w> {
    pub(super) fn new(directory: Directory, txn: &impl Txn, walks: &'w mut Walks) -> Self {
        let batch = Batch {
            directory,
            entries: Vec::new(),
            bodies: Vec::new(),
            quarantined: Vec::new(),
            erasures: Vec::new(),
            verdicts: Verdicts::default(),
            answers: Vec::new(),
            clock: txn.clock(),
            now: now_ms(),
        };
        Self { batch, next_seq: txn.next_seq(), digests: HashSet::new(), walks }
    }

    pub(super) fn delivery(&mut self, txn: &mut impl Txn, given: &Delivered) -> Result<Receipt, Failure> {
        let apart = self.apart(txn, given);
        let mut receipt = self.learn_all(txn, given, apart.as_ref(), None)?;
        let Some((reason, detail)) = quarantined(given) else { return Ok(receipt) };
        // The length is a number of its own, whoever had the same.
        let mut headers = given.headers.lines().filter(|line| !line.starts_with("content-length:"));
        let named = headers.any(|line| txn.names_erased(&given.app, line.as_bytes()));
        receipt.hold(if named { 0 } else { held(given, apart.as_ref()) });
        if receipt.quarantined == 0 {
            return Ok(receipt);
        }
        let body = apart.and_then(|apart| apart.rest).map_or(given.body.clone(), Bytes::from);
        let (app, received, headers) = (given.app.clone(), given.received, given.headers.clone());
        self.batch.quarantined.push(Quarantined { app, received, reason, detail, headers, body });
        Ok(receipt)
    }

    /// A body that names somebody who is erased, taken apart; nothing of any other.
    fn apart(&self, txn: &impl Txn, given: &Delivered) -> Option<Apart> {
        let app = &given.app;
        let is_meant = |event: &Event| self.is_of_the_erased(app, event);
        let meant = given.events.iter().any(|(_, event)| is_meant(event));
        (meant || txn.names_erased(app, &given.body)).then(|| {
            Apart::of(&given.body, |place, text| {
                let event = given.events.iter().find(|(at, _)| Some(*at) == place);
                event.is_some_and(|(_, event)| is_meant(event)) || txn.names_erased(app, text)
            })
        })
    }

    /// Uses a body of the quarantine after all. What was good of it when it came, and was journalled then, is
    /// looked for as far back as that was.
    pub(super) fn redrive(
        &mut self,
        txn: &mut impl Txn,
        asked: &Redriven,
    ) -> Result<Option<Receipt>, Failure> {
        if self.batch.verdicts.released.contains(&asked.seq) || !txn.holds(asked.seq)? {
            return Ok(None);
        }
        let since = asked.held_since - i64::from(Recent::WINDOW) * 1000;
        let apart = self.apart(txn, &asked.delivered);
        let mut receipt = self.learn_all(txn, &asked.delivered, apart.as_ref(), Some(since))?;
        // What it says of others is left in it by whoever takes the erased out.
        receipt.hold(held(&asked.delivered, apart.as_ref()));
        match quarantined(&asked.delivered) {
            Some((reason, detail)) if receipt.quarantined > 0 => {
                self.batch.verdicts.kept.push((asked.seq, reason, detail));
            }
            _ => self.batch.verdicts.released.push(asked.seq),
        }
        Ok(Some(receipt))
    }

    /// Gives up bodies of the quarantine: how many of them are there.
    pub(super) fn drop_held(&mut self, txn: &mut impl Txn, seqs: &[Seq]) -> Result<usize, Failure> {
        let before = self.batch.verdicts.released.len();
        for seq in seqs {
            if !self.batch.verdicts.released.contains(seq) && txn.holds(*seq)? {
                self.batch.verdicts.released.push(*seq);
            }
        }
        Ok(self.batch.verdicts.released.len() - before)
    }

    /// Learns and journals the events of a body but for those that were journalled before: within the time
    /// in which its sender may repeat it, or, if that is given, since a time in ms since 1970. Of an event that
    /// names somebody who is erased, what it says of others is journalled, and of its body the rest.
    fn learn_all(
        &mut self,
        txn: &mut impl Txn,
        given: &Delivered,
        apart: Option<&Apart>,
        since: Option<i64>,
    ) -> Result<Receipt, Failure> {
        let app = &given.app;
        let mut receipt = Receipt { quarantined: given.unusable.len(), ..Receipt::default() };
        let (mut whole, mut walks) = (None, Walks::default());
        for (place, event) in &given.events {
            provoke(&event.trigger);
            let place = apart.map_or(Some(*place), |apart| apart.place(*place));
            // Smooch writes an id in one way, so another spelling of an erased one names the erased.
            let is_erased = |id: &SmoochId| txn.means_erased(app, id);
            let said =
                place.is_none().then(|| self.without_the_erased(app, &event.clone().without(is_erased)));
            if said.as_ref().is_some_and(|said| said.facts.is_empty()) {
                receipt.erased += 1;
                continue;
            }
            let event = said.as_ref().unwrap_or(event);
            if self.is_known(txn, app, event, given.received, since, &mut walks)? {
                receipt.repeated += 1;
                continue;
            }
            let subject = &subjects(app, event)[0];
            let known = self.batch.directory.record(subject);
            receipt.contradicting +=
                usize::from(known.is_some_and(|known| known.recent.contradicts(&event.stamp)));
            self.learn(app, event)?;
            let outcome = if event.facts.is_empty() { Outcome::Kept } else { Outcome::Learned };
            receipt.learned += usize::from(outcome == Outcome::Learned);
            receipt.kept += usize::from(outcome == Outcome::Kept);
            let received = given.received;
            if let Some(place) = place {
                let rest =
                    || apart.and_then(|apart| apart.rest.clone()).map_or(given.body.clone(), Bytes::from);
                let body = *whole.get_or_insert_with(|| self.body(rest()));
                let of = Origin { app, source: Source::Webhook, received, body, place };
                self.journal(&subjects(app, event), &of, event, outcome);
            } else {
                // A merge into the erased erases as well.
                let said = self.without_the_erased(app, event);
                let text = serde_json::to_vec(&said).map_err(|error| Failure::Job(error.to_string()))?;
                let body = self.body(text.into());
                let of = Origin { app, source: Source::Reduced, received, body, place: 0 };
                self.journal(&subjects(app, &said), &of, &said, outcome);
            }
        }
        Ok(receipt)
    }

    fn body(&mut self, body: Bytes) -> usize {
        self.batch.bodies.push(body);
        self.batch.bodies.len() - 1
    }

    fn is_of_the_erased(&self, app: &AppId, event: &Event) -> bool {
        let mut users = event.facts.iter().flat_map(Fact::users).flatten();
        users.any(|id| self.batch.directory.is_erased(app, id))
    }

    /// What an event says of those who are not erased, and of who is part of whom.
    pub(super) fn without_the_erased(&self, app: &AppId, event: &Event) -> Event {
        event.clone().without(|id| self.batch.directory.is_erased(app, id))
    }

    /// Learns what is about to be journalled, and notes whom it erases.
    pub(super) fn learn(&mut self, app: &AppId, event: &Event) -> Result<(), Failure> {
        let before = self.batch.directory.erased().len();
        self.batch.directory.learn(app, event)?;
        let seq = self.next_seq;
        let erased = self.batch.directory.erased()[before..].iter().map(|((app, id), known)| Erasure {
            seq,
            app: app.clone(),
            id: id.clone(),
            known: known.clone(),
        });
        self.batch.erasures.extend(erased);
        Ok(())
    }

    /// Whether the event was journalled before, as far back as is asked.
    fn is_known(
        &mut self,
        txn: &mut impl Txn,
        app: &AppId,
        event: &Event,
        received: i64,
        since: Option<i64>,
        walks: &mut Walks,
    ) -> Result<bool, Error> {
        let subject = &subjects(app, event)[0];
        if self.repeated(txn, subject, event, received)? {
            return Ok(true);
        }
        let Some(since) = since else { return Ok(false) };
        let head = self.stored_head(subject);
        let read = |from, most| txn.journalled(subject, from, since, most);
        walks.hold((subject, head), &event.stamp.digest, since, read)
    }

    /// Whether the event was journalled within the time in which its sender may repeat it. Beyond
    /// that, learning it again changes nothing.
    fn repeated(
        &mut self,
        txn: &mut impl Txn,
        subject: &Key,
        event: &Event,
        received: i64,
    ) -> Result<bool, Error> {
        let Some(record) = self.batch.directory.record(subject) else { return Ok(false) };
        match record.recent.holds(&event.stamp, Recent::seconds(received)) {
            Some(answer) => Ok(answer),
            None => {
                let since = received - i64::from(Recent::WINDOW) * 1000;
                if self.digests.contains(&(subject.0.clone(), event.stamp.digest)) {
                    return Ok(true);
                }
                let head = self.stored_head(subject);
                let read = |from, most| txn.journalled(subject, from, since, most);
                self.walks.hold((subject, head), &event.stamp.digest, since, read)
            }
        }
    }

    /// The subject's last entry before this batch.
    fn stored_head(&self, subject: &Key) -> Option<u64> {
        let entry = self.batch.directory.entry(subject)?;
        match &entry.before {
            Some(before) => before.as_ref()?.head,
            None => entry.now.head,
        }
    }

    pub(super) fn journal(&mut self, subjects: &[Key], of: &Origin<'_>, event: &Event, outcome: Outcome) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.digests.insert((of.app.clone(), event.stamp.digest));
        let mut users = Vec::with_capacity(subjects.len());
        for (n, (app, user)) in subjects.iter().enumerate() {
            let record = self.batch.directory.edit(app, user);
            let stamp = (n == 0).then_some(&*event.stamp);
            users.push((user.clone(), record.journalled(seq, stamp, of.received)));
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

/// The number of unusable events of a body that name no erased app user.
fn held(given: &Delivered, apart: Option<&Apart>) -> usize {
    let others = |apart: &Apart| {
        let used = given.events.iter().filter(|(place, _)| apart.place(*place).is_some()).count();
        apart.others() - used
    };
    apart.map_or(usize::MAX, others).min(given.unusable.len())
}

/// The kind of trouble that keeps a body in quarantine, and what is wrong: once, however many of its events
/// cannot be used.
fn quarantined(given: &Delivered) -> Option<(String, String)> {
    let (reason, first) = given.unusable.first()?;
    let mut detail = first.clone();
    let mut listed = 1;
    for (_, more) in &given.unusable[1..] {
        if detail.len() + more.len() > MOST_DETAIL {
            break;
        }
        detail.push_str("; ");
        detail.push_str(more);
        listed += 1;
    }
    if listed < given.unusable.len() {
        detail.push_str(&format!("; and {} more", given.unusable.len() - listed));
    }
    Some(((*reason).to_owned(), detail))
}

/// In builds with debug assertions, a trigger named by `ROLLCALL_PANIC_ON` panics the worker: the
/// one way to test what becomes of its neighbours.
fn provoke(trigger: &str) {
    #[cfg(debug_assertions)]
    {
        static PANIC_ON: std::sync::LazyLock<Option<String>> =
            std::sync::LazyLock::new(|| std::env::var("ROLLCALL_PANIC_ON").ok());
        assert!(PANIC_ON.as_deref() != Some(trigger), "provoked");
    }
    _ = trigger;
}
