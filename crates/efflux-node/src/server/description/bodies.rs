//! What stands in the bodies of requests and answers, by their media types.

use efflux_flow::particle::limits::BATCH_PARTICLES_MAX;
use efflux_flow::storage::remote::wire::{JSON, NDJSON};
use serde_json::{Value, json};

use super::notation::{up_to, whole};
use super::nouns::noun;
use super::set;
use crate::server::cloudevents::{EVENT, EVENTS};

/// Bodies of requests that show what they are for, by what they hold.
fn example(held: &str) -> Option<Value> {
    Some(match held {
        "TopicSettings" => json!({"sync": "250ms"}),
        "ConsumerSettings" => json!({"lease_ms": 30_000, "start": "head"}),
        "Receive" => json!({"max": 100}),
        "Tickets" => json!({"tickets": ["41@3.17"]}),
        "Rollback" => json!({"tickets": ["41@3.17"], "delay_ms": 1000}),
        "Extend" => json!({"tickets": ["41@3.17"], "by_ms": 60_000}),
        "Seek" => json!({"to": "sequence=7"}),
        "Verify" => json!({"until": 7}),
        "MessageForm" => json!([{"data_type": "order.placed", "data": {"total": 12}}]),
        _ => return None,
    })
}

/// Says of an operation's bodies what stands in them.
pub(super) fn refine(operation: &mut Value) {
    if let Some(request) = operation.pointer_mut("/requestBody/content") {
        refine_each(request);
        if let Some(body) = request.get_mut(JSON) {
            show(body);
        }
    }
    let responses = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut);
    for (_, response) in responses.into_iter().flatten() {
        if let Some(content) = response.get_mut("content") {
            refine_each(content);
        }
    }
}

fn refine_each(content: &mut Value) {
    for (media_type, body) in content.as_object_mut().into_iter().flatten() {
        let schema = match media_type.as_str() {
            EVENT => noun("CloudEvent"),
            EVENTS => list(&noun("CloudEvent")),
            "text/event-stream" => sent_event(),
            NDJSON => lines(body.get("schema").unwrap_or(&Value::Null)),
            "application/octet-stream" => binary(),
            other if other.starts_with("application/vnd.efflux.") => match body.get("schema") {
                Some(line) if line.get("$ref").is_some() => binary_with(line),
                _ => binary(),
            },
            // It may be anything, so nothing is said.
            "*/*" => {
                *body = json!({});
                continue;
            }
            _ => {
                plain(body);
                continue;
            }
        };
        set(body, "schema", schema);
    }
}

/// A body that may be left out is not null, and messages are at least one.
fn plain(body: &mut Value) {
    if let Some(there) = body.pointer("/schema/oneOf/0").cloned() {
        set(body, "schema", there);
    }
    let items = body.pointer("/schema/items");
    if items.is_some_and(|items| *items == noun("MessageForm")) {
        set(body, "schema", list(&noun("MessageForm")));
    }
}

/// Puts an example beside a schema.
fn show(body: &mut Value) {
    let schema = body.get("schema");
    let held = schema.and_then(|it| it.get("$ref").or_else(|| it.pointer("/items/$ref")));
    let held = held
        .and_then(Value::as_str)
        .and_then(|path| path.rsplit('/').next());
    if let Some(example) = held.and_then(example) {
        set(body, "example", example);
    }
}

fn list(of: &Value) -> Value {
    json!({"type": "array", "items": of, "minItems": 1, "maxItems": BATCH_PARTICLES_MAX})
}

/// A text of which each line is a value of JSON.
fn lines(of: &Value) -> Value {
    json!({"type": "string", "contentMediaType": NDJSON, "contentSchema": of})
}

fn binary() -> Value {
    json!({"type": "string", "format": "binary"})
}

/// Lines of JSON with bytes between them.
fn binary_with(line: &Value) -> Value {
    json!({"type": "string", "format": "binary", "contentSchema": line})
}

/// One of the events of a stream of Server-Sent Events.
fn sent_event() -> Value {
    json!({
        "type": "object",
        "description": "One event of the stream.",
        "required": ["id", "data"],
        "properties": {
            "id": {"type": "string", "pattern": whole(&up_to(u64::MAX)),
                "description": "The particle's sequence."},
            "event": {"type": "string", "description": "The data type, where there is one."},
            "data": {"type": "string", "contentMediaType": JSON,
                "description": "The particle."},
        },
    })
}
