//! What whoever runs the node asks.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use efflux_flow::storage::remote::wire::ProblemKind;

use crate::server::answer;
use crate::server::limits::METRIC_TOPICS_MAX;
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// Media type of plain text.
const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of what Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "operation",
    operation_id = "healthz",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn healthy() -> Response {
    answer::body(TEXT, "ok\n")
}

/// The node takes requests.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    operation_id = "readyz",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 503, description = "The node is shutting down"),
    ))]
pub(super) async fn ready(State(node): State<Arc<Node>>) -> Answer {
    if node.is_stopping() {
        return Err(Refusal::new(
            ProblemKind::Closed,
            "the node is shutting down",
        ));
    }
    Ok(answer::body(TEXT, "ready\n"))
}

/// What the node measures, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    operation_id = "metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(node): State<Arc<Node>>) -> Response {
    let metrics = node.metrics();
    metrics.forget();
    let topics = node.measured(METRIC_TOPICS_MAX).await;
    for topic in &topics {
        let head = topic.head().sequence.get();
        metrics.topic(topic.name().as_str(), head, topic.index_lag());
    }
    let standing = node.consumers().standing(&topics, METRIC_TOPICS_MAX);
    for it in standing.await {
        let (topic, name) = (it.topic.as_str(), it.consumer.as_str());
        metrics.consumer(topic, name, it.lag, it.in_flight);
    }
    let pipelines = node.hosting().map(|it| it.pipelines().list());
    for standing in pipelines.iter().flatten() {
        metrics.pipeline(standing);
    }
    answer::body(OPEN_METRICS, metrics.text())
}
