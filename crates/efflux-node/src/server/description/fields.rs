//! Which noun each field of the protocol's types is.

use efflux_flow::storage::consumer_limits::{LEASE_MAX, LEASE_MIN, MAX_IN_FLIGHT_MAX, OPEN_MAX};
use efflux_flow::storage::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use serde_json::{Value, json};

use super::nouns::noun;
use super::set;
use crate::server::limits::RECEIVE_MAX;

/// Fields that are nouns: the type, the field, the noun.
const NOUNS: &[(&str, &str, &str)] = &[
    ("Appended", "head", "Head"),
    ("ConsumerSettings", "dead_letter", "TopicName"),
    ("ConsumerSettings", "start", "Start"),
    ("ConsumerShown", "name", "ConsumerName"),
    ("ConsumerStateShown", "name", "ConsumerName"),
    ("HeadShown", "head", "Head"),
    ("MessageForm", "id", "Id"),
    ("MessageForm", "timestamp", "Time"),
    ("MessageForm", "data_type", "Term"),
    ("MessageForm", "content_type", "MediaType"),
    ("MessageForm", "content_encoding", "Encoding"),
    ("MessageForm", "message_group", "Term"),
    ("MessageForm", "payload_base64", "Base64"),
    ("MessageForm", "properties", "Properties"),
    ("Page", "head", "Head"),
    ("ParticleShown", "topic", "TopicName"),
    ("ParticleShown", "id", "Id"),
    ("ParticleShown", "created", "Moment"),
    ("ParticleShown", "timestamp", "Moment"),
    ("ParticleShown", "data_type", "Term"),
    ("ParticleShown", "content_type", "MediaType"),
    ("ParticleShown", "content_encoding", "Encoding"),
    ("ParticleShown", "message_group", "Term"),
    ("ParticleShown", "properties", "Properties"),
    ("ParticleShown", "fingerprint", "Fingerprint"),
    ("ParticleShown", "linked_fingerprint", "Fingerprint"),
    ("ParticleShown", "payload_hash", "Fingerprint"),
    ("ParticleShown", "ticket", "Ticket"),
    ("ParticleShown", "payload_base64", "Base64"),
    ("Receipt", "fingerprint", "Fingerprint"),
    ("Seek", "to", "Start"),
    ("TopicSettings", "sync", "Sync"),
    ("TopicShown", "name", "TopicName"),
    ("TopicShown", "head", "Head"),
    ("Verified", "head", "Head"),
    ("Verify", "after", "Head"),
];

/// Numbers with bounds of their own: the type, the field, the bounds.
fn bounds() -> Vec<(&'static str, &'static str, u64, u64)> {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (lease_min, lease_max) = (millis(LEASE_MIN), millis(LEASE_MAX));
    vec![
        ("ConsumerSettings", "lease_ms", lease_min, lease_max),
        (
            "ConsumerSettings",
            "max_in_flight",
            1,
            MAX_IN_FLIGHT_MAX as u64,
        ),
        ("ConsumerSettings", "max_deliveries", 1, u32::MAX.into()),
        ("Extend", "by_ms", lease_min, lease_max),
        ("Problem", "status", 400, 599),
        ("Receive", "max", 1, RECEIVE_MAX as u64),
        ("Rollback", "delay_ms", 0, lease_max),
        (
            "TopicSettings",
            "segment_bytes",
            SEGMENT_BYTES_MIN,
            SEGMENT_BYTES_MAX,
        ),
    ]
}

/// Lists of nouns: the type, the field, the noun, how many at most where there is a bound.
const LISTS: &[(&str, &str, &str, Option<usize>)] = &[
    ("ConsumerNames", "consumers", "ConsumerName", None),
    ("Extend", "tickets", "Ticket", Some(OPEN_MAX)),
    ("Rollback", "tickets", "Ticket", Some(OPEN_MAX)),
    ("Tickets", "tickets", "Ticket", Some(OPEN_MAX)),
    ("TopicNames", "topics", "TopicName", None),
];

/// Says of each field what it may be.
///
/// Returns the fields that are not there, which is a defect of the tables above.
pub(super) fn refine(schemas: &mut Value) -> Vec<String> {
    let mut missing = Vec::new();
    let mut at = |schema: &str, field: &str, change: &dyn Fn(&mut Value)| match schemas
        .pointer_mut(&format!("/{schema}/properties/{field}"))
    {
        Some(found) => change(found),
        None => missing.push(format!("{schema}.{field}")),
    };
    for (schema, field, name) in NOUNS {
        at(schema, field, &|found| become_noun(found, name));
    }
    for (schema, field, min, max) in bounds() {
        at(schema, field, &|found| {
            set(found, "minimum", json!(min));
            set(found, "maximum", json!(max));
        });
    }
    for (schema, field, name, count_max) in LISTS {
        at(schema, field, &|found| {
            set(found, "items", noun(name));
            if let Some(max) = count_max {
                set(found, "maxItems", json!(max));
            }
        });
    }
    one_payload(schemas);
    unsigned(schemas);
    missing
}

/// Puts a noun in the place of a type, and keeps what else is said of the field.
fn become_noun(field: &mut Value, name: &str) {
    let is_nullable = field.get("type").is_some_and(Value::is_array);
    let mut refined = match is_nullable {
        true => json!({"anyOf": [noun(name), {"type": "null"}]}),
        false => noun(name),
    };
    for kept in ["description", "default"] {
        if let Some(value) = field.get(kept) {
            set(&mut refined, kept, value.clone());
        }
    }
    *field = refined;
}

/// A message has one payload at most; null in place of a text is none, and as `data` it is one.
fn one_payload(schemas: &mut Value) {
    let none = json!({"type": "null"});
    let one = json!([
        {"properties": {"payload_base64": none, "data": false}},
        {"properties": {"payload": none, "data": false}},
        {"properties": {"payload": none, "payload_base64": none}},
    ]);
    if let Some(message) = schemas.get_mut("MessageForm") {
        set(message, "anyOf", one);
    }
}

/// Says of numbers that are never negative that they have no sign, and how large they can be.
pub(super) fn unsigned(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(unsigned),
        Value::Object(fields) => {
            let is_integer = match fields.get("type") {
                Some(Value::String(name)) => name == "integer",
                Some(Value::Array(names)) => names.contains(&json!("integer")),
                _ => false,
            };
            if is_integer && fields.contains_key("minimum") {
                let is_small = fields.get("format") == Some(&json!("int32"));
                let (format, max) = match is_small {
                    true => ("uint32", u64::from(u32::MAX)),
                    false => ("uint64", u64::MAX),
                };
                fields.insert("format".to_owned(), json!(format));
                fields.entry("maximum").or_insert(json!(max));
            }
            fields.values_mut().for_each(unsigned);
        }
        _ => {}
    }
}
