//! Bounds of bytes, memory, connections and time.

use std::time::Duration;

use crate::client::{Client, Node};
use efflux_node::server::ServerOptions;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn with(change: impl FnOnce(&mut ServerOptions)) -> Node {
    let mut options = ServerOptions::default();
    change(&mut options);
    let node = Node::start_with("mem:", options).await;
    node.client.put("/v1/topics/orders", "").await;
    node
}

const SHORT: Duration = Duration::from_millis(200);

const POST: &str = "POST /v1/topics/orders/particles HTTP/1.1\r\nhost: localhost\r\n";

#[tokio::test]
async fn a_body_over_its_bound_is_refused_whether_it_says_so_or_not() {
    let node = with(|options| options.body_bytes_max = 1000).await;
    let at_most = node.client.append(&"x".repeat(1000), &[]).await;
    assert_eq!(at_most.sequences(), [1]);
    node.client
        .append(&"x".repeat(1001), &[])
        .await
        .refused(413, "too-large");
    let mut stream = node.connect().await;
    let chunk = format!("{:x}\r\n{}\r\n", 600, "x".repeat(600));
    let chunked = format!("{POST}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    let _ = stream.write_all(chunked.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(node.client.append("x", &[]).await.sequences(), [2]);
}

#[tokio::test]
async fn a_payload_over_the_formats_bound_is_too_large() {
    let node = with(|_| {}).await;
    let payload = vec![b'x'; 16 * 1024 * 1024 + 1];
    let path = "/v1/topics/orders/particles";
    node.client
        .send(Method::POST, path, &[], payload)
        .await
        .refused(413, "too-large");
}

const KIB: usize = 1024;

#[tokio::test]
async fn bodies_together_have_a_bound() {
    let node = with(|options| {
        options.body_bytes_max = 256 * KIB;
        options.bodies_bytes_max = 256 * KIB;
    })
    .await;
    let mut holding = node.connect().await;
    let most = "x".repeat(250 * KIB);
    let half = format!("{POST}content-length: {}\r\n\r\n{most}", 256 * KIB);
    holding.write_all(half.as_bytes()).await.unwrap();
    let large = "x".repeat(200 * KIB);
    // The node takes what was sent at some moment; from then on there is no room.
    loop {
        let answer = node.client.append(&large, &[]).await;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            answer.refused(503, "busy");
            assert_eq!(answer.header("retry-after"), "1");
            break;
        }
    }
    // What is small goes on.
    let small = node.client.append(&"x".repeat(60 * KIB), &[]).await;
    assert_eq!(small.status, StatusCode::CREATED);
    drop(holding);
    while !node.client.append(&large, &[]).await.status.is_success() {}
}

#[tokio::test]
async fn what_a_head_says_will_come_costs_others_nothing() {
    let node = with(|options| {
        options.body_bytes_max = 1024 * KIB;
        options.bodies_bytes_max = 1024 * KIB;
    })
    .await;
    let mut holding = Vec::new();
    for _ in 0..100 {
        let mut stream = node.connect().await;
        let one = format!("{POST}content-length: {}\r\n\r\nx", 1024 * KIB);
        stream.write_all(one.as_bytes()).await.unwrap();
        holding.push(stream);
    }
    under_way(&node, 100).await;
    for _ in 0..10 {
        let answer = node.client.append(&"x".repeat(300 * KIB), &[]).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_whose_beginning_came_fast_is_not_waited_for_any_longer() {
    let node = with(|options| options.body_time = SHORT).await;
    let mut stream = node.connect().await;
    let most = "x".repeat(4 * 1024 * KIB);
    let half = format!("{POST}content-length: {}\r\n\r\n{most}", 8 * 1024 * KIB);
    let _ = stream.write_all(half.as_bytes()).await;
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut answer));
    read.await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

/// Returns when so many requests are under way, besides the one that asks.
async fn under_way(node: &Node, count: usize) {
    let told = format!("efflux_http_requests_in_flight {}\n", count + 1);
    while !node.client.get("/metrics").await.text().contains(&told) {}
}

/// A client of HTTP/2 that takes no byte of any answer.
fn without_window(node: &Node) -> Client {
    Client::built(node.address, |connections| {
        connections
            .http2_only(true)
            .http2_initial_stream_window_size(0);
    })
}

#[tokio::test]
async fn a_stream_whose_client_opens_no_window_loses_its_place() {
    let node = with(|options| {
        options.requests_max = 2;
        options.stall_time = SHORT;
    })
    .await;
    let (mut clients, mut held) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let client = without_window(&node);
        held.push(client.open(Method::GET, "/v1/topics", &[], "").await);
        clients.push(client);
    }
    let served = async { while node.client.get("/v1/topics").await.status != StatusCode::OK {} };
    let served = tokio::time::timeout(Duration::from_secs(20), served).await;
    served.unwrap();
    for answer in held {
        assert!(answer.into_body().frame().await.unwrap().is_err());
    }
}

