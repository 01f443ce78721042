//! Appending: one message, events, or a batch.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use efflux_flow::particle::limits::PAYLOAD_BYTES_MAX;
use efflux_flow::particle::{Head, Message, TopicName};
use efflux_flow::storage::remote::wire::{
    Appended, Durability, FRAMES, JSON, NDJSON, ProblemKind, Receipt,
};
use efflux_flow::storage::{self, Error, ErrorKind, Topic};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use crate::server::answer;
use crate::server::cloudevents;
use crate::server::extract::{
    Condition, MessageForm, Path, condition, essence, from_frames, from_json, from_ndjson, message,
    parsed, receive,
};
use crate::server::limits::BLOCKING_BYTES_MIN;
use crate::server::node::{Hosted, Node};
use crate::server::refusal::{Answer, Refusal};

/// Appends one message, whose payload is the body, or events.
///
/// Any media type is taken and kept as the payload's content type, and so is a `Content-Encoding` of
/// `gzip` or `zstd`. `efflux-time` says when the data came to be (RFC 3339), and a header
/// `efflux-property-NAME` is a property. With `ce-` headers the message is an
/// event in binary mode. `If-Match` with a head in quotes is a condition as `head=` of
/// `efflux-expect` is, and is answered with 412 where it does not hold.
#[utoipa::path(post, path = "/v1/topics/{topic}/particles", tag = "particles",
    operation_id = "append",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("efflux-id" = Option<String>, Header, description = "The id"),
        ("efflux-type" = Option<String>, Header, description = "The data type"),
        ("efflux-group" = Option<String>, Header, description = "The message group"),
        ("efflux-expect" = Option<String>, Header, description = "What must hold: `any`, `empty`, `head=HEAD`, \
            `group=SEQUENCE;GROUP`, `group=none;GROUP` or `no-match-after=SEQUENCE;QUERY`"),
    ),
    request_body(
        content(
            (Option<String> = "application/octet-stream"),
            (Option<serde_json::Value> = "application/cloudevents+json"),
            (Option<serde_json::Value> = "application/cloudevents-batch+json"),
        ),
        description = "The payload; or one or several CloudEvents, by their media type"),
    responses(
        (status = 200, body = Appended, description = "All of it was there before"),
        (status = 201, body = Appended),
        (status = 412),
    ))]
pub(super) async fn one(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let hosted = hosted(&node, &name).await?;
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let condition = condition(headers)?;
    let media_type = media_type(headers);
    let is_event = media_type == cloudevents::EVENT || media_type == cloudevents::EVENTS;
    // Base64 and escapes make an event larger than its payload.
    let bytes_max = if is_event {
        usize::MAX
    } else {
        PAYLOAD_BYTES_MAX
    };
    let received = receive(&node, body, bytes_max).await?;
    let messages = match media_type.as_str() {
        cloudevents::EVENT => vec![cloudevents::from_structured(headers, &received.bytes)?],
        cloudevents::EVENTS => cloudevents::from_batch(headers, &received.bytes)?,
        _ if cloudevents::is_binary(headers) => {
            vec![cloudevents::from_binary(headers, received.bytes.clone())?]
        }
        _ => vec![message(headers, received.bytes.clone())?],
    };
    append(&node, &hosted, messages, condition).await
}

/// Appends messages together: all of them or none.
///
/// `If-Match` with a head in quotes is a condition as `head=` of `efflux-expect` is, and is answered
/// with 412 where it does not hold.
#[utoipa::path(post, path = "/v1/topics/{topic}/batches", tag = "particles",
    operation_id = "append_batch",
    params(
        ("topic" = String, Path, description = "The topic's name"),
        ("efflux-expect" = Option<String>, Header, description = "What must hold: `any`, `empty`, `head=HEAD`, \
            `group=SEQUENCE;GROUP`, `group=none;GROUP` or `no-match-after=SEQUENCE;QUERY`"),
    ),
    request_body(content(
        (Vec<MessageForm<'static>> = "application/json"),
        (MessageForm<'static> = "application/x-ndjson"),
        (String = "application/vnd.efflux.frames"),
    )),
    responses(
        (status = 200, body = Appended, description = "All of it was there before"),
        (status = 201, body = Appended),
        (status = 412),
    ))]
