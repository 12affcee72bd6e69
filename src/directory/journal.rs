//! Entries of the journal with the bodies in which they came.

use bytes::Bytes;

use super::reader::DirectoryReader;
use crate::domain::{CallMade, CalledBy};
use crate::format::bodies::unpack;
use crate::store::rows::Rows;
use crate::store::tables::{BodySize, EntryTime, Gap, Horizon, PackedBodies};
use crate::store::{CompactionPoint, Entry, Error, ReadEvent, ReadRow as _, Result, Seq, Source, event};

/// Bytes of unpacked bodies beyond which [`DirectoryReader::describe_bodies`] unpacks no further batch.
const DESCRIBED_BYTES: usize = 64 << 20;

/// A body of the journal, and the first entry of its batch: with [`Entry::body`], that identifies the body.
pub type BatchBody = (Seq, Bytes);

/// The bodies of the batch that begins with this entry.
///
/// # Errors
/// [`Error::Damaged`] if they are missing or cannot be unpacked.
pub fn read_batch(rows: &dyn Rows, first: Seq) -> Result<Vec<Bytes>> {
    let packed = PackedBodies::find(rows, &first)?;
    let packed = packed.ok_or_else(|| Error::Damaged("bodies are missing".to_owned()))?;
    Ok(unpack(packed.dictionary, &packed.bytes)?)
}

/// The first entry of the batch that this entry was committed in; absent if its bodies are deleted.
pub fn first_of_batch(rows: &dyn Rows, seq: Seq) -> Result<Option<Seq>> {
    let batch = BodySize::select().up_to("first_seq", &seq).descending().first(rows)?;
    Ok(batch.map(|batch| batch.first))
}

/// The entries of the batch that begins with this one.
pub fn entries_of_batch(rows: &dyn Rows, first: Seq) -> Result<Vec<Entry>> {
    let next = BodySize::select().after(&first).first(rows)?;
    let last = next.map_or(Seq::MAX, |next| next.first - 1);
    Entry::select().from("seq", &first).up_to("seq", &last).read(rows)
}

/// The number of the last entry, existing or compacted; 0 if there is none.
pub fn last_entry_seq(rows: &dyn Rows) -> Result<Seq> {
    let last = EntryTime::select().descending().first(rows)?;
    Ok(last.map_or(0, |last| last.seq).max(Horizon::only(rows)?.seq))
}

/// The bodies of the batch that was read last.
#[derive(Default)]
pub struct UnpackedBatch(Option<(Seq, Vec<Bytes>)>);

impl UnpackedBatch {
    /// The bytes of its bodies.
    fn bytes(&self) -> usize {
        self.0.iter().flat_map(|(_, bodies)| bodies).map(Bytes::len).sum()
    }

    /// The body that an entry came in, with the first number of its batch; empty if the bodies are deleted. If the row
    /// of the batch is lost, the body may be that of an earlier one: [`event`] notices.
    ///
    /// # Errors
    /// [`Error::Hole`] if the body is missing or damaged.
    pub fn body(&mut self, rows: &dyn Rows, entry: &Entry) -> Result<BatchBody> {
        let first = first_of_batch(rows, entry.seq)?;
        if let Some(first) = first.filter(|first| self.0.as_ref().is_none_or(|(known, _)| known != first)) {
            let unpacked = read_batch(rows, first).map_err(|error| match error {
                Error::Damaged(_) => Error::Hole(entry.seq),
                error => error,
            })?;
            self.0 = Some((first, unpacked));
        }
        let batch = self.0.as_ref().filter(|(known, _)| Some(*known) == first);
        if let Some((first, body)) = batch.and_then(|(first, all)| Some((*first, all.get(entry.body)?))) {
            return Ok((first, body.clone()));
        }
        if entry.seq <= Horizon::only(rows)?.seq {
            return Ok((first.unwrap_or(0), Bytes::new()));
        }
        Err(Error::Hole(entry.seq))
    }
}

/// The body that each of these entries came in, with the first number of its batch.
pub fn bodies_of(rows: &dyn Rows, entries: &[Entry]) -> Result<Vec<BatchBody>> {
    let mut batch = UnpackedBatch::default();
    entries.iter().map(|entry| batch.body(rows, entry)).collect()
}

/// What a number of the journal stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryState {
    /// An entry.
    Present(Box<Entry>),
    /// One that retention deleted; `oldest` is the first that remains.
    Trimmed {
        /// Its number.
        oldest: Seq,
    },
    /// One that was deleted with the app users that it was about.
    Erased,
    /// None: no entry has this number yet.
    NotGiven,
}

/// What of an entry is stored as received.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryContent {
    /// The body of a webhook.
    Webhook(Bytes),
    /// A call to our own API.
    Call(Box<CallMade>),
    /// Only the facts that the event was decided into: an app user of it was erased, or an earlier version stored no
    /// calls.
    FactsOnly,
    /// Nothing any more.
    Deleted,
}

impl EntryContent {
    /// What the stored body of an entry holds; empty if it was deleted.
    pub fn of(entry: &Entry, body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::Deleted;
        }
        if entry.source == Source::Webhook {
            return Self::Webhook(body.clone());
        }
        let call = CallMade::of(body).filter(|call| entry.source == Source::Api && !call.erased);
        call.map_or(Self::FactsOnly, |call| Self::Call(Box::new(call)))
    }

    /// The bytes as received; `None` if there were none, or they are not stored.
    pub fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Webhook(body) => Some(body.clone()),
            Self::Call(call) => call.body.as_ref().map(|body| Bytes::from(body.clone())),
            Self::FactsOnly | Self::Deleted => None,
        }
    }
}

