//! Deliveries of a consumer, and what becomes of their tickets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use efflux_flow::particle::{ConsumerName, Particle, TopicName};
use efflux_flow::storage::remote::wire::{
    ConsumerShown, DELIVERIES, DeliveriesHead, Extend, JSON, Receive, Rollback, Seek, Tickets,
};
use efflux_flow::storage::{Consumer, Delivery, Result};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::topics::topic;
use crate::json::{Shown, write_particle};
use crate::server::answer::{self, ParticleShown, Write, Written, piece};
use crate::server::extract::{Json, Path, choose, parsed};
use crate::server::limits::{CONTENT_BYTES_MAX, RECEIVE_MAX};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};
use crate::server::streamed::{Pieces, streamed};

/// Deliveries, as OpenAPI tells them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Deliveries {
    /// Particles, each with its ticket.
    deliveries: Vec<ParticleShown>,
}

async fn consumer(node: &Node, (topic_name, name): &(String, String)) -> Answer<Consumer> {
    let topic = topic(node, topic_name).await?;
    let name: ConsumerName = parsed("consumer", name)?;
    Ok(node.consumers().get(&topic, &name).await?)
}

/// Takes particles, and waits for the first.
#[utoipa::path(post, path = "/v1/topics/{topic}/consumers/{consumer}/receive", tag = "consumers",
    operation_id = "receive",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    request_body = Option<Receive>,
    responses(
        (status = 200, content(
            (Deliveries = "application/json"),
            (String = "application/vnd.efflux.deliveries"),
        )),
        (status = 406),
    ))]
pub(super) async fn receive(
    State(node): State<Arc<Node>>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    asked: Json<Receive>,
) -> Answer {
    let media_type = choose(&headers, &[JSON, DELIVERIES])?;
    let consumer = consumer(&node, &path).await?;
    let Receive { max, wait_ms } = asked.0.unwrap_or_default();
    if !(1..=RECEIVE_MAX).contains(&max) {
        return Err(Refusal::invalid(format!(
            "max is {max}: use 1 to {RECEIVE_MAX}"
        )));
    }
    let wait = Duration::from_millis(wait_ms).min(node.options().wait_max);
    let deliveries = tokio::select! {
        deliveries = consumer.receive(max, wait) => deliveries?,
        () = node.stopping() => Vec::new(),
    };
    node.metrics().delivered(deliveries.len() as u64);
    Ok(match media_type {
        DELIVERIES => as_frames(&deliveries),
        _ => as_json(node, deliveries, consumer.topic_name()),
    })
}

fn as_frames(deliveries: &[Delivery]) -> Response {
    let head = DeliveriesHead {
        tickets: deliveries.iter().map(|it| it.ticket.to_string()).collect(),
        deliveries: deliveries.iter().map(|it| it.deliveries).collect(),
    };
    let mut written = serde_json::to_vec(&head).unwrap_or_default();
    written.push(b'\n');
    for delivery in deliveries {
        written.extend_from_slice(delivery.particle.frame());
    }
    answer::body(DELIVERIES, written)
}

/// Deliveries as JSON, written as the client takes them.
struct AsJson {
    node: Arc<Node>,
    left: VecDeque<Delivery>,
    write: Write<Delivery>,
    told: Told,
}

/// How much of the answer was told.
enum Told {
    Nothing,
    Beginning,
    Some,
    Everything,
}

impl Written for Delivery {
    fn particle(&self) -> &Particle {
        &self.particle
    }
}

fn as_json(node: Arc<Node>, deliveries: Vec<Delivery>, topic: &TopicName) -> Response {
    let topic = topic.clone();
    let write: Write<Delivery> = Arc::new(move |out, delivery| {
        out.push(b',');
        let mut shown = Shown::of(&topic).with_content_bytes_max(CONTENT_BYTES_MAX);
        shown.ticket = Some(delivery.ticket);
        shown.deliveries = Some(delivery.deliveries);
        // Writing to memory never fails.
        drop(write_particle(out, &delivery.particle, shown));
    });
    let left = deliveries.into();
    let told = Told::Nothing;
    let pieces = AsJson {
        node,
        left,
        write,
        told,
    };
    answer::body(JSON, streamed(pieces))
}