pub(super) async fn batch(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let hosted = hosted(&node, &name).await?;
    let (parts, body) = request.into_parts();
    let condition = condition(&parts.headers)?;
    let media_type = media_type(&parts.headers);
    let is_known = [JSON, NDJSON, FRAMES].contains(&media_type.as_str());
    if !is_known || parts.headers.contains_key(CONTENT_ENCODING) {
        return Err(Refusal::new(
            ProblemKind::UnsupportedMediaType,
            format!("send {JSON}, {NDJSON} or {FRAMES}, not compressed"),
        ));
    }
    let received = receive(&node, body, usize::MAX).await?;
    let messages = match media_type.as_str() {
        JSON => from_json(&received.bytes)?,
        NDJSON => from_ndjson(&received.bytes)?,
        _ => from_frames(&received.bytes)?,
    };
    append(&node, &hosted, messages, condition).await
}

async fn hosted(node: &Node, name: &str) -> Answer<Hosted> {
    let name: TopicName = parsed("topic", name)?;
    Ok(node.topic(&name).await?)
}

fn media_type(headers: &HeaderMap) -> String {
    let said = headers.get(CONTENT_TYPE);
    said.and_then(|value| value.to_str().ok())
        .map(essence)
        .unwrap_or_default()
}

async fn append(
    node: &Node,
    hosted: &Hosted,
    messages: Vec<Message>,
    condition: Condition,
) -> Answer {
    if messages.is_empty() {
        return Err(Refusal::invalid("there is no message in the body"));
    }
    let payloads = messages.iter().map(|message| message.payload().len());
    if payloads.clone().any(|bytes| bytes > PAYLOAD_BYTES_MAX) {
        let why = format!("a payload has more than {PAYLOAD_BYTES_MAX} bytes");
        return Err(Refusal::new(ProblemKind::TooLarge, why));
    }
    let bytes: usize = payloads.sum();
    let (start, before) = (Instant::now(), hosted.topic.head());
    let topic = hosted.topic.clone();
    let expect = condition.expect.clone();
    let receipts = match bytes >= BLOCKING_BYTES_MIN {
        true => append_blocking(topic, messages, expect).await,
        false => topic.append_expecting(messages, expect).await,
    };
    let receipts = receipts.map_err(|error| condition.refused(Refusal::from(error)))?;
    node.metrics()
        .appended(receipts.len() as u64, bytes as u64, start.elapsed());
    let head = receipts
        .iter()
        .map(head_on)
        .max_by_key(|head| head.sequence);
    Ok(answered(
        &receipts,
        head.unwrap_or(before),
        hosted.durability,
    ))
}

/// Appends what takes long to encode, on a thread of its own.
async fn append_blocking(
    topic: Topic,
    messages: Vec<Message>,
    expect: storage::Expect,
) -> storage::Result<Vec<storage::Receipt>> {
    let append = move || topic.append_expecting_blocking(messages, expect);
    match tokio::task::spawn_blocking(append).await {
        Ok(appended) => appended,
        Err(error) => {
            let why = format!("the append was given up: {error}");
            Err(Error::new(ErrorKind::Unavailable, why).with_may_have_applied())
        }
    }
}

const fn head_on(receipt: &storage::Receipt) -> Head {
    Head {
        sequence: receipt.sequence,
        fingerprint: receipt.fingerprint,
    }
}

fn answered(receipts: &[storage::Receipt], head: Head, durability: Durability) -> Response {
    let is_new = receipts.iter().any(|receipt| !receipt.duplicate);
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let appended = Appended {
        receipts: receipts.iter().map(Receipt::from).collect(),
        head: head.to_string(),
        durability,
    };
    answer::json(status, &appended)
}
