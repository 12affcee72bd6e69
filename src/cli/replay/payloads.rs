//! Recorded payloads: finds and reads the files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirEntry, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::smooch::json::is_blank;
use crate::store::explain;

/// Bytes of one payload at most. Smooch's have a few thousand; the bound protects memory from other files.
const LARGEST: usize = 16 << 20;
/// Characters of an app id that are shown; real ones have 24.
const SHOWN: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PayloadSource {
    /// A file with one payload.
    Whole(PathBuf),
    /// A file with a payload on each line that is not blank.
    Lines(PathBuf),
    /// The same, on stdin.
    Stdin,
    /// An unusable path.
    Nothing(PathBuf, NotSent),
}

/// The file of a payload, and its line in a file of several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PayloadLocation {
    /// The path as given.
    pub(crate) file: Arc<str>,
    /// From 1.
    pub(crate) line: Option<u64>,
}

impl PayloadSource {
    /// True if it can be read only once, as a pipe.
    pub(crate) fn is_read_once(&self) -> bool {
        match self {
            Self::Stdin => true,
            Self::Whole(path) | Self::Lines(path) => path.metadata().is_ok_and(|found| !found.is_file()),
            Self::Nothing(..) => false,
        }
    }
}

impl fmt::Display for PayloadLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum NotSent {
    /// The file or folder could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// A folder without payloads.
    #[error("has no .json and no .jsonl in it")]
    EmptyFolder,
    /// Above the size limit.
    #[error("larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    /// Not JSON, with the error.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// Names an app that is not in the settings.
    #[error("names the app {:?}, which is not in the settings: name one of theirs with --app", first(.0))]
    UnknownApp(String),
    /// Names no app, and the settings have several.
    #[error("names no app, and the settings have several: name one with --app")]
    NoApp,
    /// A journal entry whose body retention removed.
    #[error("its body was removed ([retention] of the settings)")]
    NotKept,
    /// A journal entry with a missing or wrong body.
    #[error("its body is missing or damaged")]
    Damaged,
    /// A journal entry that is no original webhook.
    #[error("{0}")]
    NoWebhook(&'static str),
}

impl NotSent {
    /// True if a retry cannot help.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::NotKept | Self::Damaged | Self::NoWebhook(_))
    }

    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::EmptyFolder => "empty folder",
            Self::TooLarge => "too large",
            Self::NotJson(_) => "not JSON",
            Self::UnknownApp(_) => "unknown app",
            Self::NoApp => "no app named",
            Self::NotKept => "body no longer kept",
            Self::Damaged => "body missing or damaged",
            Self::NoWebhook(why) => why,
        }
    }
}

fn first(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

pub(crate) fn names(paths: &[PathBuf]) -> String {
    let name =
        |path: &PathBuf| if path.as_os_str() == "-" { "stdin".into() } else { path.display().to_string() };
    paths.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Default)]
pub(crate) struct PayloadSources {
    pub(crate) sources: Vec<PayloadSource>,
    /// Skipped entries of folders, by reason.
    pub(crate) passed_over: BTreeMap<&'static str, u64>,
}

/// Finds the sources of these paths, in their order; the contents of a folder are sorted by name.
pub(crate) fn find(paths: &[PathBuf]) -> PayloadSources {
    let mut found = PayloadSources::default();
    for path in paths {
        if path.as_os_str() == "-" {
            found.sources.push(PayloadSource::Stdin);
        } else if path.is_dir() {
            let before = found.sources.len();
            search(path, &mut found);
            if found.sources.len() == before {
                found.sources.push(PayloadSource::Nothing(path.clone(), NotSent::EmptyFolder));
            }
        } else {
            found.sources.push(file(path.clone()));
        }
    }
    found
}

fn ends_in(path: &Path, name: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name))
}

fn file(path: PathBuf) -> PayloadSource {
    if ends_in(&path, "jsonl") { PayloadSource::Lines(path) } else { PayloadSource::Whole(path) }
}

