//! Pages of particles, and single ones.

use std::collections::VecDeque;

use axum::response::Response;
use bytes::Bytes;
use efflux_flow::particle::{Particle, Sequence, TopicName};
use efflux_flow::storage::remote::wire::{FRAME, JSON};
use efflux_flow::storage::{Result, Topic};
use http::HeaderMap;
use serde::Serialize;

use super::form::Form;
use super::selection::{Selection, Wanted};
use super::tag::Tag;
use super::written::{joined, piece};
use crate::server::answer;
use crate::server::cloudevents;
use crate::server::extract::choose;
use crate::server::limits::PAGE_BYTES;
use crate::server::node::Node;
use crate::server::refusal::Answer;

/// A page of particles, as OpenAPI tells it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Page {
    /// In the order that was asked for.
    particles: Vec<ParticleShown>,
    /// Where the next page begins: its `from`, or its `until` when read in reverse. Null when a page
    /// in reverse was the last one.
    next: Option<u64>,
    /// The topic's head when the page was read: `SEQUENCE:FINGERPRINT`.
    head: String,
}

/// A particle, as OpenAPI tells it; docs/cli.md describes each field.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ParticleShown {
    topic: String,
    sequence: u64,
    id: String,
    created: String,
    timestamp: String,
    data_type: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    message_group: Option<String>,
    properties: std::collections::BTreeMap<String, String>,
    fingerprint: String,
    linked_fingerprint: Option<String>,
    payload_hash: String,
    payload_bytes: u64,
    /// For consumers only.
    ticket: Option<String>,
    /// For consumers only.
    deliveries: Option<u32>,
    payload: Option<String>,
    payload_base64: Option<String>,
    data: Option<serde_json::Value>,
}

/// Reads a page of what is wanted, as objects of JSON or as events.
///
/// # Errors
/// Those of reading.
pub(crate) async fn page(
    node: &Node,
    topic: Topic,
    wanted: &Wanted,
    form: Form,
) -> Result<Response> {
    let head = topic.head();
    let mut selection = Selection::new(topic, wanted).await?;
    let write = form.writing(selection.topic().name(), b",");
    let (mut read, mut pieces) = (VecDeque::new(), VecDeque::new());
    let (mut bytes, mut count, mut last, mut is_full) = (0, 0, None, false);
    loop {
        if read.is_empty() {
            read = selection.next_batch().await?.into();
        }
        if read.is_empty() {
            break;
        }
        if bytes >= PAGE_BYTES {
            is_full = true;
            break;
        }
        let places: Vec<_> = read.iter().map(Particle::sequence).collect();
        let written = piece(node, &mut read, &write).await?;
        let taken = places.len() - read.len();
        last = taken.checked_sub(1).and_then(|at| places.get(at)).copied();
        (bytes, count) = (bytes + written.len(), count + taken);
        pieces.push_back(written);
    }
    let may_have_more = is_full || wanted.limit == Some(count);
    let next = next(wanted, &selection, last, may_have_more);
    let next = next.map_or("null".to_owned(), |next| next.to_string());
    let (media_type, before, behind) = match form {
        Form::Events => (cloudevents::EVENTS, "[", "]".to_owned()),
        _ => {
            let behind = format!("],\"next\":{next},\"head\":\"{head}\"}}");
            (JSON, "{\"particles\":[", behind)
        }
    };
    if let Some(first) = pieces.front_mut() {
        // Each stands behind a comma.
        *first = first.slice(1..);
    }
    pieces.push_front(Bytes::from_static(before.as_bytes()));
    pieces.push_back(behind.into());
    Ok(answer::with_head(
        answer::body(media_type, joined(pieces)),
        head,
    ))
}

/// Where the next page begins.
fn next(
    wanted: &Wanted,
    selection: &Selection,
    last: Option<Sequence>,
    may_have_more: bool,
) -> Option<Sequence> {
    let more = last.filter(|_| may_have_more);
    match (wanted.reverse, more) {
        (false, Some(last)) => Some(last.next()),
        (false, None) if wanted.limit == Some(0) => Some(wanted.from),
        (false, None) => Some(selection.until().next().max(wanted.from)),
        (true, Some(last)) if last > wanted.from => last.previous(),
        (true, _) => None,
    }
}

/// A single particle, in the form that is accepted.
pub(crate) async fn single(
    node: &Node,
    headers: &HeaderMap,
    particle: Particle,
    topic: &TopicName,
) -> Answer<Response> {
    let offers = [JSON, FRAME, cloudevents::EVENT];
    let media_type = choose(headers, &offers)?;
    let (form, name) = match media_type {
        FRAME => (Form::Frames, "frame"),
        cloudevents::EVENT => (Form::Events, "event"),
        _ => (Form::Json, "json"),
    };
    let tag = Tag::form(&particle, name);
    if tag.is_known(headers) {
        return Ok(answer::by_accept(tag.not_modified()));
    }
    let mut one = VecDeque::from([particle]);
    let written = piece(node, &mut one, &form.writing(topic, b"")).await?;
    let mut response = answer::body(media_type, written);
    tag.put_on(&mut response);
    Ok(answer::by_accept(response))
}
