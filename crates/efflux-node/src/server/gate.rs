//! What every request passes: bounds, measuring, and that each error is a problem document.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use efflux_flow::storage::remote::wire::{PROBLEM, ProblemKind, decode_text};
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, IF_MATCH, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::access::{Certified, Identity, Need, need};
use super::audit::{is_administrative, note};
use super::limits::{HEADERS_BYTES_MAX, HEADERS_MAX};
use super::metrics::Counted;
use super::node::Node;
use super::origin::is_of_this_machine;
use super::refusal::{Answer, Refusal};
use super::streamed::Holding;

/// Headers that mean something else to each reader when they stand twice.
const ONCE: [HeaderName; 7] = [
    HOST,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    AUTHORIZATION,
    IF_MATCH,
    RANGE,
];

/// The route's name in metrics for what no route is.
const NO_ROUTE: &str = "none";

/// Lets a request pass, or refuses it.
pub(crate) async fn pass(
    State(node): State<Arc<Node>>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let response = match admit(&node, &mut request, route) {
        Err(refusal) => refusal.into_response(),
        Ok(held) => {
            let trail = trail(&node, &method, route, &request);
            let response = next.run(request).await;
            if let Some((who, path)) = trail {
                note(&node, &who, &method, &path, response.status().as_u16()).await;
            }
            as_problem(response).map(|body| Holding::body(body, held))
        }
    };
    let (status, time) = (response.status(), start.elapsed());
    node.metrics()
        .answered(&method, route, status.as_u16(), time);
    tracing::debug!(%method, route, status = status.as_u16(), ?time, "request");
    guarded(response)
}

/// Who did what, when it is to be noted.
fn trail(
    node: &Node,
    method: &Method,
    route: &str,
    request: &Request,
) -> Option<(Identity, String)> {
    let is_noted = node.access().is_guarded() && is_administrative(method, route);
    let who = request
        .extensions()
        .get::<Identity>()
        .filter(|_| is_noted)?;
    Some((who.clone(), request.uri().path().to_owned()))
}

/// What a request holds while it is under way.
type Held = (Option<OwnedSemaphorePermit>, Counted);

fn admit(node: &Node, request: &mut Request, route: &str) -> Answer<Held> {
    check_headers(request.headers())?;
    if node.is_local() && !is_of_this_machine(request.headers(), request.uri()) {
        let why = "a node without tokens serves its own machine: as localhost, and no pages of \
                   other origins";
        return Err(Refusal::new(ProblemKind::Forbidden, why));
    }
    let counted = node.metrics().request();
    let need = need(request.method(), route);
    if need == Some(Need::Nothing) {
        return Ok((None, counted));
    }
    let now = node.store().clock().now();
    let certified = request.extensions().get::<Certified>();
    let identity = node.access().identify(request.headers(), certified, now)?;
    match need {
        Some(Need::OnTopic(action)) => identity.demand(action, &topic(request)?)?,
        Some(Need::Everywhere(action)) => identity.demand_everywhere(action)?,
        // What is no route is told to those who may use some.
        Some(Need::Token | Need::Nothing) => {}
        None if route == NO_ROUTE => {}
        None => {
            let why = "nobody said who may use this route, so nobody may";
            return Err(Refusal::new(ProblemKind::Forbidden, why));
        }
    }
    request.extensions_mut().insert(identity);
    if !route.starts_with("/v1/") {
        return Ok((None, counted));
    }
    if node.is_stopping() {
        let why = "the node is shutting down: ask another one, or try again";
        return Err(Refusal::new(ProblemKind::Closed, why));
    }
    Ok((Some(node.admit()?), counted))
}

/// The topic that the path names, decoded as handlers decode it.
fn topic(request: &Request) -> Answer<String> {
    let name = request.uri().path().split('/').nth(3).unwrap_or_default();
    decode_text(name).map_err(|error| Refusal::invalid(format!("path: {error}")))
}

fn check_headers(headers: &HeaderMap) -> Answer<()> {
    if let Some(twice) = ONCE
        .iter()
        .find(|name| headers.get_all(*name).iter().count() > 1)
    {
        return Err(Refusal::invalid(format!(
            "header {twice} stands twice: send it once"
        )));
    }
    let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let bytes: usize = headers.iter().map(bytes).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADERS_BYTES_MAX {
        return Err(Refusal::new(
            ProblemKind::HeadersTooLarge,
            format!(
                "{} headers of {bytes} bytes are too many: at most {HEADERS_MAX} of \
                 {HEADERS_BYTES_MAX} bytes are taken",
                headers.len()
            ),
        ));
    }
    Ok(())
}

/// Turns an error that is no problem document, as axum's own are, into one.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_problem = |value: &HeaderValue| value.as_bytes().starts_with(PROBLEM.as_bytes());
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(CONTENT_TYPE).is_some_and(is_problem) {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let refusal = match status {
        StatusCode::NOT_FOUND => Refusal::not_found("there is no such route: see /openapi.json"),
        StatusCode::METHOD_NOT_ALLOWED => {
            let why = "the route has no such method; the header Allow names those that it has";
            Refusal::new(ProblemKind::MethodNotAllowed, why)
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::new(ProblemKind::TooLarge, "the body is too large")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let why = "the body's media type is not understood here";
            Refusal::new(ProblemKind::UnsupportedMediaType, why)
        }
        status if status.is_client_error() => {
            Refusal::invalid(format!("the request cannot be understood: {status}"))
        }
        _ => Refusal::new(
            ProblemKind::Internal,
            "a fault of the node; its log says more",
        ),
    };
    let mut problem = refusal.into_response();
    if let Some(allow) = allow {
        problem.headers_mut().insert(ALLOW, allow);
    }
    problem
}

/// No browser takes what is stored here for anything but data.
fn guarded(mut response: Response<Body>) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    let nothing = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert("content-security-policy", nothing);
    response
}
