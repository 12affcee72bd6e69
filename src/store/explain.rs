//! Messages for errors of the system that say what to do.

use std::io::{Error, ErrorKind};

/// The message for an error about a file.
pub fn explain(error: &Error) -> String {
    let Some(code) = error.raw_os_error() else { return error.to_string() };
    let what = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => {
            "permission denied: run this as the user of the service, or change the rights"
        }
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full",
        ErrorKind::IsADirectory => "this is a folder, and a file is needed",
        ErrorKind::NotADirectory => "a part of the path is no folder",
        _ => return error.to_string(),
    };
    format!("{what} (os error {code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_explained_and_our_own_stay() {
        let missing = std::fs::File::open("/nowhere/at/all").unwrap_err();
        assert_eq!(explain(&missing), "there is no such file or folder (os error 2)");
        assert_eq!(
            explain(&Error::new(ErrorKind::NotFound, "there is no such backup")),
            "there is no such backup"
        );
    }
}