/// What a list tells of the body of an entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BodySummary {
    /// It is stored as received.
    pub is_kept: bool,
    /// Its size; `None` if it is not known.
    pub bytes: Option<usize>,
    /// The call that it came in, without its body.
    pub call: Option<CallMade>,
}

impl DirectoryReader {
    /// What a number stands for.
    ///
    /// # Errors
    /// [`Error::Hole`] if the entry is lost.
    pub fn find_entry(&self, seq: Seq) -> Result<EntryState> {
        let rows = self.snapshot()?;
        if let Some(entry) = Entry::find(&*rows, &seq)? {
            return Ok(EntryState::Present(Box::new(entry)));
        }
        let CompactionPoint { folded, oldest, .. } = CompactionPoint::read(&*rows)?;
        if seq == 0 || seq > last_entry_seq(&*rows)? {
            return Ok(EntryState::NotGiven);
        }
        if seq < oldest && seq <= folded {
            return Ok(EntryState::Trimmed { oldest });
        }
        let gap = Gap::select().up_to("first", &seq).descending().first(&*rows)?;
        if gap.is_some_and(|gap| seq <= gap.last) { Ok(EntryState::Erased) } else { Err(Error::Hole(seq)) }
    }

    /// The numbers of the entries that came in the same body as this one, itself included; only itself if the body was
    /// deleted.
    pub fn find_entries_of_body(&self, entry: &Entry) -> Result<Vec<Seq>> {
        let rows = self.snapshot()?;
        let Some(first) = first_of_batch(&*rows, entry.seq)? else { return Ok(vec![entry.seq]) };
        let batch = entries_of_batch(&*rows, first)?.into_iter();
        Ok(batch.filter(|other| other.body == entry.body).map(|other| other.seq).collect())
    }

    /// What a list tells of the bodies of these entries. A damaged body counts as one that is not stored. Batches are
    /// unpacked up to a bound; behind it the size is not told, nor the call.
    pub fn describe_bodies(&self, entries: &[Entry]) -> Result<Vec<BodySummary>> {
        let rows = self.snapshot()?;
        let (mut batch, mut unpacked, mut last) = (UnpackedBatch::default(), 0, None);
        let describe = |entry: &Entry| {
            let first = first_of_batch(&*rows, entry.seq)?;
            let is_known = first == last;
            if !is_known && unpacked >= DESCRIBED_BYTES {
                let is_kept = first.is_some() && entry.source == Source::Webhook;
                return Ok(BodySummary { is_kept, ..BodySummary::default() });
            }
            let body = match batch.body(&*rows, entry) {
                Err(Error::Hole(_)) => return Ok(BodySummary::default()),
                body => body?.1,
            };
            if !is_known {
                unpacked += batch.bytes();
                last = first;
            }
            let content = EntryContent::of(entry, &body);
            let bytes = content.bytes().map(|bytes| bytes.len());
            let call = match content {
                EntryContent::Call(call) => Some(CallMade { body: None, ..*call }),
                // What remains of a call after an erasure still has its caller.
                EntryContent::FactsOnly if entry.source == Source::Api => CallMade::of(&body),
                _ => None,
            };
            Ok(BodySummary { is_kept: bytes.is_some(), bytes, call })
        };
        entries.iter().map(describe).collect()
    }

    /// The number of the last entry; 0 if there is none.
    pub fn last_entry_seq(&self) -> Result<Seq> {
        last_entry_seq(&*self.snapshot()?)
    }

    /// Who made the call of each of these entries; `None` for a webhook, and where the call is not stored.
    pub fn find_callers(&self, entries: &[Entry]) -> Result<Vec<Option<CalledBy>>> {
        let (rows, mut batch) = (self.snapshot()?, UnpackedBatch::default());
        let mut caller = |entry: &Entry| match batch.body(&*rows, entry) {
            Ok((_, body)) => Ok(CallMade::of(&body).map(CallMade::by)),
            Err(Error::Hole(_)) => Ok(None),
            Err(error) => Err(error),
        };
        let callers = entries.iter().map(|entry| match entry.source {
            Source::Api => caller(entry),
            Source::Webhook | Source::Reduced => Ok(None),
        });
        callers.collect()
    }

    /// What of each of these entries is stored as received; `None` if that is missing or damaged.
    pub fn read_contents(&self, entries: &[Entry]) -> Result<Vec<Option<EntryContent>>> {
        let rows = self.snapshot()?;
        let mut batch = UnpackedBatch::default();
        let content = |entry: &Entry| match batch.body(&*rows, entry) {
            Ok((_, body)) => Ok(Some(EntryContent::of(entry, &body))),
            Err(Error::Hole(_)) => Ok(None),
            Err(error) => Err(error),
        };
        entries.iter().map(content).collect()
    }

    /// The body of each of these entries, with the first number of its batch; empty if it was deleted.
    ///
    /// # Errors
    /// [`Error::Hole`] if a body is missing or damaged, or is that of another entry.
    pub fn read_bodies(&self, entries: &[Entry], read: ReadEvent) -> Result<Vec<BatchBody>> {
        let bodies = bodies_of(&*self.snapshot()?, entries)?;
        for (entry, (_, body)) in entries.iter().zip(&bodies).filter(|(_, (_, body))| !body.is_empty()) {
            event(entry, body, read)?;
        }
        Ok(bodies)
    }
}
