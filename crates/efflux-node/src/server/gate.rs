//! What every request passes: bounds, measuring, and that each error is a problem document.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use efflux_flow::particle::TopicName;
use efflux_flow::storage::ErrorKind;
use efflux_flow::storage::remote::wire::{PROBLEM, ProblemKind, decode_text};
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HOST, IF_MATCH, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use tokio::sync::OwnedSemaphorePermit;

use super::access::{Action, Certified, Need, need};
use super::audit::{Administering, is_administrative};
use super::lasting::Lasting;
use super::limits::{HEADERS_BYTES_MAX, HEADERS_MAX};
use super::metrics::Counted;
use super::node::Node;
use super::origin::Origin;
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
    let admitted = admit(&node, &mut request, route);
    let administering = Administering::of(&node, route, &request);
    let response = match admitted {
        Err(refusal) => {
            let response = refusal.into_response();
            if let Some(administering) = administering {
                administering.note_refusal(&node, response.status());
            }
            response
        }
        Ok(Admitted { held, lasting }) => {
            let uri = request.uri().clone();
            let response = if is_administrative(&method, route) {
                administer(&node, administering, held, request, next).await
            } else {
                last(lasting, request, next)
                    .await
                    .map(|body| Holding::body(body, held))
            };
            as_problem(gone(&node, &uri, response).await)
        }
    };
    let (status, time) = (response.status(), start.elapsed());
    node.metrics()
        .answered(&method, route, status.as_u16(), time);
    tracing::debug!(%method, route, status = status.as_u16(), ?time, "request");
    guarded(response)
}

/// Serves a request that administers, in a task of its own: it is done and noted whether or not its
/// client waits for that.
async fn administer(
    node: &Arc<Node>,
    administering: Option<Administering>,
    held: Held,
    request: Request,
    next: Next,
) -> Response {
    let (node, under_way) = (Arc::clone(node), node.administering().begin());
    let done = tokio::spawn(async move {
        let _under_way = under_way;
        let response = next.run(request).await;
        if let Some(administering) = administering {
            administering.note(&node, response.status()).await;
        }
        response.map(|body| Holding::body(body, held))
    });
    done.await.unwrap_or_else(|error| {
        let why = format!("the action was given up: {error}");
        Refusal::new(ProblemKind::Internal, why).into_response()
    })
}

/// Serves a request as long as it is allowed.
async fn last(lasting: Option<Lasting>, request: Request, next: Next) -> Response {
    let Some(lasting) = lasting else {
        return next.run(request).await;
    };
    let response = tokio::select! {
        biased;
        response = next.run(request) => response,
        () = lasting.is_over() => {
            let why = "the token is no longer valid for this";
            return Refusal::new(ProblemKind::Unauthenticated, why).into_response();
        }
    };
    response.map(|body| lasting.body(body))
}

/// Tells that a topic is not there, rather than that it is closed, when it was deleted meanwhile.
async fn gone(node: &Node, uri: &Uri, response: Response) -> Response {
    let is_closed = response.extensions().get() == Some(&ProblemKind::Closed);
    if !is_closed || node.is_stopping() {
        return response;
    }
    let topic = topic(uri).ok().and_then(|topic| topic.parse().ok());
    let Some(topic): Option<TopicName> = topic else {
        return response;
    };
    match node.store().topic(&topic).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Refusal::from(error).into_response(),
        _ => response,
    }
}

/// What a request holds while it is under way.
type Held = (Option<OwnedSemaphorePermit>, Counted);

/// A request that may pass.
struct Admitted {
    held: Held,
    /// What it was allowed, where the answer may take long.
    lasting: Option<Lasting>,
}

impl From<Held> for Admitted {
    fn from(held: Held) -> Self {
        let lasting = None;
        Self { held, lasting }
    }
}

fn admit(node: &Arc<Node>, request: &mut Request, route: &str) -> Answer<Admitted> {
    check_headers(request.headers())?;
    check_origin(node, request)?;
    let counted = node.metrics().request();
    let need = need(request.method(), route);
    if need == Some(Need::Nothing) {
        return Ok((None, counted).into());
    }
    let now = node.store().clock().now();
    let certified = request.extensions().get::<Certified>();
    let identity = node.access().identify(request.headers(), certified, now)?;
    request.extensions_mut().insert(identity.clone());
    let mut lasting = None;
    match need {
        Some(Need::OnTopic(action)) => {
            let topic = topic(request.uri())?;
            identity.demand(action, &topic)?;
            if node.access().is_guarded() && takes_long(action, route) {
                let (node, who) = (Arc::clone(node), identity);
                lasting = Some(Lasting {
                    node,
                    who,
                    action,
                    topic,
                });
            }
        }
        Some(Need::Everywhere(action)) => identity.demand_everywhere(action)?,
        // What is no route is told to those who may use some.
        Some(Need::Token | Need::Nothing) => {}
        None if route == NO_ROUTE => {}
        None => {
            let why = "nobody said who may use this route, so nobody may";
            return Err(Refusal::new(ProblemKind::Forbidden, why));
        }
    }
    if !route.starts_with("/v1/") {
        return Ok((None, counted).into());
    }
    if node.is_stopping() {
        let why = "the node is shutting down: ask another one, or try again";
        return Err(Refusal::new(ProblemKind::Closed, why));
    }
    let held = (Some(node.admit()?), counted);
    Ok(Admitted { held, lasting })
}

/// Whether a request may wait, or its answer may go on for long, and it changes nothing when it is
/// given up.
fn takes_long(action: Action, route: &str) -> bool {
    action == Action::Read || route.ends_with("/receive")
}

fn check_origin(node: &Node, request: &Request) -> Answer<()> {
    let origin = Origin::of(request, &node.options().pages)?;
    let why = if node.is_local() && !origin.is_of_this_machine() {
        "a node without tokens serves its own machine: as localhost, and no pages of other origins"
    } else if !node.access().is_guarded() && !origin.is_of_its_host() {
        "a node without tokens serves no pages of other origins"
    } else {
        return Ok(());
    };
    Err(Refusal::new(ProblemKind::Forbidden, why))
}

/// The topic that the path names, decoded as handlers decode it.
fn topic(uri: &Uri) -> Answer<String> {
    let name = uri.path().split('/').nth(3).unwrap_or_default();
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

/// No browser takes what is stored here for anything but data. The console says of itself what it may.
fn guarded(mut response: Response<Body>) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    let nothing = HeaderValue::from_static("default-src 'none'; sandbox");
    let policy = headers.entry(CONTENT_SECURITY_POLICY);
    policy.or_insert(nothing);
    response
}
