//! Appending: one message, events, or a batch.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use efflux_flow::particle::limits::PAYLOAD_BYTES_MAX;
use efflux_flow::particle::{Head, Message, TopicName};
use efflux_flow::storage::remote::wire::{
    Appended, AppendedEach, Durability, FRAMES, JSON, NDJSON, Outcome, Problem, ProblemKind,
    Receipt,
};
use efflux_flow::storage::{self, Error, ErrorKind, Expect, Topic};
use futures_util::future::join_all;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use tokio::runtime::Handle;

use crate::server::answer;
use crate::server::cloudevents;
use crate::server::extract::{
    Condition, MessageForm, Path, batches_from_frames, condition, essence, from_frames, from_json,
    from_ndjson, message, parsed, receive,
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
    let read: fn(&Bytes) -> Answer<Vec<Message>> = match media_type.as_str() {
        JSON => |bytes| from_json(bytes),
        NDJSON => |bytes| from_ndjson(bytes),
        _ => from_frames,
    };
    if received.bytes.len() < BLOCKING_BYTES_MIN {
        return append(&node, &hosted, read(&received.bytes)?, condition).await;
    }
    let (bytes, begun) = (received.bytes.clone(), Begun::new(&hosted));
    let (topic, expect) = (hosted.topic.clone(), condition.expect.clone());
    let appended = blocking(move || {
        let messages = read(&bytes)?;
        let payload_bytes = payload_bytes(&messages)?;
        let receipts = topic.append_expecting_blocking(messages, expect);
        Ok((receipts, payload_bytes))
    });
    let (receipts, payload_bytes) = appended.await?;
    let receipts = receipts.map_err(|error| condition.refused(Refusal::from(error)))?;
    Ok(begun.answer(&node, &hosted, &receipts, payload_bytes))
}

/// Appends several batches, each by itself: one that is refused leaves the others as they are.
#[utoipa::path(post, path = "/v1/topics/{topic}/appends", tag = "particles",
    operation_id = "append_each",
    params(("topic" = String, Path, description = "The topic's name")),
    request_body(content = String, content_type = "application/vnd.efflux.frames",
        description = "Batches of frames, one behind the other"),
    responses(
        (status = 200, body = AppendedEach, description = "What became of each"),
    ))]
pub(super) async fn each(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let hosted = hosted(&node, &name).await?;
    let (parts, body) = request.into_parts();
    if condition(&parts.headers)?.expect != Expect::Any {
        let why = "an expectation stands for one batch: send that one to /batches";
        return Err(Refusal::invalid(why));
    }
    if media_type(&parts.headers) != FRAMES || parts.headers.contains_key(CONTENT_ENCODING) {
        let why = format!("send {FRAMES}, not compressed");
        return Err(Refusal::new(ProblemKind::UnsupportedMediaType, why));
    }
    let received = receive(&node, body, usize::MAX).await?;
    let bytes = received.bytes.clone();
    let (topic, begun) = (hosted.topic.clone(), Begun::new(&hosted));
    let (outcomes, payload_bytes) = match bytes.len() < BLOCKING_BYTES_MIN {
        true => append_each(topic, &bytes).await?,
        false => {
            let here = Handle::current();
            blocking(move || here.block_on(append_each(topic, &bytes))).await?
        }
    };
    let placed = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
    let count: usize = placed.clone().map(Vec::len).sum();
    node.metrics()
        .appended(count as u64, payload_bytes as u64, begun.start.elapsed());
    let heads = placed.filter_map(|receipts| last(receipts));
    let head = heads.max_by_key(|head| head.sequence);
    let head = head.unwrap_or(begun.before);
    let appended = AppendedEach {
        outcomes: outcomes.iter().map(outcome).collect(),
        head: head.to_string(),
        durability: hosted.durability,
    };
    Ok(answer::json(StatusCode::OK, &appended))
}

/// What became of each batch, and the bytes of all payloads.
type Outcomes = (Vec<storage::Result<Vec<storage::Receipt>>>, usize);

/// Appends all batches of a body at once, so that they share their writes and syncs.
async fn append_each(topic: Topic, bytes: &Bytes) -> Answer<Outcomes> {
    let batches = batches_from_frames(bytes)?;
    if batches.is_empty() {
        return Err(no_message());
    }
    let sizes: Answer<Vec<usize>> = batches.iter().map(|it| payload_bytes(it)).collect();
    let payload_bytes = sizes?.iter().sum();
    let append = |batch| topic.append_expecting(batch, Expect::Any);
    let outcomes = join_all(batches.into_iter().map(append)).await;
    Ok((outcomes, payload_bytes))
}

fn outcome(of: &storage::Result<Vec<storage::Receipt>>) -> Outcome {
    match of {
        Ok(receipts) => Outcome {
            receipts: receipts.iter().map(Receipt::from).collect(),
            problem: None,
        },
        Err(error) => Outcome {
            receipts: Vec::new(),
            problem: Some(Problem::from(error)),
        },
    }
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
    let payload_bytes = payload_bytes(&messages)?;
    let begun = Begun::new(hosted);
    let topic = hosted.topic.clone();
    let expect = condition.expect.clone();
    let receipts = match payload_bytes >= BLOCKING_BYTES_MIN {
        true => blocking(move || Ok(topic.append_expecting_blocking(messages, expect))).await?,
        false => topic.append_expecting(messages, expect).await,
    };
    let receipts = receipts.map_err(|error| condition.refused(Refusal::from(error)))?;
    Ok(begun.answer(node, hosted, &receipts, payload_bytes))
}

/// The bytes of all payloads; refuses a batch without messages, or with a payload that is too large.
fn payload_bytes(messages: &[Message]) -> Answer<usize> {
    if messages.is_empty() {
        return Err(no_message());
    }
    let payloads = messages.iter().map(|message| message.payload().len());
    if payloads.clone().any(|bytes| bytes > PAYLOAD_BYTES_MAX) {
        let why = format!("a payload has more than {PAYLOAD_BYTES_MAX} bytes");
        return Err(Refusal::new(ProblemKind::TooLarge, why));
    }
    Ok(payloads.sum())
}

fn no_message() -> Refusal {
    Refusal::invalid("there is no message in the body")
}

/// Does what takes long, such as hashing and encoding much, on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => {
            let why = format!("the append was given up: {error}");
            let error = Error::new(ErrorKind::Unavailable, why).with_may_have_applied();
            Err(error.into())
        }
    }
}

/// An append that is under way: since when, and where the topic stood before.
struct Begun {
    start: Instant,
    before: Head,
}

impl Begun {
    fn new(hosted: &Hosted) -> Self {
        Self {
            start: Instant::now(),
            before: hosted.topic.head(),
        }
    }

    fn answer(
        &self,
        node: &Node,
        hosted: &Hosted,
        receipts: &[storage::Receipt],
        payload_bytes: usize,
    ) -> Response {
        let (count, time) = (receipts.len() as u64, self.start.elapsed());
        node.metrics().appended(count, payload_bytes as u64, time);
        let head = last(receipts).unwrap_or(self.before);
        answered(receipts, head, hosted.durability)
    }
}

/// The head on the last of these particles.
fn last(receipts: &[storage::Receipt]) -> Option<Head> {
    let last = receipts.iter().max_by_key(|receipt| receipt.sequence);
    last.map(head_on)
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
