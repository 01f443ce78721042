//! The nouns of the interface as schemas: what every name, place and text may be.

use efflux_flow::particle::limits::{
    ID_BYTES_MAX, NAME_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME_BYTES_MAX,
    PROPERTY_VALUE_BYTES_MAX, TERM_BYTES_MAX,
};
use serde_json::{Map, Value, json};

use super::notation::{self, whole};
use super::set;

/// All nouns, by their names.
pub(super) fn nouns() -> Map<String, Value> {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| drop(all.insert(name.to_owned(), schema));
    for (noun, what) in [("TopicName", "topic"), ("ConsumerName", "consumer")] {
        let mut name = text(
            &format!("The name of a {what}: letters, digits, `_`, `-`, and single dots between."),
            &notation::name(),
            "orders",
        );
        set(&mut name, "minLength", json!(1));
        set(&mut name, "maxLength", json!(NAME_BYTES_MAX));
        add(noun, name);
    }
    add(
        "Sequence",
        number("A particle's place; the root has 0.", 0, u64::MAX),
    );
    let id = format!(
        "A UUID or another text of at most {ID_BYTES_MAX} bytes (UTF-8), without control characters."
    );
    add("Id", text(&id, &notation::id(), "order-7"));
    let term =
        format!("A text of at most {TERM_BYTES_MAX} bytes (UTF-8), without control characters.");
    add("Term", text(&term, &notation::term(), "order.placed"));
    let mut media_type = text(&term, &notation::term(), "application/json");
    let what = format!("A media type. {term}");
    set(&mut media_type, "description", json!(what));
    add("MediaType", media_type);
    let hash = "0f".repeat(32);
    let fingerprint = "SHA-256, as 64 hexadecimal digits.";
    add(
        "Fingerprint",
        text(fingerprint, &notation::fingerprint(), &hash),
    );
    let head = "A head: `SEQUENCE:FINGERPRINT`.";
    add("Head", text(head, &notation::head(), &format!("7:{hash}")));
    let ticket = "The ticket of a delivery, as it was received.";
    add("Ticket", text(ticket, &notation::ticket(), "41@3.17"));
    let time = "RFC 3339, or a date alone, which is its midnight in UTC.";
    add(
        "Time",
        text(time, &notation::time(), "2026-01-01T00:00:00Z"),
    );
    let moment =
        json!({"type": "string", "format": "date-time", "description": "RFC 3339, in UTC."});
    add("Moment", moment);
    let start = "`root`, `head`, `sequence=SEQUENCE` or `time=TIME`.";
    add("Start", text(start, &notation::start(), "root"));
    let sync = "`always`, `os`, or an interval of a millisecond to an hour.";
    add("Sync", text(sync, &notation::sync(), "250ms"));
    add(
        "Base64",
        text("Base64 with padding.", &notation::base64(), "/w=="),
    );
    let query = "A query: see docs/query.md. The language also has parentheses, further escapes and \
                 other spellings of these operators, which no pattern can tell.";
    add(
        "Query",
        text(query, &notation::query(), "type = \"order.placed\""),
    );
    let encoding = json!({"type": "string", "enum": ["gzip", "zstd"],
        "description": "How a payload is compressed."});
    add("Encoding", encoding);
    add("Properties", properties());
    add("CloudEvent", event());
    all
}

fn text(description: &str, pattern: &str, example: &str) -> Value {
    json!({
        "type": "string",
        "description": description,
        "pattern": whole(pattern),
        "examples": [example],
    })
}

/// A whole number within these bounds.
pub(super) fn number(description: &str, min: u64, max: u64) -> Value {
    json!({
        "type": "integer",
        "format": "uint64",
        "description": description,
        "minimum": min,
        "maximum": max,
    })
}

/// A noun where one is used.
pub(super) fn noun(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn properties() -> Value {
    let name = r"[^\x00-\x1f\x7f-\x9f]";
    json!({
        "type": "object",
        "description": "What a message can be found by.",
        "maxProperties": PROPERTIES_MAX,
        "propertyNames": {"pattern": whole(&format!("{name}{{1,{PROPERTY_NAME_BYTES_MAX}}}"))},
        "additionalProperties": {"type": "string", "maxLength": PROPERTY_VALUE_BYTES_MAX},
    })
}

/// CloudEvents 1.0 in JSON.
fn event() -> Value {
    let value = |least: usize| json!({"type": "string", "minLength": least, "maxLength": PROPERTY_VALUE_BYTES_MAX});
    // As a property it is called `ce.NAME`.
    let attribute = PROPERTY_NAME_BYTES_MAX - "ce.".len();
    let or_null = |schema: Value| json!({"anyOf": [schema, {"type": "null"}]});
    json!({
        "type": "object",
        "description": "CloudEvents 1.0. Attributes are named in small letters and digits. An event \
                        has `data`, `data_base64`, or neither.",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": noun("Id"),
            "source": value(1),
            "type": noun("Term"),
            "time": or_null(noun("Time")),
            "datacontenttype": or_null(noun("MediaType")),
            "partitionkey": or_null(noun("Term")),
            "subject": or_null(value(0)),
            "dataschema": or_null(value(0)),
            "data": {},
            "data_base64": or_null(noun("Base64")),
        },
        "propertyNames": {"pattern": whole(&format!("data_base64|[a-z0-9]{{1,{attribute}}}"))},
        "additionalProperties": {
            "type": ["string", "number", "boolean", "null"],
            "maxLength": PROPERTY_VALUE_BYTES_MAX,
        },
        "anyOf": [
            {"properties": {"data": {"type": "null"}}},
            {"properties": {"data_base64": {"type": "null"}}},
        ],
        "examples": [{
            "specversion": "1.0", "id": "7", "source": "/shop", "type": "order.placed",
            "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
            "data": {"total": 12}
        }],
    })
}
