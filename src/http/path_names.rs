//! The names in the path of a request.

use percent_encoding::percent_decode_str;

/// The names in a path, each decoded separately: a `%2F` in a `userId` is not a slash of the path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PathNames {
    pub(super) app: Option<String>,
    pub(super) user: Option<String>,
    pub(super) part: Option<String>,
}

impl PathNames {
    /// `/v1[/apps/{app}]/appusers[/{user}[/word[/{part}]]]`, and v2's.
    pub(super) fn of(path: &str) -> Self {
        let mut segments = path.split('/').skip(2).peekable();
        // No stored name contains NUL.
        let decode = |segment: &str| -> Option<String> {
            let text = percent_decode_str(segment).decode_utf8().ok();
            text.filter(|text| !text.contains('\0')).map(Into::into)
        };
        let app = segments.next_if_eq(&"apps").and_then(|_| segments.next());
        let app = app.map(|segment| decode(segment).unwrap_or_default());
        let user = segments.nth(1).and_then(decode);
        Self { app, user, part: segments.nth(1).and_then(decode) }
    }
}