#[async_trait]
impl Pieces for AsJson {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let (told, piece) = match self.told {
            Told::Nothing => (Told::Beginning, Bytes::from_static(b"{\"deliveries\":[")),
            Told::Beginning | Told::Some if self.left.is_empty() => {
                (Told::Everything, Bytes::from_static(b"]}"))
            }
            Told::Beginning => {
                let first = piece(&self.node, &mut self.left, &self.write).await?;
                // Each stands behind a comma.
                (Told::Some, first.slice(1..))
            }
            Told::Some => (
                Told::Some,
                piece(&self.node, &mut self.left, &self.write).await?,
            ),
            Told::Everything => return Ok(None),
        };
        self.told = told;
        Ok(Some(piece))
    }
}

/// Settles particles: they are not delivered again.
#[utoipa::path(post, path = "/v1/topics/{topic}/consumers/{consumer}/commit", tag = "consumers",
    operation_id = "commit",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    request_body = Tickets,
    responses(
        (status = 204),
        (status = 409, description = "A ticket is stale; nothing was changed"),
    ))]
pub(super) async fn commit(
    State(node): State<Arc<Node>>,
    Path(path): Path<(String, String)>,
    asked: Json<Tickets>,
) -> Answer {
    let tickets = Tickets::parse(&asked.required()?.tickets)?;
    consumer(&node, &path).await?.commit(&tickets).await?;
    Ok(answer::done())
}

/// Gives particles back, to be delivered again.
#[utoipa::path(post, path = "/v1/topics/{topic}/consumers/{consumer}/rollback", tag = "consumers",
    operation_id = "rollback",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    request_body = Rollback,
    responses(
        (status = 204),
    ))]
pub(super) async fn rollback(
    State(node): State<Arc<Node>>,
    Path(path): Path<(String, String)>,
    asked: Json<Rollback>,
) -> Answer {
    let Rollback { tickets, delay_ms } = asked.required()?;
    let (tickets, delay) = (Tickets::parse(&tickets)?, Duration::from_millis(delay_ms));
    consumer(&node, &path)
        .await?
        .rollback(&tickets, delay)
        .await?;
    Ok(answer::done())
}

/// Lets leases end later, or sooner.
#[utoipa::path(post, path = "/v1/topics/{topic}/consumers/{consumer}/extend", tag = "consumers",
    operation_id = "extend",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    request_body = Extend,
    responses(
        (status = 204),
    ))]
pub(super) async fn extend(
    State(node): State<Arc<Node>>,
    Path(path): Path<(String, String)>,
    asked: Json<Extend>,
) -> Answer {
    let Extend { tickets, by_ms } = asked.required()?;
    let (tickets, by) = (Tickets::parse(&tickets)?, Duration::from_millis(by_ms));
    consumer(&node, &path).await?.extend(&tickets, by).await?;
    Ok(answer::done())
}

/// Moves a consumer. All its tickets become stale.
#[utoipa::path(post, path = "/v1/topics/{topic}/consumers/{consumer}/seek", tag = "consumers",
    operation_id = "seek",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("consumer" = String, Path, description = "The consumer's name"),
    ),
    request_body = Seek,
    responses(
        (status = 200, body = ConsumerShown),
    ))]
pub(super) async fn seek(
    State(node): State<Arc<Node>>,
    Path(path): Path<(String, String)>,
    asked: Json<Seek>,
) -> Answer {
    let to = asked.required()?.start()?;
    let consumer = consumer(&node, &path).await?;
    consumer.seek(to).await?;
    let shown = ConsumerShown::new(consumer.name(), &consumer.status().await?);
    Ok(answer::json(StatusCode::OK, &shown))
}
