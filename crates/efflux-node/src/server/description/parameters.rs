//! What each parameter may be.

use efflux_flow::particle::limits::{ID_BYTES_MAX, TERM_BYTES_MAX};
use serde_json::{Value, json};

use super::notation::{expectation, in_header, up_to, whole};
use super::nouns::noun;
use super::set;

/// The schema of the parameter with this name; none for one whose type says enough.
fn schema(name: &str) -> Option<Value> {
    let text = |pattern: &str, example: &str| json!({"type": "string", "pattern": whole(pattern), "examples": [example]});
    Some(match name {
        "topic" | "confirm" => noun("TopicName"),
        "consumer" | "pipeline" => noun("ConsumerName"),
        "sequence" | "from" | "until" | "past" => noun("Sequence"),
        // A header is a text, also where it is a number.
        "last-event-id" => text(&up_to(u64::MAX), "7"),
        "id" => noun("Id"),
        "query" => noun("Query"),
        "efflux-id" => text(&in_header(ID_BYTES_MAX), "order-7"),
        "efflux-type" | "efflux-group" => text(&in_header(TERM_BYTES_MAX), "order.placed"),
        "efflux-expect" => text(&expectation(), "any"),
        _ => return None,
    })
}

/// Says of each parameter of an operation what it may be.
pub(super) fn refine(operation: &mut Value) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter.get("name").and_then(Value::as_str);
        if let Some(schema) = name.and_then(schema) {
            set(parameter, "schema", schema);
        }
    }
}
