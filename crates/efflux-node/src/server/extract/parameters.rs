//! Parameters of paths and queries.

use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use efflux_flow::storage::remote::wire::decode_text;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::server::refusal::Refusal;

/// The parameters of the path, percent-decoded once.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

/// The parameters of the query. Unknown ones are refused where `T` does so.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match AxumPath::<T>::from_request_parts(parts, state).await {
            Ok(AxumPath(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Refusal::invalid(format!("path: {}", rejection.body_text()))),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // The form's decoder would put other characters in place of what is no UTF-8.
        decode_text(parts.uri.query().unwrap_or_default())?;
        match AxumQuery::<T>::from_request_parts(parts, state).await {
            Ok(AxumQuery(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Refusal::invalid(format!(
                "query: {}",
                rejection.body_text()
            ))),
        }
    }
}
