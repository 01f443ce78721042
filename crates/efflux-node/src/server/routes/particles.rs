//! Reading particles: ranges, finds, single ones, payloads.

use std::sync::Arc;

use axum::extract::State;
use efflux_flow::particle::{Id, Particle, Sequence};
use efflux_flow::storage::Topic;
use efflux_flow::storage::remote::wire::{FRAMES, NDJSON};
use http::{HeaderMap, Method};
use serde::Deserialize;
use utoipa::IntoParams;

use super::head::wait_past;
use super::topics::topic;
use crate::server::answer::{
    FORMS, Form, Page, ParticleShown, Wanted, bounded, by_accept, page, payload, single, stream,
};
use crate::server::extract::{Path, Query, choose, parsed};
use crate::server::limits::{PAGE_PARTICLES_DEFAULT, PAGE_PARTICLES_MAX};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// Which particles are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The first sequence.
    #[serde(default)]
    from: u64,
    /// The last sequence; the head when left out.
    until: Option<u64>,
    /// How many at most; 100 for a page when left out. A page ends after 1,000 or about 4 MiB, and
    /// tells where the next one begins.
    limit: Option<usize>,
    /// Whether the newest comes first.
    #[serde(default)]
    reverse: bool,
    /// Only those that match this query.
    query: Option<String>,
    /// For frames only: at most so many bytes of them, one at least.
    bytes: Option<usize>,
    /// Milliseconds to wait for the first, when there is none and it is not read in reverse.
    #[serde(default)]
    wait_ms: u64,
}

impl Asked {
    fn wanted(&self) -> Answer<Wanted> {
        let query = self
            .query
            .as_ref()
            .map(|query| parsed("query", query))
            .transpose()?;
        Ok(Wanted {
            from: Sequence::new(self.from),
            until: self.until.map(Sequence::new),
            reverse: self.reverse,
            limit: self.limit,
            query,
        })
    }
}

/// Reads particles: a page of JSON or of CloudEvents, or a stream of lines or of frames.
#[utoipa::path(get, path = "/v1/topics/{topic}/particles", tag = "particles",
    operation_id = "read_particles",
    params(("topic" = String, Path, description = "The topic's name"), Asked),
    responses(
        (status = 200, content(
            (Page = "application/json"),
            (ParticleShown = "application/x-ndjson"),
            (String = "application/vnd.efflux.frames"),
            (Vec<serde_json::Value> = "application/cloudevents-batch+json"),
        )),
        (status = 406),
    ))]
pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let mut wanted = asked.wanted()?;
    let media_type = choose(&headers, &FORMS)?;
    if let (false, Some(before)) = (wanted.reverse, wanted.from.previous()) {
        wait_past(&node, &topic, before, asked.wait_ms).await?;
    }
    let form = Form::of(media_type);
    if let (Form::Frames, Some(bytes)) = (form, asked.bytes) {
        return Ok(by_accept(bounded(topic, &wanted, bytes).await?));
    }
    if media_type == NDJSON || media_type == FRAMES {
        return Ok(by_accept(stream(node, topic, &wanted, form).await?));
    }
    let limit = wanted.limit.unwrap_or(PAGE_PARTICLES_DEFAULT);
    wanted.limit = Some(limit.min(PAGE_PARTICLES_MAX));
    Ok(by_accept(page(&node, topic, &wanted, form).await?))
}

async fn at(topic: &Topic, sequence: &str) -> Answer<Particle> {
    let sequence: Sequence = parsed("sequence", sequence)?;
    let particle = topic.get(sequence).await?;
    particle.ok_or_else(|| {
        let (name, head) = (topic.name(), topic.head().sequence);
        Refusal::not_found(format!(
            "topic {name} has no sequence {sequence}, its last is {head}"
        ))
    })
}

/// The particle at a place.
#[utoipa::path(get, path = "/v1/topics/{topic}/particles/{sequence}", tag = "particles",
    operation_id = "read_particle",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("sequence" = u64, Path, description = "The particle's place"),
    ),
    responses(
        (status = 200, content(
            (ParticleShown = "application/json"),
            (String = "application/vnd.efflux.frame"),
            (serde_json::Value = "application/cloudevents+json"),
        )),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 406),
    ))]
pub(super) async fn by_sequence(
    State(node): State<Arc<Node>>,
    Path((name, sequence)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let particle = at(&topic, &sequence).await?;
    single(&node, &headers, particle, topic.name()).await
}

/// The payload of the particle at a place, byte for byte as it is stored.
#[utoipa::path(get, path = "/v1/topics/{topic}/particles/{sequence}/payload", tag = "particles",
    operation_id = "read_payload",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("sequence" = u64, Path, description = "The particle's place"),
    ),
    responses(
        (status = 200, body = serde_json::Value, content_type = "*/*",
            description = "The payload, with the content type that it has"),
        (status = 206, body = serde_json::Value, content_type = "*/*",
            description = "The part of it that `Range` asks for"),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 416),
    ))]
pub(super) async fn payload_of(
    State(node): State<Arc<Node>>,
    Path((name, sequence)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let particle = at(&topic, &sequence).await?;
    Ok(payload(&method, &headers, &particle, topic.name()))
}

/// The particle with an id.
#[utoipa::path(get, path = "/v1/topics/{topic}/ids/{id}", tag = "particles",
    operation_id = "find_by_id",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("id" = String, Path, description = "The particle's id"),
    ),
    responses(
        (status = 200, content(
            (ParticleShown = "application/json"),
            (String = "application/vnd.efflux.frame"),
            (serde_json::Value = "application/cloudevents+json"),
        )),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 406),
    ))]
pub(super) async fn by_id(
    State(node): State<Arc<Node>>,
    Path((name, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let id: Id = parsed("id", &id)?;
    let particle = topic.get_id(&id).await?.ok_or_else(|| {
        Refusal::not_found(format!(
            "topic {} has no particle with id {id}",
            topic.name()
        ))
    })?;
    single(&node, &headers, particle, topic.name()).await
}
