//! The path of a request as segments.

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
