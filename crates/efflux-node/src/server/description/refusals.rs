//! With which statuses each operation may refuse a request. Each is a problem document.

use std::collections::{BTreeMap, BTreeSet};

use efflux_flow::storage::remote::wire::{PROBLEM, ProblemKind};
use serde_json::{Map, Value, json};

use super::set;

/// Refusals of any request: it cannot be understood, or comes from another machine's page.
const ANY: &[u16] = &[400, 403, 431];
/// Of what needs a token, where there are tokens.
const GUARDED: &[u16] = &[401, 429];
/// Of what works with the store.
const STORED: &[u16] = &[500, 503];
/// Of what has a body of JSON.
const WITH_BODY: &[u16] = &[408, 413, 415, 422];
/// Of what changes something.
const CHANGES: &[u16] = &[409, 507];

/// One response for each status, as components.
pub(super) fn components() -> Map<String, Value> {
    let mut titles: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for kind in ProblemKind::ALL {
        titles.entry(kind.status()).or_default().push(kind.title());
    }
    let told = |(status, titles): (u16, Vec<&str>)| {
        let mut response = json!({
            "description": titles.join(", or "),
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
        if status == 401 {
            let headers = json!({"WWW-Authenticate": {
                "schema": {"type": "string"}, "description": "How to show who asks."
            }});
            set(&mut response, "headers", headers);
        }
        (format!("Refused{status}"), response)
    };
    titles.into_iter().map(told).collect()
}

/// Adds to an operation the refusals that follow from what it is; those that its handler names stay.
pub(super) fn add(operation: &mut Value, path: &str, method: &str) {
    let mut statuses: BTreeSet<u16> = ANY.iter().copied().collect();
    let is_stored = path.starts_with("/v1/");
    if is_stored || path == "/metrics" {
        statuses.extend(GUARDED);
    }
    if is_stored {
        statuses.extend(STORED);
    }
    let makes = method == "put" && path == "/v1/topics/{topic}";
    let is_one = path.starts_with("/v1/topics/{topic}") || path.starts_with("/v1/pipelines/");
    if is_one && !makes {
        statuses.insert(404);
    }
    if operation.get("requestBody").is_some() {
        statuses.extend(WITH_BODY);
    }
    if method != "get" {
        statuses.extend(CHANGES);
    }
    let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let named = responses
        .iter()
        .filter_map(|(status, _)| status.parse().ok());
    statuses.extend(named.filter(|status| *status >= 400).collect::<Vec<u16>>());
    for status in statuses {
        let said = responses.get(&status.to_string());
        let said = said.and_then(|it| it.get("description")?.as_str());
        let mut refused = json!({"$ref": format!("#/components/responses/Refused{status}")});
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            set(&mut refused, "description", json!(said));
        }
        responses.insert(status.to_string(), refused);
    }
}
