//! The console: a page in which a browser shows what the interface tells, and operates pipelines.
//!
//! The page is the same for everyone and holds nothing that is stored, so that it needs no token.
//! What it asks under `/v1` needs one, as whatever anyone asks does: the one that the page's user
//! enters. Texts of others, such as names and errors, are only ever shown in it as texts, and its
//! policy leaves nothing to them if one of them were not: no script, style or connection but its own.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

use super::answer::{self, Tag};
use super::extract::Path;
use super::node::Node;
use super::refusal::{Answer, Refusal};

/// Where the page is.
pub(crate) const PAGE: &str = "/console";
/// Where the files that it consists of are.
pub(crate) const FILE: &str = "/console/{file}";

/// The policy of the page and its files: see W3C's Content Security Policy Level 3.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; form-action 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// What keeps pages of others, and browsers' kindness, away from the console. Its own origin is told
/// to the node, because a node without tokens lets no page do anything that does not say its origin.
const GUARDS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

const INDEX: &str = include_str!("console/index.html");

/// The files that the page consists of: name, media type, text.
const FILES: [(&str, &str, &str); 9] = [
    ("console.css", STYLE, include_str!("console/console.css")),
    ("console.js", SCRIPT, include_str!("console/console.js")),
    ("figures.js", SCRIPT, include_str!("console/figures.js")),
    ("interface.js", SCRIPT, include_str!("console/interface.js")),
    ("pipelines.js", SCRIPT, include_str!("console/pipelines.js")),
    ("table.js", SCRIPT, include_str!("console/table.js")),
    ("topics.js", SCRIPT, include_str!("console/topics.js")),
    ("icon.svg", IMAGE, include_str!("console/icon.svg")),
    // A page that was loaded before the node was replaced asks for this again.
    ("version.txt", TEXT, env!("CARGO_PKG_VERSION")),
];

/// The routes of the console. OpenAPI does not tell of them: they are for browsers, not for programs.
pub(crate) fn routes() -> Router<Arc<Node>> {
    Router::new().route(PAGE, get(page)).route(FILE, get(file))
}

async fn page(headers: HeaderMap) -> Response {
    written(&headers, HTML, INDEX)
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Answer {
    let file = FILES.iter().find(|(known, _, _)| *known == name);
    let none = || Refusal::not_found("the console has no such file");
    let (_, media_type, text) = file.ok_or_else(none)?;
    Ok(written(&headers, media_type, text))
}

fn written(headers: &HeaderMap, media_type: &'static str, text: &'static str) -> Response {
    let tag = Tag::text(text);
    let mut response = match tag.is_known(headers) {
        true => tag.not_modified(),
        false => answer::body(media_type, text),
    };
    tag.put_on(&mut response);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
