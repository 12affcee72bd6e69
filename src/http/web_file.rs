//! Files of our own pages, as browsers get them.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;

/// A page loads nothing from elsewhere, calls this listener only, is in no frame, and makes no HTML of strings.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// How long a browser may use its copy of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caching {
    /// It asks each time.
    Ask,
    /// For ever: another content has another address.
    #[cfg(feature = "console")]
    Forever,
}

/// The answer with a file of this name.
pub(super) fn answer(name: &str, content: impl Into<Body>, caching: Caching) -> Response {
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    };
    let caching = match caching {
        Caching::Ask => "no-cache",
        #[cfg(feature = "console")]
        Caching::Forever => "public, max-age=31536000, immutable",
    };
    let mut response = Response::new(content.into());
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
