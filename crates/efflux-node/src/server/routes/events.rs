//! Server-Sent Events: what is there, then what is appended, as it comes.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use bytes::Bytes;
use efflux_flow::particle::{Particle, Sequence, TopicName};
use efflux_flow::storage::{Follower, Query as Wanted, ReadLimit, Result, Topic};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use utoipa::IntoParams;

use super::topics::topic;
use crate::json::{Shown, write_particle};
use crate::server::answer::{self, Selection, Write, piece};
use crate::server::extract::{Path, Query, one, parsed};
use crate::server::limits::{CONTENT_BYTES_MAX, EVENTS_BEAT, PIECE_BYTES, PIECE_PARTICLES};
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
    operation_id = "follow",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        Asked,
        ("last-event-id" = Option<u64>, Header, description = "The last sequence that came"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
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
    query: Option<Wanted>,
    /// Read and not yet written.
    read: VecDeque<Particle>,
    write: Write<Particle>,
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
            query,
            read: VecDeque::new(),
            write: writing(topic.name()),
            there,
            has_begun: false,
        })
    }
}

/// How particles of this topic are written as events.
fn writing(topic: &TopicName) -> Write<Particle> {
    let topic = topic.clone();
    Arc::new(move |out, particle| {
        out.extend_from_slice(format!("id: {}\n", particle.sequence()).as_bytes());
        if let Some(data_type) = particle.metadata().data_type() {
            out.extend_from_slice(format!("event: {data_type}\n").as_bytes());
        }
        out.extend_from_slice(b"data: ");
        let shown = Shown::of(&topic).with_content_bytes_max(CONTENT_BYTES_MAX);
        // Writing to memory never fails.
        drop(write_particle(out, particle, shown));
        out.extend_from_slice(b"\n\n");
    })
}

#[async_trait]
impl Pieces for Events {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if !self.has_begun {
            // The head of the answer is sent with its first piece.
            self.has_begun = true;
            return Ok(Some(Bytes::from_static(b": efflux\n\n")));
        }
        let node = Arc::clone(&self.node);
        let mut beat = Box::pin(tokio::time::sleep(EVENTS_BEAT));
        loop {
            if !self.read.is_empty() {
                return piece(&node, &mut self.read, &self.write).await.map(Some);
            }
            if let Some(there) = &mut self.there {
                self.read = there.next_batch().await?.into();
                if self.read.is_empty() {
                    self.there = None;
                }
                continue;
            }
            let batch = tokio::select! {
                batch = self.follower.next_batch() => batch?,
                () = &mut beat => return Ok(Some(Bytes::from_static(b": \n\n"))),
                () = node.stopping() => return Ok(None),
            };
            self.read = batch.into();
            let query = self.query.as_ref();
            self.read
                .retain(|it| query.is_none_or(|query| query.matches(it.metadata())));
        }
    }
}
