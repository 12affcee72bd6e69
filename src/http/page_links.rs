//! Links of a paged answer: `links` in its body, and the same in a `Link` header (RFC 8288).

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Serialize;

use super::api_request::ApiRequest;

/// The name and the value of a parameter that sets the start of a page.
pub(super) type CursorParameter<'a> = (&'a str, &'a str);

/// The addresses of the next and the previous page: path and query, relative to the requested address.
#[derive(Debug, Default, Serialize)]
pub(super) struct PageLinks {
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl PageLinks {
    /// The links of a page of `call`, with its parameters except `cursors`, which set the start of a
    /// page.
    pub(super) fn of(
        request: &ApiRequest,
        cursors: &[&str],
        prev: Option<CursorParameter<'_>>,
        next: Option<CursorParameter<'_>>,
    ) -> Self {
        let link = |cursor| address(request, cursors, &[cursor]);
        Self { prev: prev.map(link), next: next.map(link) }
    }

    /// The link to a next page that replaces the parameters `without` by `with`.
    pub(super) fn next(request: &ApiRequest, without: &[&str], with: &[CursorParameter<'_>]) -> Self {
        Self { prev: None, next: Some(address(request, without, with)) }
    }

    /// The answer with a `Link` header, if there is a link.
    pub(super) fn head(&self, mut response: Response) -> Response {
        let named = [("prev", &self.prev), ("next", &self.next)];
        let links = named.into_iter().filter_map(|(name, address)| Some((name, address.as_ref()?)));
        let links: Vec<String> =
            links.map(|(name, address)| format!("<{address}>; rel=\"{name}\"")).collect();
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
    // Pairs of text always serialize.
    let query = serde_urlencoded::to_string(kept.chain(with.iter().copied()).collect::<Vec<_>>());
    format!("{}?{}", request.path_as_written(), query.unwrap_or_default())
}
