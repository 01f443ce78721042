//! Payloads whose text would be large: bombs, and bytes that are escaped.

use std::io::Write;

use bytes::Bytes;
use efflux_node::server::limits::CONTENT_BYTES_MAX;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode};

use crate::client::{Answer, Node};

const PARTICLES: &str = "/v1/topics/orders/particles";
const BOMBS: usize = 8;

/// Zeros that are more than are shown, compressed to a thousandth.
fn bomb() -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; CONTENT_BYTES_MAX + 1]).unwrap();
    encoder.finish().unwrap().into()
}

async fn append(node: &Node, headers: &[(&str, &str)], payload: &Bytes) {
    let appended = node
        .client
        .send(Method::POST, PARTICLES, headers, payload.clone())
        .await;
    assert_eq!(appended.status, StatusCode::CREATED, "{appended:?}");
}

fn assert_small(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK);
    let most = 2 * BOMBS * bomb().len() + 64 * 1024;
    assert!(answer.body.len() < most, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn what_grows_beyond_bounds_is_shown_as_it_is_stored() {
    let node = Node::with_orders().await;
    for _ in 0..BOMBS {
        append(&node, &[("content-encoding", "gzip")], &bomb()).await;
    }
    for form in [
        "application/json",
        "application/x-ndjson",
        "application/cloudevents-batch+json",
    ] {
        assert_small(&node.client.get_as(PARTICLES, form).await);
    }
    let one = node.client.get(&format!("{PARTICLES}/1")).await;
    assert_small(&one);
    assert_eq!(one.json()["content_encoding"], "gzip");

    let consumer = "/v1/topics/orders/consumers/billing";
    let made = node.client.put(consumer, r#"{"start":"root"}"#).await;
    assert!(made.status.is_success(), "{made:?}");
    let path = format!("{consumer}/receive");
    let received = node.client.post(&path, r#"{"max":100}"#).await;
    assert_small(&received);
    let received = received.json();
    let received = received["deliveries"].as_array().unwrap();
    assert!(received.len() >= BOMBS, "{}", received.len());
    assert!(received.iter().all(|it| it["ticket"].is_string()));
}

#[tokio::test]
async fn large_texts_come_whole_to_many_readers_at_once() {
    const PAYLOAD_BYTES: usize = 1024 * 1024;
    let node = Node::with_orders().await;
    let payload = Bytes::from(vec![1; PAYLOAD_BYTES]);
    append(&node, &[], &payload).await;
    append(&node, &[], &payload).await;
    let readers: Vec<_> = (0..6)
        .map(|reader| {
            let client = node.client.clone();
            // A page ends behind the first, which makes it as large as a page may be.
            let (form, shown) = [("application/json", 1), ("application/x-ndjson", 2)][reader % 2];
            let path = format!("{PARTICLES}?from=1");
            tokio::spawn(async move { (client.get_as(&path, form).await, shown) })
        })
        .collect();
    for reader in readers {
        let (answer, shown) = reader.await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        let escaped = answer.text().matches("\\u0001").count();
        assert_eq!(escaped, shown * PAYLOAD_BYTES);
    }
}
