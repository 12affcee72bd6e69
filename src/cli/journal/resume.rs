//! The `--resume-file` of a replay: the next entry, and on a second line the selection and the target.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;

use crate::cli::CommandError;
use crate::cli::replay::summary::PostOutcome;
use crate::store::sqlite::{Output, OutputError, OutputKind, PartialFile};
use crate::store::{Seq, explain};

/// The files that it may replace.
const KIND: OutputKind = OutputKind::Text { name: "number of a journal entry", is: is_place };

pub(super) struct Resume {
    path: PathBuf,
    output: Output,
    /// The second line, with its end.
    meant: String,
}

impl Resume {
    /// Fails if the path is another file, or must not be written.
    pub(super) fn at(path: &Path, meant: String, database: &Path) -> anyhow::Result<Self> {
        let output = Output::check(path, KIND, Some(database)).map_err(|refusal| match refusal {
            OutputError::Other { .. } => no_place(path).into(),
            refusal => anyhow::Error::from(refusal),
        })?;
        Ok(Self { path: path.to_owned(), output, meant })
    }

    /// The next entry, if the file exists.
    /// Fails if it is of another selection or target.
    pub(super) fn read(&self, meant: RangeInclusive<Seq>) -> Result<Option<Seq>, CommandError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) if text.trim().is_empty() => return Ok(None),
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(CommandError::Io(format!("{}: {}", self.path.display(), explain(&error))));
            }
        };
        let (first, of) = text.split_once('\n').unwrap_or((&text, ""));
        let seq: Seq = first.trim().parse().map_err(|_| no_place(&self.path))?;
        let (file, remedy) = (self.path.display(), "name another --resume-file, or delete it");
        if !of.is_empty() && of != self.meant {
            let (of, is) = (of.trim(), self.meant.trim());
            let why = format!("{file} is of another replay ({of}) than this one ({is}): {remedy}");
            return Err(CommandError::Usage(why));
        }
        // After the last entry nothing is left to do.
        if !(*meant.start()..=meant.end().saturating_add(1)).contains(&seq) {
            let (from, to) = meant.into_inner();
            let why = format!(
                "{file} is of another replay: it goes on with entry {seq}, and {from} to {to} are meant: {remedy}"
            );
            return Err(CommandError::Usage(why));
        }
        Ok(Some(seq))
    }

    /// Replaces the file atomically.
    pub(super) fn write(&self, seq: Seq) -> anyhow::Result<()> {
        let part = PartialFile::new(self.output.clone())?;
        write!(part.file(), "{seq}\n{}", self.meant).context("the resume file could not be written")?;
        Ok(part.place()?)
    }
}

fn no_place(path: &Path) -> CommandError {
    CommandError::Io(format!("{}: does not begin with the number of a journal entry", path.display()))
}

fn is_place(head: &[u8]) -> bool {
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    std::str::from_utf8(first).is_ok_and(|text| text.trim().parse::<Seq>().is_ok())
}

/// The next entry: everything before it was answered 2xx or skipped.
pub(super) struct ResumePoint(Mutex<ResumeState>);

struct ResumeState {
    /// Requests in progress.
    begun: BTreeSet<Seq>,
    /// The first refused or unanswered one.
    failed: Option<Seq>,
    /// The first that is not read yet.
    next: Seq,
}

impl ResumePoint {
    pub(super) fn new(next: Seq) -> Self {
        Self(Mutex::new(ResumeState { begun: BTreeSet::new(), failed: None, next }))
    }

    fn lock(&self) -> MutexGuard<'_, ResumeState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, seq: Seq) {
        self.lock().begun.insert(seq);
    }

    pub(super) fn pass(&self, seq: Seq) {
        self.lock().next = seq + 1;
    }

    pub(super) fn complete(&self, outcome: &PostOutcome) {
        let Some(seq) = outcome.place().and_then(|place| place.line) else { return };
        let mut state = self.lock();
        state.begun.remove(&seq);
        let is_final = matches!(outcome, PostOutcome::NotSent { why, .. } if why.is_final());
        if !outcome.is_well() && !is_final {
            state.failed = Some(state.failed.map_or(seq, |failed| failed.min(seq)));
        }
    }

    /// The entry to continue from.
    pub(super) fn seq(&self) -> Seq {
        let state = self.lock();
        let first = state.begun.first().copied();
        first.into_iter().chain(state.failed).fold(state.next, Seq::min)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::replay::payloads::PayloadLocation;

    #[test]
    fn the_resume_position_is_never_behind_an_unfinished_entry() {
        let outcome = |seq, well: bool| {
            let place = PayloadLocation { file: "journal".into(), line: Some(seq) };
            let status =
                if well { reqwest::StatusCode::OK } else { reqwest::StatusCode::SERVICE_UNAVAILABLE };
            PostOutcome::Answered {
                place,
                status,
                quarantined: false,
                latency: Duration::ZERO,
                description: None,
            }
        };
        let point = ResumePoint::new(3);
        assert_eq!(point.seq(), 3);
        for seq in 3..=6 {
            point.begin(seq);
            point.pass(seq);
        }
        point.complete(&outcome(4, true));
        assert_eq!(point.seq(), 3, "the third is under way");
        point.complete(&outcome(3, true));
        assert_eq!(point.seq(), 5);
        point.complete(&outcome(6, true));
        point.complete(&outcome(5, false));
        point.pass(9);
        assert_eq!(point.seq(), 5, "it was refused");
    }
}
