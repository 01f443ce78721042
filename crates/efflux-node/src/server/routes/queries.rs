//! Queries of requests to routes that take none: a slip of the pen is noticed there too.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use serde_json::Value;

use crate::server::refusal::Refusal;

/// Whether each operation takes parameters in the query; those that do refuse what they do not know.
#[derive(Debug, Default)]
pub(super) struct Asking(HashMap<(Method, String), bool>);

impl Asking {
    /// Reads it from the description of the interface. Those that are not described take none.
    pub(super) fn of(description: &Value, undescribed: &[&str]) -> Self {
        let others = undescribed.iter();
        let others = others.map(|route| ((Method::GET, (*route).to_owned()), false));
        let mut all: HashMap<_, _> = others.collect();
        let paths = description.get("paths").and_then(Value::as_object);
        for (path, operations) in paths.into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let parameters = operation.get("parameters").and_then(Value::as_array);
                let mut parameters = parameters.into_iter().flatten();
                let takes_some = parameters.any(|it| it.get("in") == Some(&Value::from("query")));
                if let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) {
                    all.insert((method, path.clone()), takes_some);
                }
            }
        }
        Self(all)
    }

    /// Whether this is an operation that takes no parameters in the query.
    fn takes_none(&self, method: &Method, route: &str) -> bool {
        let method = match *method == Method::HEAD {
            true => Method::GET,
            false => method.clone(),
        };
        self.0.get(&(method, route.to_owned())) == Some(&false)
    }
}

/// Refuses parameters of the query where there are none.
pub(super) async fn check(
    State(asking): State<Arc<Asking>>,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().filter(|query| !query.is_empty());
    let route = request.extensions().get::<MatchedPath>();
    if let (Some(query), Some(route)) = (query, route)
        && asking.takes_none(request.method(), route.as_str())
    {
        let shown: String = query.chars().take(80).collect();
        let why = format!("query: this route takes no parameters, and {shown:?} was sent");
        return Refusal::invalid(why).into_response();
    }
    next.run(request).await
}
