//! The path of a request as segments, and the names in it.

use percent_encoding::percent_decode_str;

/// The segments of a path, with any number of slashes between them. `.0` is the rest after the last
/// segment taken, as written.
pub(super) struct PathSegments<'p>(pub(super) &'p str);

impl<'p> Iterator for PathSegments<'p> {
    type Item = &'p str;

    fn next(&mut self) -> Option<&'p str> {
        let path = self.0.trim_start_matches('/');
        let (word, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

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
