//! Bodies of JSON.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use efflux_flow::storage::remote::wire::ProblemKind;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::body::receive;
use super::header::plain;
use crate::json::{NESTING_MAX, is_json, is_shallow};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// Most bytes of a body that is a request, not data: 4 MiB, the tickets of the largest consumer.
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A body of JSON; none when there is no body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) Option<T>);

impl<T> Json<T> {
    /// The body, which must be there.
    pub(crate) fn required(self) -> Answer<T> {
        self.0
            .ok_or_else(|| Refusal::invalid("the request has no body: send JSON"))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Node>> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, node: &Arc<Node>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let received = receive(node, body, REQUEST_BYTES_MAX).await?;
        if received.bytes.is_empty() {
            return Ok(Self(None));
        }
        let said = plain(&parts.headers, CONTENT_TYPE.as_str())?.unwrap_or_default();
        let is_plain = parts.headers.get(CONTENT_ENCODING).is_none();
        if !is_json(said) || !is_plain {
            return Err(Refusal::new(
                ProblemKind::UnsupportedMediaType,
                "send JSON, not compressed, with content-type: application/json",
            ));
        }
        object(&received.bytes).map(|value| Self(Some(value)))
    }
}

/// Reads an object of JSON. What reads objects would take arrays as well, by the order of the fields.
pub(crate) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Answer<T> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') => parse(bytes),
        _ => {
            // What is no JSON at all is told first.
            parse::<serde::de::IgnoredAny>(bytes)?;
            Err(Refusal::new(
                ProblemKind::Malformed,
                "JSON: expected an object",
            ))
        }
    }
}

/// Reads JSON.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Answer<T> {
    serde_json::from_slice(bytes).map_err(|error| refused(&error))
}

/// JSON of another shape than is asked for, or no JSON at all.
pub(super) fn refused(error: &serde_json::Error) -> Refusal {
    match error.classify() {
        Category::Data => Refusal::new(ProblemKind::Malformed, format!("JSON: {error}")),
        _ => Refusal::invalid(format!("no JSON: {error}")),
    }
}

/// Refuses data that is nested deeper than what reads it can be expected to bear.
pub(crate) fn check_nesting(data: &str) -> Answer<()> {
    match is_shallow(data) {
        true => Ok(()),
        false => {
            let why = format!("data is nested deeper than {NESTING_MAX}");
            Err(Refusal::new(ProblemKind::Malformed, why))
        }
    }
}
