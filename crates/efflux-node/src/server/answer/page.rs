//! Pages of particles, and single ones.

use axum::response::Response;
use efflux_flow::particle::{Particle, Sequence, TopicName};
use efflux_flow::storage::remote::wire::{FRAME, JSON};
use efflux_flow::storage::{Result, Topic};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;

use super::form::Form;
use super::selection::{Selection, Wanted};
use crate::server::answer;
use crate::server::cloudevents;
use crate::server::extract::choose;
use crate::server::limits::PAGE_BYTES;
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
pub(crate) async fn page(topic: Topic, wanted: &Wanted, form: Form) -> Result<Response> {
    let head = topic.head();
    let mut selection = Selection::new(topic, wanted).await?;
    let (mut written, mut last, mut is_full) = (Vec::from(*b"["), None, false);
    let mut count = 0;
    'page: loop {
        let batch = selection.next_batch().await?;
        if batch.is_empty() {
            break;
        }
        for particle in &batch {
            if written.len() > PAGE_BYTES {
                is_full = true;
                break 'page;
            }
            if written.len() > 1 {
                written.push(b',');
            }
            form.write(&mut written, particle, selection.topic().name());
            last = Some(particle.sequence());
            count += 1;
        }
    }
    written.push(b']');
    if form == Form::Events {
        return Ok(answer::with_head(
            answer::body(cloudevents::EVENTS, written),
            head,
        ));
    }
    let may_have_more = is_full || wanted.limit == Some(count);
    let next = next(wanted, &selection, last, may_have_more);
    let mut text = Vec::from(*b"{\"particles\":");
    text.extend_from_slice(&written);
    let next = next.map_or("null".to_owned(), |next| next.to_string());
    text.extend_from_slice(format!(",\"next\":{next},\"head\":\"{head}\"}}").as_bytes());
    Ok(answer::with_head(answer::body(JSON, text), head))
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
pub(crate) fn single(
    headers: &HeaderMap,
    particle: &Particle,
    topic: &TopicName,
) -> Answer<Response> {
    let offers = [JSON, FRAME, cloudevents::EVENT];
    let media_type = choose(headers, &offers)?;
    let mut written = Vec::new();
    match media_type {
        FRAME => written.extend_from_slice(particle.frame()),
        cloudevents::EVENT => Form::Events.write(&mut written, particle, topic),
        _ => Form::Json.write(&mut written, particle, topic),
    }
    let mut response = answer::body(media_type, written);
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", particle.fingerprint())) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}
