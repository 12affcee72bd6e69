//! The path of a request, word by word.

/// The words of a path, however many slashes are between them. `.0` is what follows the last one that was taken,
/// as it is written.
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
