//! Entries of the journal with the bodies in which they came.

use bytes::Bytes;

use super::reader::DirectoryReader;
use crate::format::bodies::unpack;
use crate::store::rows::Rows;
use crate::store::tables::{BodySize, EntryTime, Horizon, PackedBodies};
use crate::store::{Entry, Error, ReadEvent, ReadRow as _, Result, Seq, event};

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

impl DirectoryReader {
    /// The number of the last entry; 0 if there is none.
    pub fn last_entry_seq(&self) -> Result<Seq> {
        last_entry_seq(&*self.snapshot()?)
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