/// Finds the sources in a folder. Hidden entries are skipped: editors, archivers and volumes store copies in them. A
/// link to a folder is not followed, since it may lead back up.
fn search(folder: &Path, found: &mut PayloadSources) {
    let mut entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>) {
        Ok(entries) => entries,
        Err(error) => {
            let why = NotSent::Unreadable(explain(&error));
            return found.sources.push(PayloadSource::Nothing(folder.to_owned(), why));
        }
    };
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let why = if entry.file_name().as_encoded_bytes().starts_with(b".") {
            "hidden"
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            search(&path, found);
            continue;
        } else if path.is_dir() {
            "a link to a folder"
        } else if ends_in(&path, "json") || ends_in(&path, "jsonl") {
            found.sources.push(file(path));
            continue;
        } else {
            "neither .json nor .jsonl"
        };
        *found.passed_over.entry(why).or_default() += 1;
    }
}

/// Counts the payloads; `None` for pipes. Reads the files with several.
pub(crate) fn count(sources: &[PayloadSource]) -> Option<u64> {
    let mut count = 0;
    for source in sources {
        match source {
            PayloadSource::Stdin => return None,
            PayloadSource::Lines(_) if source.is_read_once() => return None,
            PayloadSource::Lines(_) => read(source, &mut |_, _| count += 1),
            PayloadSource::Whole(_) | PayloadSource::Nothing(..) => count += 1,
        }
    }
    Some(count)
}

/// Calls `each` with every payload of a source, as recorded, or with the reason why it cannot be read.
pub(crate) fn read(source: &PayloadSource, each: &mut dyn FnMut(PayloadLocation, Result<Vec<u8>, NotSent>)) {
    let unreadable = |error: io::Error| NotSent::Unreadable(error.to_string());
    let place = |path: &Path| PayloadLocation { file: path.display().to_string().into(), line: None };
    match source {
        PayloadSource::Whole(path) => each(place(path), whole(path).map_err(unreadable).flatten()),
        PayloadSource::Lines(path) => match File::open(path) {
            Ok(file) => read_lines(&place(path).file, BufReader::new(file), each),
            Err(error) => each(place(path), Err(unreadable(error))),
        },
        PayloadSource::Stdin => read_lines(&"stdin".into(), io::stdin().lock(), each),
        PayloadSource::Nothing(path, why) => each(place(path), Err(why.clone())),
    }
}

fn whole(path: &Path) -> io::Result<Result<Vec<u8>, NotSent>> {
    let mut body = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut body)?;
    Ok(if body.len() > LARGEST { Err(NotSent::TooLarge) } else { Ok(body) })
}

fn read_lines(
    file: &Arc<str>,
    mut input: impl BufRead,
    each: &mut dyn FnMut(PayloadLocation, Result<Vec<u8>, NotSent>),
) {
    for number in 1.. {
        let place = || PayloadLocation { file: file.clone(), line: Some(number) };
        match line(&mut input) {
            Ok(None) => return,
            Ok(Some(Ok(line))) if is_blank(&line) => {}
            Ok(Some(line)) => each(place(), line),
            Err(error) => return each(place(), Err(NotSent::Unreadable(error.to_string()))),
        }
    }
}

/// The next line, without its end; `None` after the last.
fn line(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, NotSent>>> {
    let mut line = Vec::new();
    // Two more than the limit, for the end of the line.
    if input.by_ref().take(LARGEST as u64 + 2).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let ended = line.pop_if(|byte| *byte == b'\n').is_some();
    if ended {
        line.pop_if(|byte| *byte == b'\r');
    }
    if line.len() <= LARGEST {
        return Ok(Some(Ok(line)));
    }
    if !ended {
        input.skip_until(b'\n')?;
    }
    Ok(Some(Err(NotSent::TooLarge)))
}
