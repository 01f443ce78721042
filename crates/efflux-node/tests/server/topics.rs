//! Topics and what is asked by whoever runs the node.

use crate::client::{Client, Node};
use http::{Method, StatusCode};

#[tokio::test]
async fn a_topic_is_made_once_and_left_as_it_is() {
    let node = Node::start().await;
    let client = &node.client;
    let made = client.put("/v1/topics/orders", r#"{"sync":"250ms"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.json()["settings"]["sync"], "250ms");
    let again = client.put("/v1/topics/orders", r#"{"sync":"250ms"}"#).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, made.json()));
    let other = client.put("/v1/topics/orders", "").await;
    other.refused(409, "conflict");
    assert_eq!(client.get("/v1/topics/orders").await.json(), made.json());
    assert_eq!(
        client.get("/v1/topics").await.text(),
        r#"{"topics":["orders"]}"#
    );
}

#[tokio::test]
async fn settings_that_are_none_are_refused() {
    let node = Node::start().await;
    for (settings, status, name) in [
        (r#"{"sync":"never"}"#, 400, "invalid"),
        (r#"{"segment_bytes":1}"#, 400, "invalid"),
        (r#"{"segment_bytes":"large"}"#, 422, "malformed"),
        (r#"{"colour":"red"}"#, 422, "malformed"),
        (r#"{"sync":"os","sync":"os"}"#, 422, "malformed"),
        (r#"{"sync":"#, 400, "invalid"),
        ("[]", 422, "malformed"),
    ] {
        let answer = node.client.put("/v1/topics/orders", settings).await;
        answer.refused(status, name);
    }
    assert_eq!(
        node.client.get("/v1/topics").await.text(),
        r#"{"topics":[]}"#
    );
}

#[tokio::test]
async fn a_topic_is_deleted_when_its_name_is_said_again() {
    let node = Node::with_orders().await;
    let client = &node.client;
    client.append("one", &[]).await;
    client
        .delete("/v1/topics/orders")
        .await
        .refused(400, "invalid");
    client
        .delete("/v1/topics/orders?confirm=other")
        .await
        .refused(409, "conflict");
    let deleted = client.delete("/v1/topics/orders?confirm=orders").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    client
        .get("/v1/topics/orders")
        .await
        .refused(404, "not-found");
    client.append("two", &[]).await.refused(404, "not-found");
    client
        .delete("/v1/topics/orders?confirm=orders")
        .await
        .refused(404, "not-found");
    client.put("/v1/topics/orders", "").await;
    assert_eq!(client.append("three", &[]).await.sequences(), [1]);
}

#[tokio::test]
async fn a_topic_can_be_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("store").display().to_string();
    let node = Node::start_with(&url, Default::default()).await;
    node.client.put("/v1/topics/orders", "").await;
    node.client.append("one", &[]).await;
    let reopened = node.client.post("/v1/topics/orders/reopen", "").await;
    assert_eq!(reopened.status, StatusCode::OK, "{reopened:?}");
    assert_eq!(node.client.append("two", &[]).await.sequences(), [2]);
    node.stop().await;

    let in_memory = Node::with_orders().await;
    in_memory.client.append("one", &[]).await;
    in_memory.client.post("/v1/topics/orders/reopen", "").await;
    assert_eq!(in_memory.client.append("two", &[]).await.sequences(), [2]);
}

#[tokio::test]
async fn the_node_tells_how_it_is() {
    let node = Node::with_orders().await;
    let client = &node.client;
    client.append("one", &[]).await;
    client.get("/v1/topics/nowhere").await;
    assert_eq!(client.get("/healthz").await.text(), "ok\n");
    assert_eq!(client.get("/readyz").await.text(), "ready\n");
    let metrics = client.get("/metrics").await.text();
    for line in [
        "efflux_appended_particles_total 1",
        "efflux_appended_payload_bytes_total 3",
        "efflux_topic_head_sequence{topic=\"orders\"} 1",
        "efflux_http_requests_in_flight 1",
        "efflux_http_connections ",
        "efflux_http_request_duration_seconds_count{method=\"GET\",route=\"/v1/topics/{topic}\",status=\"404\"} 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
}

#[tokio::test]
async fn the_interface_is_described_as_it_is() {
    let node = Node::start().await;
    let described = node.client.get("/openapi.json").await.json();
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = described["paths"].as_object().unwrap();
    let count = paths
        .values()
        .map(|path| path.as_object().unwrap().len())
        .sum::<usize>();
    assert_eq!(count, 32, "{:?}", paths.keys());
    for path in paths.keys() {
        let path = path.replace("{sequence}", "1").replace(['{', '}'], "");
        for method in [Method::PATCH, Method::TRACE] {
            let answer = node.client.send(method, &path, &[], "").await;
            answer.refused(405, "method-not-allowed");
            assert!(!answer.header("allow").is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn parameters_that_a_route_does_not_know_are_refused_everywhere() {
    let node = Node::with_orders().await;
    for path in [
        "/v1/topics",
        "/v1/topics/orders",
        "/v1/topics/orders/head",
        "/v1/topics/orders/particles",
        "/v1/topics/orders/particles/0",
        "/v1/topics/orders/particles/0/payload",
        "/v1/topics/orders/events",
        "/v1/topics/orders/consumers",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
    ] {
        let asked = format!("{path}?colour=red");
        for method in [Method::GET, Method::HEAD] {
            let answer = node.client.send(method, &asked, &[], "").await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{asked}");
        }
        let empty = format!("{path}?");
        let empty = node.client.send(Method::HEAD, &empty, &[], "").await;
        assert_eq!(empty.status, StatusCode::OK, "{path}");
    }
    let sent = node.client.append("x", &[]).await;
    assert_eq!(sent.sequences(), [1]);
    let path = "/v1/topics/orders/particles?colour=red";
    let refused = node.client.send(Method::POST, path, &[], "x").await;
    refused.refused(400, "invalid");
    let other = node.client.send(Method::TRACE, path, &[], "").await;
    other.refused(405, "method-not-allowed");
}

#[tokio::test]
async fn bodies_of_requests_that_have_none_are_ignored() {
    let node = Node::with_orders().await;
    let client = &node.client;
    for path in ["/v1/topics", "/v1/topics/orders", "/healthz"] {
        let answer = client.send(Method::GET, path, &[], "{\"a\":").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    let path = "/v1/topics/orders?confirm=orders";
    let deleted = client.send(Method::DELETE, path, &[], "anything").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn http_2_is_spoken_as_well() {
    let node = Node::with_orders().await;
    let client = Client::of(node.address, true);
    assert_eq!(client.append("one", &[]).await.sequences(), [1]);
    let read = client.get("/v1/topics/orders/particles/1/payload").await;
    assert_eq!(read.text(), "one");
    client.get("/v1/topics/a..b").await.refused(400, "invalid");
}

#[tokio::test]
async fn who_waits_at_a_topic_that_is_deleted_is_told_that_it_is_not_there() {
    let node = Node::with_orders().await;
    let client = node.client.clone();
    let waiting = tokio::spawn(async move {
        let path = "/v1/topics/orders/head?past=9&wait_ms=60000";
        client.get(path).await
    });
    let told = "efflux_http_requests_in_flight 2\n";
    while !node.client.get("/metrics").await.text().contains(told) {}
    let deleted = node.client.delete("/v1/topics/orders?confirm=orders").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    waiting.await.unwrap().refused(404, "not-found");
}
