//! The sources of the settings, as far as a reload needs them.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::problem::SettingLocation;
use super::source_file::read_text;

/// A file is complete once it has not changed for this long.
const QUIET: Duration = Duration::from_millis(200);
/// Time that a reload waits for a complete file.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two checks.
const PAUSE: Duration = Duration::from_millis(50);

/// The sources of the settings.
#[derive(Clone, PartialEq, Eq)]
pub struct SettingsOrigin {
    /// The name of the settings file.
    pub file: String,
    /// The file exists.
    pub exists: bool,
    /// The number of keys in the file.
    pub keys: usize,
    /// The location of `store.url`.
    pub store_url: SettingLocation,
    /// The location of `backup.folder`.
    pub backup_folder: SettingLocation,
    /// No source sets an app, so the embedded demo app is in force.
    pub demo_app: bool,
}

/// Sources are left out of `Debug`.
impl fmt::Debug for SettingsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Reads a settings file once it has stopped changing.
pub(super) fn read_complete(path: &Path) -> io::Result<String> {
    let began = Instant::now();
    let mut unchanged: Option<(FileStamp, Instant)> = None;
    loop {
        let metadata = path.metadata()?;
        let stamp = FileStamp::of(&metadata);
        let since = match unchanged {
            Some((known, since)) if known == stamp => since,
            _ => Instant::now(),
        };
        unchanged = Some((stamp, since));
        let is_old = metadata.modified()?.elapsed().is_ok_and(|age| age >= QUIET);
        let text = read_text(path)?;
        // Only a regular file has a size that shows a writer.
        let is_quiet = !metadata.is_file() || is_old || since.elapsed() >= QUIET;
        if is_quiet && FileStamp::of(&path.metadata()?) == stamp {
            return Ok(text);
        }
        if began.elapsed() > PATIENCE {
            return Err(io::Error::other("it is being written; reload once it is complete"));
        }
        thread::sleep(PAUSE);
    }
}

/// Identifies one state of a file: device, inode, size and time of the last write.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileStamp(u64, u64, u64, i64, i64);

impl FileStamp {
    fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec())
    }
}
