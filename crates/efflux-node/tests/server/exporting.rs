//! Traces as a collector gets them: OTLP over HTTP, decoded with the protocol's own types.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::Method;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::program::{efflux, signal};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector on a free port, and what it gets.
async fn collector() -> (String, mpsc::Receiver<ExportTraceServiceRequest>) {
    let (tell, told) = mpsc::channel(64);
    let take = move |body: Bytes| {
        let _ = tell.try_send(ExportTraceServiceRequest::decode(body).unwrap());
        async {}
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, told)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|pair| pair.key == key)?;
    found.value.clone()?.value
}

/// A node in memory that exports to this collector, and a client of it.
fn serving(collector: &str, more: &[&str]) -> (Child, Client) {
    let mut serving = efflux()
        .args(["serve", "--store", "mem:", "--listen", "127.0.0.1:0"])
        .args(["--log", "off", "--otlp-endpoint", collector])
        .args(more)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(serving.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let address = line.trim().rsplit_once("http://").unwrap().1;
    (serving, Client::new(address.parse().unwrap()))
}

/// Ends the node, which exports what it has. All spans, each of the service `efflux`.
fn spans(mut serving: Child, mut told: mpsc::Receiver<ExportTraceServiceRequest>) -> Vec<Span> {
    signal(&serving, "TERM");
    assert!(serving.wait().unwrap().success());
    let mut spans = Vec::new();
    while let Ok(request) = told.try_recv() {
        for resource in request.resource_spans {
            let names = &resource.resource.as_ref().unwrap().attributes;
            let name = names
                .iter()
                .find(|pair| pair.key == "service.name")
                .unwrap();
            let name = name.value.clone().unwrap().value;
            assert_eq!(name, Some(Value::StringValue("efflux".to_owned())));
            spans.extend(
                resource
                    .scope_spans
                    .into_iter()
                    .flat_map(|scope| scope.spans),
            );
        }
    }
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_a_span_in_the_trace_of_its_client() {
    let (url, told) = collector().await;
    let (serving, client) = serving(&url, &[]);
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", parent.as_str())];
    let path = "/v1/topics/orders";
    let made = client.send(Method::PUT, path, &headers, "").await;
    assert_eq!(made.status, 201);
    client
        .get("/v1/topics/nothing")
        .await
        .refused(404, "not-found");

    let spans = spans(serving, told);
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let put = named("PUT /v1/topics/{topic}");
    assert_eq!(hex(&put.trace_id), TRACE);
    assert_eq!(hex(&put.parent_span_id), PARENT);
    let status = attribute(put, "http.response.status_code");
    assert_eq!(status, Some(Value::IntValue(201)));
    let path = attribute(put, "url.path");
    assert_eq!(
        path,
        Some(Value::StringValue("/v1/topics/orders".to_owned()))
    );
    let get = named("GET /v1/topics/{topic}");
    assert_ne!(hex(&get.trace_id), TRACE);
    assert_eq!(
        attribute(get, "http.response.status_code"),
        Some(Value::IntValue(404))
    );
    assert!(get.end_time_unix_nano >= get.start_time_unix_nano);
}

/// Copies what is no noise from one topic to another.
const PIPELINE: &str = r#"
version = 1
[pipeline.copy]
connector = { topic = { name = "orders" } }
steps = [{ filter = 'type != noise' }]
router = { topic = "copies" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_batch_of_a_pipeline_is_a_trace_from_its_source_to_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("copy.toml"), PIPELINE).unwrap();
    let (url, told) = collector().await;
    let pipelines = folder.path().to_str().unwrap();
    let (serving, client) = serving(&url, &["--pipelines", pipelines]);
    // The pipeline makes its topic when it starts, which may be before this or after.
    let made = client.send(Method::PUT, "/v1/topics/orders", &[], "").await;
    assert!(made.status.is_success(), "{made:?}");
    let path = "/v1/topics/orders/particles";
    assert_eq!(client.send(Method::POST, path, &[], "a").await.status, 201);
    loop {
        let shown = client.get("/v1/pipelines/copy").await.json();
        if shown["delivered"] == 1 && shown["in_flight"] == 0 {
            break;
        }
    }

    let spans = spans(serving, told);
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let batch = named("process copy");
    assert!(batch.parent_span_id.is_empty());
    let count = attribute(batch, "messaging.batch.message_count");
    assert_eq!(count, Some(Value::IntValue(1)));
    let system = attribute(batch, "messaging.system");
    assert_eq!(system, Some(Value::StringValue("efflux".to_owned())));
    for inner in [named("steps"), named("send copy")] {
        assert_eq!(inner.trace_id, batch.trace_id);
        assert_eq!(inner.parent_span_id, batch.span_id);
        assert!(inner.end_time_unix_nano <= batch.end_time_unix_nano);
    }
}

#[test]
fn a_collector_that_is_none_is_refused() {
    let arguments = ["serve", "--store", "mem:", "--otlp-endpoint", "no url"];
    let output = efflux().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("traces cannot be exported to no url"),
        "{told}"
    );
}
