//! The description of the interface, held against the node that gives it.

use std::collections::BTreeSet;

use crate::client::Node;
use http::Method;
use serde_json::Value;

/// An operation of the description.
struct Operation {
    path: String,
    method: String,
    said: Value,
}

fn operations(described: &Value) -> Vec<Operation> {
    let paths = described["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, said)| Operation {
            path: path.clone(),
            method: method.to_ascii_uppercase(),
            said: said.clone(),
        })
    });
    each.collect()
}

/// What a reference leads to.
fn resolved<'a>(described: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(path) => described.pointer(&path[1..]).unwrap(),
        None => value,
    }
}

/// The media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap().trim()
}

impl Operation {
    /// A request as the description's examples show it, on what is there.
    fn target(&self) -> String {
        let path = self.path.replace("{topic}", "orders");
        let path = path.replace("{consumer}", "billing");
        let path = path.replace("{sequence}", "1").replace("{id}", "order-7");
        match self.said["operationId"].as_str() {
            Some("delete_topic") => format!("{path}?confirm=orders"),
            _ => path,
        }
    }

    fn body(&self) -> (&'static str, String) {
        let content = &self.said["requestBody"]["content"];
        let json = &content["application/json"]["example"];
        match json.is_null() {
            true => ("application/octet-stream", String::new()),
            false => ("application/json", json.to_string()),
        }
    }

    /// Holds a status and a content type against what is described.
    fn holds(&self, described: &Value, status: u16, media_type: &str) {
        let (name, responses) = (&self.said["operationId"], &self.said["responses"]);
        let response = resolved(described, &responses[status.to_string()]);
        assert!(response.is_object(), "{name} answers {status}");
        let Some(content) = response["content"].as_object() else {
            assert!(media_type.is_empty(), "{name} {status}: {media_type}");
            return;
        };
        let mut types = content.keys().map(|it| essence(it));
        let is_said = types.any(|it| it == "*/*" || it == essence(media_type));
        assert!(is_said, "{name} {status}: {media_type:?}");
    }
}

#[tokio::test]
async fn every_operation_answers_as_it_is_described() {
    let node = Node::with_orders().await;
    let client = &node.client;
    client.append("x", &[("efflux-id", "order-7")]).await;
    client.put("/v1/topics/orders/consumers/billing", "").await;
    let described = client.get("/openapi.json").await.json();
    let mut all = operations(&described);
    // What deletes comes last.
    all.sort_by_key(|it| (it.method == "DELETE", it.path.len() < 25, it.path.clone()));
    for operation in &all {
        let (media_type, body) = operation.body();
        let method: Method = operation.method.parse().unwrap();
        let headers = [("content-type", media_type)];
        let answer = client
            .open(method, &operation.target(), &headers, body)
            .await;
        let (status, headers) = (answer.status(), answer.headers());
        let media_type = headers.get("content-type");
        let media_type = media_type.map_or("", |it| it.to_str().unwrap());
        operation.holds(&described, status.as_u16(), media_type);
        let name = operation.said["operationId"].as_str().unwrap();
        // Tickets of the examples were never handed out.
        let expect = match name {
            "commit" | "rollback" | "extend" => 409,
            "put_topic" => 409,
            "seek" => 409,
            // This node runs no pipelines.
            "show_pipeline" | "start_pipeline" | "stop_pipeline" | "reload_pipelines" => 404,
            _ => 200,
        };
        let is_expected = status.as_u16() == expect || (expect == 200 && status.is_success());
        assert!(is_expected, "{name}: {status}");
    }
    assert_eq!(all.len(), 32);
}

#[tokio::test]
async fn every_refusal_that_is_described_is_a_problem_document() {
    let node = Node::start().await;
    let described = node.client.get("/openapi.json").await.json();
    let mut names = BTreeSet::new();
    for operation in operations(&described) {
        let name = operation.said["operationId"].as_str().unwrap().to_owned();
        let responses = operation.said["responses"].as_object().unwrap();
        for (status, response) in responses
            .iter()
            .filter(|(status, _)| status.as_str() >= "400")
        {
            let content = &resolved(&described, response)["content"];
            let problem = &content["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{name} {status}");
        }
        let mut expected = vec!["400", "403", "431"];
        if operation.path.starts_with("/v1/") {
            expected.extend(["401", "429", "500", "503"]);
        }
        if operation.said["requestBody"].is_object() {
            expected.extend(["408", "413", "415", "422"]);
        }
        for status in expected {
            assert!(responses.contains_key(status), "{name} {status}");
        }
        assert!(names.insert(name), "names of operations are told apart");
    }
}

/// Calls `look` with every schema that is an integer or a text, and where it stands.
fn each_simple(value: &Value, place: &str, look: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            if fields.get("type").is_some_and(Value::is_string) {
                look(place, value);
            }
            for (name, field) in fields {
                each_simple(field, &format!("{place}/{name}"), look);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| each_simple(it, place, look)),
        _ => {}
    }
}

#[tokio::test]
async fn numbers_and_parameters_are_described_with_their_bounds() {
    let node = Node::start().await;
    let described = node.client.get("/openapi.json").await.json();
    each_simple(&described, "", &mut |place, schema| {
        if schema["type"] == "integer" {
            let format = schema["format"].as_str().unwrap_or_default();
            assert!(format.starts_with('u'), "{place}: {schema}");
            assert!(schema["maximum"].is_u64(), "{place}: {schema}");
        }
    });
    for operation in operations(&described) {
        let parameters = operation.said["parameters"].as_array();
        for parameter in parameters.into_iter().flatten() {
            let schema = resolved(&described, &parameter["schema"]);
            let is_bound = schema["pattern"].is_string()
                || schema["maximum"].is_u64()
                || schema["type"] == "boolean";
            assert!(is_bound, "{}: {parameter}", operation.path);
        }
    }
}

#[tokio::test]
async fn who_needs_a_token_is_described_as_it_is() {
    let open = Node::start().await;
    let described = open.client.get("/openapi.json").await.json();
    let none = serde_json::json!({});
    assert!(described["security"].as_array().unwrap().contains(&none));
    for operation in operations(&described) {
        let is_open = operation.path == "/healthz" || operation.path == "/readyz";
        assert_eq!(operation.said["security"].is_array(), is_open);
    }
    let schemes = &described["components"]["securitySchemes"];
    assert_eq!(schemes["token"]["scheme"], "bearer");
    assert_eq!(schemes["certificate"]["type"], "mutualTLS");
}
