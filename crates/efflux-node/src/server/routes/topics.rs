//! Making, listing, showing and deleting topics.

use std::sync::Arc;

use axum::extract::{Extension, State};
use efflux_flow::particle::TopicName;
use efflux_flow::storage::remote::wire::{ProblemKind, TopicNames, TopicSettings, TopicShown};
use efflux_flow::storage::{ErrorKind, Topic};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::server::access::Identity;
use crate::server::answer;
use crate::server::extract::{Json, Path, Query, parsed};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// Opens the topic that a path names.
pub(super) async fn topic(node: &Node, name: &str) -> Answer<Topic> {
    let name: TopicName = parsed("topic", name)?;
    Ok(node.topic(&name).await?.topic)
}

pub(super) async fn shown(topic: &Topic) -> Answer<TopicShown> {
    Ok(TopicShown {
        name: topic.name().to_string(),
        settings: TopicSettings::from(&topic.options().await?),
        head: topic.head().to_string(),
        index_lag: topic.index_lag(),
    })
}

/// The names of all topics, as far as the token allows anything on them.
#[utoipa::path(get, path = "/v1/topics", tag = "topics",
    operation_id = "list_topics",
    responses((status = 200, body = TopicNames)))]
pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Extension(identity): Extension<Identity>,
) -> Answer {
    let topics = node.store().topics().await?;
    let known = topics
        .iter()
        .filter(|topic| identity.may_know(topic.as_str()));
    let topics = known.map(ToString::to_string).collect();
    Ok(answer::json(StatusCode::OK, &TopicNames { topics }))
}

/// Makes a topic. Made again with the same settings, it is left as it is.
#[utoipa::path(put, path = "/v1/topics/{topic}", tag = "topics",
    operation_id = "put_topic",
    params(("topic" = String, Path, description = "The topic's name")),
    request_body = Option<TopicSettings>,
    responses(
        (status = 200, body = TopicShown, description = "It was there, with these settings"),
        (status = 201, body = TopicShown),
        (status = 409, description = "It is there, with other settings"),
    ))]
pub(super) async fn put(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    settings: Json<TopicSettings>,
) -> Answer {
    let name: TopicName = parsed("topic", &name)?;
    let settings = settings.0.unwrap_or_default();
    let options = settings.options()?;
    match node.create_topic(&name, options.clone()).await {
        Ok(hosted) => Ok(answer::json(
            StatusCode::CREATED,
            &shown(&hosted.topic).await?,
        )),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let there = node.topic(&name).await?.topic;
            if there.options().await? == options {
                return Ok(answer::json(StatusCode::OK, &shown(&there).await?));
            }
            let why = format!("topic {name} is there, with other settings: they cannot be changed");
            Err(Refusal::new(ProblemKind::Conflict, why))
        }
        Err(error) => Err(error.into()),
    }
}

/// How a topic stands.
#[utoipa::path(get, path = "/v1/topics/{topic}", tag = "topics",
    operation_id = "show_topic",
    params(("topic" = String, Path, description = "The topic's name")),
    responses(
        (status = 200, body = TopicShown),
    ))]
pub(super) async fn show(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Answer {
    let topic = topic(&node, &name).await?;
    Ok(answer::json(StatusCode::OK, &shown(&topic).await?))
}

/// Says that a topic is really to be deleted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Confirm {
    /// The topic's name once more.
    #[param(required = true)]
    confirm: Option<String>,
}

/// Deletes a topic with all its particles and consumers.
#[utoipa::path(delete, path = "/v1/topics/{topic}", tag = "topics",
    operation_id = "delete_topic",
    params(("topic" = String, Path, description = "The topic's name"), Confirm),
    responses(
        (status = 204),
        (status = 400, description = "The name was not said once more"),
        (status = 409, description = "Another name was said"),
    ))]
pub(super) async fn delete(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Query(Confirm { confirm }): Query<Confirm>,
) -> Answer {
    let topic: TopicName = parsed("topic", &name)?;
    if confirm.as_deref() != Some(topic.as_str()) {
        let why = format!("topic {topic} was not deleted: confirm={topic} deletes it for good");
        return Err(match confirm {
            None => Refusal::invalid(why),
            Some(_) => Refusal::new(ProblemKind::Conflict, why),
        });
    }
    node.delete_topic(&topic).await?;
    Ok(answer::done())
}

/// Opens a topic anew after a failed write closed it.
#[utoipa::path(post, path = "/v1/topics/{topic}/reopen", tag = "topics",
    operation_id = "reopen_topic",
    params(("topic" = String, Path, description = "The topic's name")),
    responses(
        (status = 200, body = TopicShown),
    ))]
pub(super) async fn reopen(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Answer {
    let name: TopicName = parsed("topic", &name)?;
    let hosted = node.reopen_topic(&name).await?;
    Ok(answer::json(StatusCode::OK, &shown(&hosted.topic).await?))
}
