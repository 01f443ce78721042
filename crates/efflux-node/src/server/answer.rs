//! What handlers answer with.

mod bounded;
mod form;
mod page;
mod payload;
mod selection;
mod stream;
mod tag;
mod written;

use axum::body::Body;
use axum::response::Response;
use efflux_flow::particle::Head;
use efflux_flow::storage::remote::wire::{HEAD_HEADER, JSON};
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

pub(crate) use self::bounded::bounded;
pub(crate) use self::form::{FORMS, Form};
pub(crate) use self::page::{Page, ParticleShown, page, single};
pub(crate) use self::payload::payload;
pub(crate) use self::selection::{Selection, Wanted};
pub(crate) use self::stream::stream;
pub(crate) use self::tag::Tag;
pub(crate) use self::written::{Write, Written, piece};

/// A body of this media type.
pub(crate) fn body(media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// A value as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // The values are the protocol's own, each of which has a form in JSON.
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut response = body(JSON, text);
    *response.status_mut() = status;
    response
}

/// The same answer, which also tells the topic's head.
pub(crate) fn with_head(mut response: Response, head: Head) -> Response {
    if let Ok(value) = HeaderValue::try_from(head.to_string()) {
        response.headers_mut().insert(HEAD_HEADER, value);
    }
    response
}

/// The same answer, which says that it has the form that `Accept` asks for.
pub(crate) fn by_accept(mut response: Response) -> Response {
    let accept = HeaderValue::from_static("accept");
    response.headers_mut().insert(VARY, accept);
    response
}

/// Nothing more to say.
pub(crate) fn done() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