#[tokio::test]
async fn one_connection_does_not_take_all_places() {
    let node = with(|options| options.requests_max = 16).await;
    let greedy = Client::of(node.address, true);
    let mut waiting = Vec::new();
    for _ in 0..32 {
        let greedy = greedy.clone();
        waiting.push(tokio::spawn(async move {
            let path = "/v1/topics/orders/head?past=9&wait_ms=60000";
            greedy.open(Method::GET, path, &[], "").await
        }));
    }
    under_way(&node, 2).await;
    assert_eq!(node.client.get("/v1/topics").await.status, StatusCode::OK);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_node_that_stops_does_not_wait_for_clients_that_take_nothing() {
    let node = with(|_| {}).await;
    for _ in 0..20 {
        node.client.append(&"x".repeat(1024 * 1024), &[]).await;
    }
    let get = "GET /v1/topics/orders/particles HTTP/1.1\r\nhost: localhost\r\naccept: application/vnd.efflux.frames\r\n\r\n";
    let mut stream = node.connect().await;
    stream.write_all(get.as_bytes()).await.unwrap();
    let client = without_window(&node);
    let held = client.open(Method::GET, "/v1/topics", &[], "").await;
    under_way(&node, 2).await;
    let start = tokio::time::Instant::now();
    node.stop().await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    drop((stream, held));
}

#[tokio::test]
async fn connections_that_ask_nothing_give_way_to_those_that_do() {
    let node = with(|options| options.connections_max = 8).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(node.connect().await);
    }
    let other = Client::new(node.address);
    let served = tokio::time::timeout(Duration::from_secs(20), other.get("/v1/topics")).await;
    assert_eq!(served.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn the_first_request_of_a_connection_is_waited_for_as_long_as_a_head() {
    let node = with(|options| options.head_time = SHORT).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), is_ended(&node, ""));
    assert_eq!(ended.await.unwrap(), "");
}

#[tokio::test]
async fn requests_under_way_have_a_bound_and_the_node_still_tells_how_it_is() {
    let node = with(|options| options.requests_max = 1).await;
    let path = "/v1/topics/orders/events?from=0";
    let events = node.client.open(Method::GET, path, &[], "").await;
    node.client.get("/v1/topics").await.refused(503, "busy");
    assert_eq!(node.client.get("/healthz").await.status, StatusCode::OK);
    drop(events);
    while node.client.get("/v1/topics").await.status != StatusCode::OK {}
}

#[tokio::test]
async fn connections_have_a_bound_and_the_next_one_waits_for_its_turn() {
    let node = with(|options| {
        options.connections_max = 2;
        options.idle_time = SHORT;
    })
    .await;
    let mut first = node.connect().await;
    let _second = node.connect().await;
    let third = node.connect().await;
    // The first ones are ended because they are idle, and then it is the turn of the others.
    assert_eq!(first.read(&mut [0; 8]).await.unwrap(), 0);
    let mut third = third;
    third
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    third.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// The node ends a connection on which this was sent and nothing follows.
async fn is_ended(node: &Node, sent: &str) -> String {
    let mut stream = node.connect().await;
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn connections_that_say_nothing_or_stop_in_the_middle_are_ended() {
    let node = with(|options| {
        options.idle_time = SHORT;
        options.head_time = SHORT;
        options.body_time = SHORT;
    })
    .await;
    assert_eq!(is_ended(&node, "").await, "");
    assert_eq!(is_ended(&node, "PRI * HT").await, "");
    let half_a_head = is_ended(&node, "GET /healthz HTTP/1.1\r\nho").await;
    assert!(!half_a_head.contains(" 200 "), "{half_a_head}");
    let idle = is_ended(&node, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(idle.starts_with("HTTP/1.1 200"), "{idle}");
    let half_a_body = is_ended(&node, &format!("{POST}content-length: 100\r\n\r\nhalf")).await;
    assert!(half_a_body.starts_with("HTTP/1.1 408"), "{half_a_body}");
    assert!(
        half_a_body.contains("urn:efflux:problem:timeout"),
        "{half_a_body}"
    );
}

#[tokio::test]
async fn a_head_that_drips_is_not_waited_for() {
    let node = with(|options| {
        options.head_time = SHORT;
        options.idle_time = SHORT;
    })
    .await;
    let mut stream = node.connect().await;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nx: ")
        .await
        .unwrap();
    // Each byte comes in time, the whole does not: at some moment there is nobody to take it.
    let mut drip = tokio::time::interval(SHORT / 10);
    loop {
        drip.tick().await;
        if stream.write_all(b"x").await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let node = with(|options| options.stall_time = SHORT).await;
    for _ in 0..40 {
        node.client.append(&"x".repeat(1024 * 1024), &[]).await;
    }
    let mut stream = node.connect().await;
    let get = "GET /v1/topics/orders/particles HTTP/1.1\r\nhost: localhost\r\naccept: application/vnd.efflux.frames\r\n\r\n";
    stream.write_all(get.as_bytes()).await.unwrap();
    // The answer has begun, so the request is counted. Nothing more is read until the node has given
    // up, which ends the only request there is.
    stream.read_exact(&mut [0]).await.unwrap();
    while !node
        .client
        .get("/metrics")
        .await
        .text()
        .contains("efflux_http_requests_in_flight 1\n")
    {}
    let mut came = Vec::new();
    let _ = stream.read_to_end(&mut came).await;
    assert!(came.len() < 40 * 1024 * 1024, "{}", came.len());
}

#[tokio::test]
async fn a_wait_is_no_longer_than_the_node_allows() {
    let node = with(|options| options.wait_max = SHORT).await;
    let head = node
        .client
        .get("/v1/topics/orders/head?past=9&wait_ms=3600000")
        .await;
    assert_eq!(head.status, StatusCode::OK);
}

#[tokio::test]
async fn settings_out_of_bounds_do_not_start() {
    let store = efflux_node::storage::Store::open("mem:").await.unwrap();
    let mut options = ServerOptions::default();
    options.requests_max = 0;
    let refused = efflux_node::server::Server::bind(store, "127.0.0.1:0", options).await;
    assert!(refused.unwrap_err().to_string().contains("requests_max"));
}
