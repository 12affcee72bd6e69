//! Where a paged answer goes on: `links` in its body, and the same in a `Link` header (RFC 8288).

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Serialize;

use super::api_request::ApiRequest;

/// A parameter that says where a page begins, and what it says.
pub(super) type CursorParameter<'a> = (&'a str, &'a str);

/// The addresses of the pages before and after one: the path and the query, to be resolved against the address
/// that was asked.
#[derive(Debug, Default, Serialize)]
pub(super) struct PageLinks {
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl PageLinks {
    /// Those of a page of `call`. They have its parameters, but for those in `cursors`, which say where a page begins.
    pub(super) fn of(
        request: &ApiRequest,
        cursors: &[&str],
        prev: Option<CursorParameter<'_>>,
        next: Option<CursorParameter<'_>>,
    ) -> Self {
        let link = |cursor| address(request, cursors, &[cursor]);
        Self { prev: prev.map(link), next: next.map(link) }
    }

    /// The link to a next page that has some parameters of `call`'s no more and others instead.
    pub(super) fn next(request: &ApiRequest, without: &[&str], with: &[CursorParameter<'_>]) -> Self {
        Self { prev: None, next: Some(address(request, without, with)) }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [("prev", &self.prev), ("next", &self.next)]
            .into_iter()
            .filter_map(|(name, link)| Some((name, link.as_ref()?)))
    }

    /// The answer with a `Link` header, if there is anywhere to go.
    pub(super) fn head(&self, mut response: Response) -> Response {
        let links: Vec<String> =
            self.named().map(|(name, address)| format!("<{address}>; rel=\"{name}\"")).collect();
        if let Ok(links) = HeaderValue::try_from(links.join(", "))
            && !links.is_empty()
        {
            response.headers_mut().insert(header::LINK, links);
        }
        response
    }
}

fn address(request: &ApiRequest, without: &[&str], with: &[CursorParameter<'_>]) -> String {
    let kept = request.query.iter().map(|(name, value)| (&**name, &**value));
    let kept = kept.filter(|(name, _)| !without.contains(name));
    // Pairs of text: they can always be written.
    let query = serde_urlencoded::to_string(kept.chain(with.iter().copied()).collect::<Vec<_>>());
    format!("{}?{}", request.path_as_asked(), query.unwrap_or_default())
}
