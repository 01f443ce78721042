//! Making, listing, showing and deleting consumers.

use std::sync::Arc;

use axum::extract::{Extension, State};
use efflux_flow::particle::ConsumerName;
use efflux_flow::storage::Consumer;
use efflux_flow::storage::remote::wire::{
    ConsumerNames, ConsumerSettings, ConsumerShown, ConsumerStateShown,
};
use http::StatusCode;

use super::topics::topic;
use crate::server::access::{Action, Identity};
use crate::server::answer;
use crate::server::extract::{Json, Path, parsed};
use crate::server::node::Node;
use crate::server::refusal::Answer;

/// The names of a topic's consumers.
#[utoipa::path(get, path = "/v1/topics/{topic}/consumers", tag = "consumers",
    operation_id = "list_consumers",
    params(("topic" = String, Path, description = "The topic's name")),
    responses(
        (status = 200, body = ConsumerNames),
    ))]
pub(super) async fn list(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Answer {
    let topic = topic(&node, &name).await?;
    let consumers = Consumer::list(&topic).await?;
    let consumers = consumers.iter().map(ToString::to_string).collect();
    Ok(answer::json(StatusCode::OK, &ConsumerNames { consumers }))
}

/// Makes a consumer, or sets the settings of one that is there.
#[utoipa::path(put, path = "/v1/topics/{topic}/consumers/{consumer}", tag = "consumers",
    operation_id = "put_consumer",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    request_body = Option<ConsumerSettings>,
    responses(
        (status = 200, body = ConsumerShown, description = "It was there"),
        (status = 201, body = ConsumerShown),
        (status = 409, description = "The settings do not fit the topic"),
    ))]
pub(super) async fn put(
    State(node): State<Arc<Node>>,
    Extension(identity): Extension<Identity>,
    Path((name, consumer)): Path<(String, String)>,
    settings: Json<ConsumerSettings>,
) -> Answer {
    let topic = topic(&node, &name).await?;
    if let Some(dead) = settings.0.as_ref().and_then(|it| it.dead_letter.as_ref()) {
        // The consumer appends there in the name of whoever names it.
        identity.demand(Action::Append, dead)?;
    }
    let name: ConsumerName = parsed("consumer", &consumer)?;
    let options = settings.0.unwrap_or_default().options()?;
    let (consumer, is_new) = node.consumers().put(&topic, &name, options).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let shown = ConsumerShown::new(&name, &consumer.status().await?);
    Ok(answer::json(status, &shown))
}

/// What of a consumer outlives its workers, as a backup keeps it.
#[utoipa::path(get, path = "/v1/topics/{topic}/consumers/{consumer}/state", tag = "consumers",
    operation_id = "consumer_state",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    responses(
        (status = 200, body = ConsumerStateShown),
    ))]
pub(super) async fn state(
    State(node): State<Arc<Node>>,
    Path((name, consumer)): Path<(String, String)>,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let name: ConsumerName = parsed("consumer", &consumer)?;
    let state = Consumer::state(&topic, &name).await?;
    let shown = ConsumerStateShown::new(&name, &state);
    Ok(answer::json(StatusCode::OK, &shown))
}

/// How a consumer stands.
#[utoipa::path(get, path = "/v1/topics/{topic}/consumers/{consumer}", tag = "consumers",
    operation_id = "show_consumer",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    responses(
        (status = 200, body = ConsumerShown),
    ))]
pub(super) async fn show(
    State(node): State<Arc<Node>>,
    Path((name, consumer)): Path<(String, String)>,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let name: ConsumerName = parsed("consumer", &consumer)?;
    let status = Consumer::inspect(&topic, &name).await?;
    Ok(answer::json(
        StatusCode::OK,
        &ConsumerShown::new(&name, &status),
    ))
}

/// Deletes a consumer.
#[utoipa::path(delete, path = "/v1/topics/{topic}/consumers/{consumer}", tag = "consumers",
    operation_id = "delete_consumer",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    responses(
        (status = 204),
    ))]
pub(super) async fn delete(
    State(node): State<Arc<Node>>,
    Path((name, consumer)): Path<(String, String)>,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let name: ConsumerName = parsed("consumer", &consumer)?;
    node.consumers().delete(&topic, &name).await?;
    Ok(answer::done())
}
