//! Server-Sent Events: what is there, then what is appended, as it comes.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use bytes::Bytes;
use efflux_flow::particle::{Particle, Sequence};
use efflux_flow::storage::remote::wire::Problem;
use efflux_flow::storage::{Follower, Query as Wanted, ReadLimit, Result, Topic};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use utoipa::IntoParams;

use super::topics::topic;
use crate::json::{Shown, write_particle};
use crate::server::answer::{self, Selection};
use crate::server::extract::{Path, Query, one, parsed};
use crate::server::limits::{EVENTS_BEAT, PIECE_BYTES, PIECE_PARTICLES};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};
use crate::server::streamed::{Pieces, streamed};

/// Media type of an event stream.
const EVENT_STREAM: &str = "text/event-stream";

/// Which particles are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The first sequence; the next one to be appended when left out.
    from: Option<u64>,
    /// Only those that match this query.
    query: Option<String>,
}

/// Particles as Server-Sent Events: what is there from a place on, then what is appended.
#[utoipa::path(get, path = "/v1/topics/{topic}/events", tag = "particles",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        Asked,
        ("last-event-id" = Option<u64>, Header, description = "The last sequence that came"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn events(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let query: Option<Wanted> = asked
        .query
        .map(|query| parsed("query", &query))
        .transpose()?;
    if query.as_ref().is_some_and(Wanted::reads_data) {
        return Err(Refusal::invalid(
            "query: a topic is searched by metadata, not by data",
        ));
    }
    let last: Option<Sequence> = one(&headers, "last-event-id")?
        .map(|last| parsed("last-event-id", &last))
        .transpose()?;
    let from = last.map(Sequence::next).or(asked.from.map(Sequence::new));
    let from = from.unwrap_or_else(|| topic.head().sequence.next());
    let events = Events::new(node, topic, from, query).await?;
    let mut response = answer::body(EVENT_STREAM, streamed(events));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Events of a topic.
struct Events {
    node: Arc<Node>,
    topic: Topic,
    query: Option<Wanted>,
    /// What stood there at the beginning and matches the query.
    there: Option<Selection>,
    follower: Follower,
    has_begun: bool,
}

impl Events {
    async fn new(
        node: Arc<Node>,
        topic: Topic,
        from: Sequence,
        query: Option<Wanted>,
    ) -> Result<Self> {
        let (mut there, mut next) = (None, from);
        if query.is_some() && topic.head().sequence >= from {
            let wanted = answer::Wanted {
                from,
                query: query.clone(),
                ..answer::Wanted::default()
            };
            let selection = Selection::new(topic.clone(), &wanted).await?;
            next = selection.until().next();
            there = Some(selection);
        }
        let limit = ReadLimit {
            particles: PIECE_PARTICLES,
            bytes: PIECE_BYTES,
        };
        Ok(Self {
            follower: topic.follow(next).with_limit(limit),
            node,
            topic,
            query,
            there,
            has_begun: false,
        })
    }

    fn matches(&self, particle: &Particle) -> bool {
        let query = self.query.as_ref();
        query.is_none_or(|query| query.matches(particle.metadata()))
    }

    fn written<'a>(&self, particles: impl Iterator<Item = &'a Particle>) -> Bytes {
        let mut piece = Vec::new();
        for particle in particles {
            piece.extend_from_slice(format!("id: {}\n", particle.sequence()).as_bytes());
            if let Some(data_type) = particle.metadata().data_type() {
                piece.extend_from_slice(format!("event: {data_type}\n").as_bytes());
            }
            piece.extend_from_slice(b"data: ");
            // Writing to memory never fails.
            drop(write_particle(
                &mut piece,
                particle,
                Shown::of(self.topic.name()),
            ));
            piece.extend_from_slice(b"\n\n");
        }
        piece.into()
    }
}

#[async_trait]
impl Pieces for Events {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if !self.has_begun {
            // The head of the answer is sent with its first piece.
            self.has_begun = true;
            return Ok(Some(Bytes::from_static(b": efflux\n\n")));
        }
        if let Some(there) = &mut self.there {
            let batch = there.next_batch().await?;
            if !batch.is_empty() {
                return Ok(Some(self.written(batch.iter())));
            }
            self.there = None;
        }
        let node = Arc::clone(&self.node);
        let mut beat = Box::pin(tokio::time::sleep(EVENTS_BEAT));
        loop {
            let batch = tokio::select! {
                batch = self.follower.next_batch() => batch?,
                () = &mut beat => return Ok(Some(Bytes::from_static(b": \n\n"))),
                () = node.stopping() => return Ok(None),
            };
            let piece = self.written(batch.iter().filter(|particle| self.matches(particle)));
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}
