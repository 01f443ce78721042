//! Requests that no client should send: each is refused, and the node goes on.

use crate::client::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends a whole request, and returns all that comes back until the node ends the connection.
async fn raw(node: &Node, bytes: &[u8]) -> String {
    sent(node, bytes, false).await
}

/// Sends what is no whole request and goes away, as far as the node can tell.
async fn cut(node: &Node, bytes: &[u8]) -> String {
    sent(node, bytes, true).await
}

async fn sent(node: &Node, bytes: &[u8], is_cut: bool) -> String {
    let mut stream = node.connect().await;
    // The node may answer and end the connection before it has taken everything.
    let _ = stream.write_all(bytes).await;
    if is_cut {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
        .into_bytes()
}

/// A well-behaved client is served.
async fn is_alive(node: &Node) {
    let appended = node.client.append("alive", &[]).await;
    assert!(appended.status.is_success(), "{appended:?}");
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_no_names() {
    let node = Node::with_orders().await;
    for path in [
        "/v1/topics/..%2f..%2fetc",
        "/v1/topics/%2e%2e",
        "/v1/topics/orders%00",
        "/v1/topics/%ff",
        "/v1/topics/a%2fb",
        "/v1/topics/%20",
        "/v1/topics/a%0ab",
        "/v1/topics/..%5c..",
        "/v1/topics/orders/particles/%2e%2e",
        "/v1/topics/orders/ids/%ff",
    ] {
        let answer = raw(&node, &get(path, "")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(
            answer.contains("application/problem+json"),
            "{path}: {answer}"
        );
    }
    for path in [
        "/v1/topics/../../etc/passwd",
        "/v1//topics",
        "//",
        "/v1/topics/orders/../orders/head/x",
    ] {
        let answer = raw(&node, &get(path, "")).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    is_alive(&node).await;
}

#[tokio::test]
async fn headers_that_stand_twice_or_smuggle_are_refused() {
    let node = Node::with_orders().await;
    let post = |headers: &str, body: &str| {
        format!(
            "POST /v1/topics/orders/particles HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n{body}"
        )
    };
    for headers in [
        "host: localhost\r\ncontent-length: 1\r\n",
        "content-length: 1\r\ncontent-length: 2\r\n",
        "content-length: +1\r\n",
        "content-length: 1, 1\r\ncontent-length: 2\r\n",
        "content-type: a/b\r\ncontent-type: c/d\r\ncontent-length: 1\r\n",
        "efflux-type: a\r\nefflux-type: b\r\ncontent-length: 1\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "bad header: x\r\ncontent-length: 1\r\n",
        "efflux-type: \u{e4}\r\ncontent-length: 1\r\n",
    ] {
        let answer = raw(&node, post(headers, "x").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers}: {answer}");
    }
    // Where both are sent, the body is what the chunks say and nothing of it is a second request.
    let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let both = "content-length: 6\r\ntransfer-encoding: chunked\r\n";
    let answer = raw(&node, post(both, smuggled).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    is_alive(&node).await;
}

#[tokio::test]
async fn requests_that_name_no_host_or_two_are_refused() {
    let node = Node::with_orders().await;
    for head in [
        "GET /v1/topics HTTP/1.1\r\n",
        "GET /v1/topics HTTP/1.1\r\nhost:\r\n",
        "GET /v1/topics HTTP/1.1\r\nhost: a b@:::\r\n",
        "GET /v1/topics HTTP/1.1\r\nhost: user@localhost\r\n",
        "GET /healthz HTTP/1.1\r\nhost: localhost/x\r\n",
        "GET http://127.0.0.1/v1/topics HTTP/1.1\r\nhost: localhost\r\n",
    ] {
        let answer = raw(&node, format!("{head}connection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
    }
    let old = raw(&node, b"GET /v1/topics HTTP/1.0\r\n\r\n").await;
    assert!(old.contains(" 200 "), "{old}");
    is_alive(&node).await;
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_connection_alone() {
    let node = Node::with_orders().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\0\0\0\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame of any kind",
        b"",
    ] {
        let answer = cut(&node, bytes).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    is_alive(&node).await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let node = Node::with_orders().await;
    let many: String = (0..150)
        .map(|number| format!("x-{number}: 1\r\n"))
        .collect();
    let long = format!("x-long: {}\r\n", "x".repeat(50 * 1024));
    for headers in [many, long] {
        let answer = raw(&node, &get("/v1/topics", &headers)).await;
        assert!(
            answer.starts_with("HTTP/1.1 431"),
            "{}",
            &answer[..answer.len().min(200)]
        );
        assert!(answer.contains("headers-too-large"), "{answer}");
    }
    let longer = format!("x-long: {}\r\n", "x".repeat(200 * 1024));
    let answer = raw(&node, &get("/v1/topics", &longer)).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let path = format!("/v1/topics/{}", "a".repeat(2000));
    let answer = raw(&node, &get(&path, "")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    is_alive(&node).await;
}

#[tokio::test]
async fn a_body_that_ends_early_appends_nothing() {
    let node = Node::with_orders().await;
    let request = "POST /v1/topics/orders/particles HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf";
    let answer = cut(&node, request.as_bytes()).await;
    assert!(!answer.contains(" 201 "), "{answer}");
    let chunked = "POST /v1/topics/orders/particles HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let answer = cut(&node, chunked.as_bytes()).await;
    assert!(!answer.contains(" 201 "), "{answer}");
    assert_eq!(node.client.append("first", &[]).await.sequences(), [1]);
}
