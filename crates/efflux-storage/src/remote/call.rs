//! One request to a node, and what may be done about it.

use std::time::Duration;

use bytes::Bytes;
use efflux_particle::{Head, TopicName};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::wire::{HEAD_HEADER, JSON, encode_text};
use crate::error::{Error, ErrorKind, Result};

/// One request to a node.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path with its query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether the same request may be sent again when nobody knows what became of it.
    pub(super) is_repeatable: bool,
    /// Whether the request is given up when nobody waits for its answer any longer.
    pub(super) ends_with_caller: bool,
    /// How long the node may wait before it answers.
    pub(super) wait: Duration,
}

/// What a node answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: http::StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether the request was sent before, and nobody knows what became of it then.
    pub(super) was_repeated: bool,
}

impl Call {
    pub(super) fn new(method: Method, path: String) -> Self {
        let is_read = method == Method::GET;
        Self {
            method,
            path,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            is_repeatable: is_read,
            ends_with_caller: is_read,
            wait: Duration::ZERO,
        }
    }

    pub(super) fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: String) -> Self {
        Self::new(Method::POST, path)
    }

    /// Says that sending it twice does what sending it once does.
    pub(super) const fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// Says how long the node may wait, and that waiting is given up with the caller.
    pub(super) const fn waiting(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self.ends_with_caller = true;
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let value = HeaderValue::try_from(value);
        let value = value.map_err(|_| Error::invalid(format!("{name} does not fit a header")))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    pub(super) fn with_body(mut self, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let media_type = HeaderValue::from_static(media_type);
        self.headers.insert(http::header::CONTENT_TYPE, media_type);
        self.body = body.into();
        self
    }

    pub(super) fn with_json(self, value: &impl serde::Serialize) -> Result<Self> {
        let text = serde_json::to_vec(value);
        let text = text.map_err(|error| Error::invalid(error.to_string()))?;
        Ok(self.with_body(JSON, text))
    }

    pub(super) fn accepting(mut self, media_type: &'static str) -> Self {
        let media_type = HeaderValue::from_static(media_type);
        self.headers.insert(http::header::ACCEPT, media_type);
        self
    }
}

impl Reply {
    /// The topic's head, which the answer tells beside its body.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub(super) fn head(&self) -> Result<Head> {
        let head = self.headers.get(HEAD_HEADER);
        let head = head.and_then(|head| head.to_str().ok()?.parse().ok());
        head.ok_or_else(|| unreadable("it does not tell the head"))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `Unavailable` when it is something else.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| unreadable(&error.to_string()))
    }
}

/// The path of a topic, and what stands behind it.
pub(super) fn topic_path(topic: &TopicName, rest: &str) -> String {
    format!("/v1/topics/{}{rest}", encode_text(topic.as_str()))
}

/// The node answered with something that cannot be read.
pub(super) fn unreadable(why: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the node's answer cannot be read: {why}"),
    )
}
