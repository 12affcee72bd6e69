//! Where an export goes: stdout, or a file that is there once it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::command::Failure;

/// See the module.
pub(super) enum Target {
    Stdout(io::Stdout),
    /// A pipe or a device: there is nothing to replace.
    Through(File),
    Whole(Whole),
}

/// A file under another name until it is complete. Gone if it never is.
pub(super) struct Whole {
    out: BufWriter<File>,
    partial: PathBuf,
    name: PathBuf,
    complete: bool,
}

impl Target {
    pub(super) fn open(name: Option<&Path>) -> Result<Self, Failure> {
        let Some(name) = name else { return Ok(Self::Stdout(io::stdout())) };
        let failed = |error: io::Error| Failure::Io(format!("{}: {error}", name.display()));
        if fs::metadata(name).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return OpenOptions::new().write(true).open(name).map(Self::Through).map_err(failed);
        }
        // A link goes on pointing where it points.
        let name = name.canonicalize().unwrap_or_else(|_| name.to_owned());
        if name.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let mut partial = name.clone().into_os_string();
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = PathBuf::from(partial);
        // It is full of personal data.
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&partial);
        let out = BufWriter::new(file.map_err(failed)?);
        Ok(Self::Whole(Whole { out, partial, name, complete: false }))
    }

    /// Everything is written: on disk, and under its name.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Stdout(mut out) => out.flush().map_err(|error| Failure::Io(format!("stdout: {error}"))),
            Self::Through(_) => Ok(()),
            Self::Whole(mut whole) => {
                let done = whole.finish();
                done.map_err(|error| Failure::Io(format!("{}: {error}", whole.name.display())))
            }
        }
    }
}

impl Whole {
    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        fs::rename(&self.partial, &self.name)?;
        self.complete = true;
        let folder = self.name.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if !self.complete {
            _ = fs::remove_file(&self.partial);
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Through(out) => out.write(bytes),
            Self::Whole(whole) => whole.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Through(out) => out.flush(),
            Self::Whole(whole) => whole.out.flush(),
        }
    }
}
