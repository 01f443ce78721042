//! Traces as a collector gets them: OTLP over HTTP, decoded with the protocol's own types.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

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

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_a_span_in_the_trace_of_its_client() {
    let (url, mut told) = collector().await;
    let mut serving = efflux()
        .args(["serve", "--store", "mem:", "--listen", "127.0.0.1:0"])
        .args(["--log", "off", "--otlp-endpoint", &url])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(serving.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let address = line.trim().rsplit_once("http://").unwrap().1;
    let client = Client::new(address.parse().unwrap());
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", parent.as_str())];
    let path = "/v1/topics/orders";
    let made = client.send(Method::PUT, path, &headers, "").await;
    assert_eq!(made.status, 201);
    client
        .get("/v1/topics/nothing")
        .await
        .refused(404, "not-found");
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
