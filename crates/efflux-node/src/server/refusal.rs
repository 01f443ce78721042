//! A request that is not done: a problem document as the answer.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use efflux_flow::storage::Error;
use efflux_flow::storage::remote::wire::{PROBLEM, Problem, ProblemKind};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

/// Why a request is not done.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Problem>);

/// What a handler returns.
pub(crate) type Answer<T = Response> = Result<T, Refusal>;

impl Refusal {
    /// A refusal of this kind; the detail says what happened, where, and what to do.
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(kind, detail)))
    }

    /// The request cannot be understood.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Invalid, detail)
    }

    /// What was asked for is not there.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, detail)
    }

    /// The same, about the part of a request at this place.
    pub(crate) fn at(mut self, part: &str, at: usize) -> Self {
        self.0.detail = format!("{part} {at}: {}", self.0.detail);
        self
    }

    /// The kind of problem.
    pub(crate) fn kind(&self) -> ProblemKind {
        self.0.kind()
    }

    /// The same as another kind.
    pub(crate) fn with_kind(self, kind: ProblemKind) -> Self {
        Self(Box::new(self.0.with_kind(kind)))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(Box::new(Problem::from(&error)))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = &*self.0;
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::warn!(status = problem.status, detail = %problem.detail, "request failed");
        }
        let text = serde_json::to_string(problem).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if problem.retryable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"efflux\"");
            headers.insert(WWW_AUTHENTICATE, how);
        }
        response.extensions_mut().insert(self.kind());
        response
    }
}
