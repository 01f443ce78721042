//! The description of the interface: OpenAPI 3.1.
//!
//! Handlers and the protocol's types say which routes and fields there are. What every one of them may
//! hold and how it is refused is added here, in one place, from the bounds of what reads it: so the
//! document promises what the code does.

mod bodies;
mod fields;
mod notation;
mod nouns;
mod parameters;
mod refusals;

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Whether requests need a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// Each needs one, or a certificate.
    Always,
    /// Whoever reaches the node may do everything.
    Never,
}

/// The whole description, from what handlers and types say of themselves.
pub(crate) fn complete(described: &OpenApi, guarded: Guarded) -> Value {
    // The description is made of texts and numbers, which have a form in JSON.
    let mut document = serde_json::to_value(described).unwrap_or_default();
    if let Some(schemas) = document.pointer_mut("/components/schemas") {
        let missing = fields::refine(schemas);
        debug_assert!(missing.is_empty(), "no such fields: {missing:?}");
        extend(schemas, nouns::nouns());
    }
    fields::unsigned(&mut document);
    if let Some(components) = document.get_mut("components") {
        set(
            components,
            "responses",
            Value::Object(refusals::components()),
        );
        set(components, "securitySchemes", schemes());
    }
    set(&mut document, "security", security(guarded));
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            bodies::refine(operation);
            parameters::refine(operation);
            refusals::add(operation, path, method);
            if is_open(path) {
                set(operation, "security", json!([]));
            }
        }
    }
    document
}

/// The description without the operations whose bodies are frames alone: whatever is made from a
/// description cannot make such a body. docs/node.md has them.
pub(crate) fn without_frames(mut document: Value) -> Value {
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for operations in paths.values_mut().filter_map(Value::as_object_mut) {
            operations.retain(|_, operation| !takes_frames_alone(operation));
        }
        paths.retain(|_, operations| operations.as_object().is_some_and(|it| !it.is_empty()));
    }
    document
}

fn takes_frames_alone(operation: &Value) -> bool {
    let content = operation.pointer("/requestBody/content");
    let mut types = content.and_then(Value::as_object).map(|it| it.keys());
    let is_frames = |media_type: &String| media_type.starts_with("application/vnd.efflux.");
    types.as_mut().is_some_and(|types| types.all(is_frames))
}

/// Whether a route tells nothing that is stored.
fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// How a client may show who it is.
fn schemes() -> Value {
    json!({
        "token": {
            "type": "http", "scheme": "bearer",
            "description": "A token, as `efflux token create` makes one.",
        },
        "certificate": {
            "type": "mutualTLS",
            "description": "A certificate that the node's file of tokens names.",
        },
    })
}

fn security(guarded: Guarded) -> Value {
    match guarded {
        Guarded::Always => json!([{"token": []}, {"certificate": []}]),
        Guarded::Never => json!([{}, {"token": []}, {"certificate": []}]),
    }
}

/// Sets a field of an object.
fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(field.to_owned(), value);
    }
}

fn extend(object: &mut Value, more: Map<String, Value>) {
    if let Some(object) = object.as_object_mut() {
        object.extend(more);
    }
}
