//! The target of an export: stdout, a pipe, or a file that appears once complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::smooch::csv;
use crate::store::sqlite::{Output, OutputKind, PartialFile};

/// The files that an export may replace.
const EXPORT: OutputKind = OutputKind::Text { name: "export", is: is_export };

pub(super) enum Target {
    Stdout(io::Stdout),
    Pipe(File),
    Whole(BufWriter<Arc<File>>, PartialFile),
}

impl Target {
    /// # Errors
    /// The file must not or cannot be written.
    pub(super) fn open(name: Option<&Path>, database: &Path) -> anyhow::Result<Self> {
        let Some(name) = name else { return Ok(Self::Stdout(io::stdout())) };
        if fs::metadata(name).is_ok_and(|found| found.file_type().is_fifo()) {
            let pipe = OpenOptions::new().write(true).open(name);
            return pipe.map(Self::Pipe).with_context(|| name.display().to_string());
        }
        let part = PartialFile::new(Output::check(name, EXPORT, Some(database))?)?;
        Ok(Self::Whole(BufWriter::new(part.file()), part))
    }

    /// Syncs the file and gives it its name.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(mut out) => out.flush().context("stdout"),
            Self::Pipe(_) => Ok(()),
            Self::Whole(mut out, part) => {
                out.flush().context("the export could not be written")?;
                Ok(part.place()?)
            }
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Pipe(out) => out.write(bytes),
            Self::Whole(out, _) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Pipe(out) => out.flush(),
            Self::Whole(out, _) => out.flush(),
        }
    }
}

/// True if this is the start of an export: NDJSON, CSV, or the data of one person.
fn is_export(head: &[u8]) -> bool {
    head.starts_with(b"{\"rollcall\":")
        || head.starts_with(b"{\"app\":\"")
        || head.starts_with(&csv::header_row())
}
