//! Where a topic's chain stands.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use efflux_flow::particle::Sequence;
use efflux_flow::storage::Topic;
use efflux_flow::storage::remote::wire::HeadShown;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use super::topics::topic;
use crate::server::answer::{self, Tag};
use crate::server::extract::{Path, Query};
use crate::server::node::Node;
use crate::server::refusal::Answer;

/// How long to wait for what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Past {
    /// The head is told when it is past this sequence, or when the wait is over.
    past: Option<u64>,
    /// Milliseconds to wait.
    #[serde(default)]
    wait_ms: u64,
}

/// The topic's head, at once or when it is past a place.
#[utoipa::path(get, path = "/v1/topics/{topic}/head", tag = "particles",
    operation_id = "topic_head",
    params(("topic" = String, Path, description = "The topic's name"), Past),
    responses(
        (status = 200, body = HeadShown),
        (status = 304, description = "It is what `If-None-Match` names"),
    ))]
pub(super) async fn head(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Query(Past { past, wait_ms }): Query<Past>,
    headers: HeaderMap,
) -> Answer {
    let topic = topic(&node, &name).await?;
    if let Some(past) = past {
        wait_past(&node, &topic, Sequence::new(past), wait_ms).await?;
    }
    let head = topic.head();
    let shown = HeadShown {
        head: head.to_string(),
    };
    let tag = Tag::head(head);
    let mut response = match tag.is_known(&headers) {
        true => tag.not_modified(),
        false => answer::json(StatusCode::OK, &shown),
    };
    tag.put_on(&mut response);
    Ok(answer::with_head(response, head))
}

/// Waits until the head is past `sequence`, the wait is over, or the node stops.
pub(super) async fn wait_past(
    node: &Node,
    topic: &Topic,
    sequence: Sequence,
    wait_ms: u64,
) -> Answer<()> {
    let wait = Duration::from_millis(wait_ms).min(node.options().wait_max);
    if wait.is_zero() || topic.head().sequence > sequence {
        return Ok(());
    }
    tokio::select! {
        waited = tokio::time::timeout(wait, topic.wait_past(sequence)) => {
            if let Ok(Err(error)) = waited {
                return Err(error.into());
            }
        }
        () = node.stopping() => {}
    }
    Ok(())
}
