//! Reads a file of the settings: the settings file itself, or one that holds a secret. It may be a pipe, whose writer may be
//! slow or missing: neither holds up a start for ever.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

/// Time in which a writer must open a pipe.
const OPENED_WITHIN: Duration = Duration::from_secs(2);
/// Time in which it must have written everything.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// The most bytes of such a file.
const MOST: usize = 1 << 20;

/// The text of a file.
///
/// # Errors
/// It cannot be read, is too large or not UTF-8, or is a pipe that nobody writes to, or not in time.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let is_pipe = file.metadata()?.file_type().is_fifo();
    let (began, mut read, mut piece) = (Instant::now(), Vec::new(), [0; 8192]);
    let wait = |within: Duration| {
        if began.elapsed() > within {
            let why = format!("nothing was written to it within {} s", within.as_secs());
            return Err(io::Error::new(ErrorKind::TimedOut, why));
        }
        thread::sleep(PAUSE);
        Ok(())
    };
    loop {
        match file.read(&mut piece) {
            // No writer has opened it, or one has closed it without a word.
            Ok(0) if is_pipe && read.is_empty() => wait(OPENED_WITHIN)?,
            Ok(0) => break,
            Ok(bytes) => read.extend_from_slice(&piece[..bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(WRITTEN_WITHIN)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if read.len() > MOST {
            return Err(io::Error::other(format!("it is larger than {} MiB", MOST >> 20)));
        }
    }
    String::from_utf8(read).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}
