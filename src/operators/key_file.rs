//! The key file beside the database. A process that can read it can read the database too, so its content proves an operator.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq as _;

use super::secrets::{Fingerprint, fingerprint, random_text};

/// The suffix of the key file, after the name of the database.
const SUFFIX: &str = "-key";
/// The length of a key, in characters.
const LENGTH: usize = 43;
/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The key of a service: the content of its key file.
#[derive(Clone)]
pub struct Key(String);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Key {
    /// The key itself; the caller must not leak it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is the key, in constant time.
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }

    pub(super) fn fingerprint(&self, kind: &str, text: &str) -> Fingerprint {
        fingerprint(&self.0, kind, text)
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Other users can read it, or write it.
    #[error(
        "{path} is the key of the admin listener, and other users can read or write it (mode {mode:o}): chmod 600 {path}, or \
         delete it if somebody may have read it; the next start makes a new one"
    )]
    Open {
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its content is no key.
    #[error(
        "{0} is the key of the admin listener, and has no key in it: delete it; the next start makes a new one"
    )]
    Damaged(PathBuf),
    /// There is something else in its place.
    #[error(
        "{path} is the place of the key of the admin listener, and is {what}: remove it; the next start makes a new key there"
    )]
    NoFile {
        /// Its path.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// There is none.
    #[error("{0}, the key of the admin listener, does not exist; the service makes it when it starts")]
    Missing(PathBuf),
    /// This user may not read it.
    #[error(
        "{0}, the key of the admin listener, cannot be read by this user: run the command as the user of the service, such as \
         with `runuser -u rollcall --`"
    )]
    Denied(PathBuf),
    /// It cannot be read or written.
    #[error("{path}, the key of the admin listener: {error}")]
    Io {
        /// Its path.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
}

impl KeyFileError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            ErrorKind::NotFound => Self::Missing(path.to_owned()),
            ErrorKind::PermissionDenied => Self::Denied(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), error },
        }
    }
}

/// The path of the key file of a database, whose links are followed.
pub fn key_path(database: &Path) -> PathBuf {
    let mut path = database.canonicalize().unwrap_or_else(|_| database.to_owned()).into_os_string();
    path.push(SUFFIX);
    path.into()
}

/// Reads the key of a database.
///
/// # Errors
/// There is none, other users can read it, it is damaged, or this user cannot read it.
pub fn read_key(database: &Path) -> Result<Key, KeyFileError> {
    let path = key_path(database);
    let failed = |error| KeyFileError::io(&path)(error);
    if let Some(what) = no_file(&path) {
        return Err(KeyFileError::NoFile { path, what });
    }
    let file = File::open(&path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    let mode = found.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Open { path, mode });
    }
    let mut text = String::new();
    // A file that is no text is damaged too.
    let read = file.take(LENGTH as u64 + 2).read_to_string(&mut text);
    let key = text.trim_end_matches('\n');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match read {
        Ok(_) if key.len() == LENGTH && key.bytes().all(fits) => Ok(Key(key.to_owned())),
        Err(error) if error.kind() != ErrorKind::InvalidData => Err(failed(error)),
        _ => Err(KeyFileError::Damaged(path)),
    }
}

/// What is in the place of a file, if that is none: a pipe there would hold up whoever opens it.
fn no_file(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Ok(found) if found.is_file() => None,
        Ok(found) if found.is_dir() => Some("a folder"),
        Ok(_) => Some("a pipe, a socket or a device"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            path.symlink_metadata().is_ok().then_some("a link to nothing")
        }
        Err(_) => None,
    }
}

/// Reads the key of a database, or makes one if there is none.
///
/// # Errors
/// As for [`read_key`], or it cannot be written.
pub fn read_or_make_key(database: &Path) -> Result<Key, KeyFileError> {
    match read_key(database) {
        Err(KeyFileError::Missing(path)) => {
            make(&path)?;
            read_key(database)
        }
        found => found,
    }
}

fn make(path: &Path) -> Result<(), KeyFileError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = created.map_err(KeyFileError::io(path))?;
    let written = writeln!(file, "{}", random_text()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a key would be refused by the next start.
        _ = std::fs::remove_file(path);
        KeyFileError::io(path)(error)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_and_refused_when_others_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("rollcall.db");
        let path = folder.path().join("rollcall.db-key");
        assert!(matches!(read_key(&database), Err(KeyFileError::Missing(missing)) if missing == path));
        let key = read_or_make_key(&database).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(read_or_make_key(&database).unwrap().is(key.expose()), "it is made once");
        assert!(!key.is("") && !key.is(&key.expose()[1..]) && format!("{key:?}") == "***");
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = read_or_make_key(&database).unwrap_err().to_string();
            assert!(refused.contains(&format!("chmod 600 {}", path.display())), "{mode:o}: {refused}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read_key(&database).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for damaged in [&b""[..], b"short\n", &[0xFF; 43], &[b'a'; 44], &[b' '; 43]] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(read_key(&database), Err(KeyFileError::Damaged(_))), "{damaged:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(!read_or_make_key(&database).unwrap().is(key.expose()), "another one");
    }
}
