//! Consumers and their tickets.

use crate::client::{Client, Node};
use efflux_node::particle::Particle;
use efflux_node::server::ServerOptions;
use efflux_node::storage::remote::wire::DeliveriesHead;
use http::{Method, StatusCode};
use serde_json::Value;

const BILLING: &str = "/v1/topics/orders/consumers/billing";

async fn filled() -> Node {
    let node = Node::with_orders().await;
    for number in 0..5 {
        node.client.append(&number.to_string(), &[]).await;
    }
    let made = node.client.put(BILLING, "").await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    node
}

async fn receive(client: &Client, asked: &str) -> Vec<Value> {
    let answer = client.post(&format!("{BILLING}/receive"), asked).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["deliveries"].as_array().unwrap().clone()
}

fn tickets(deliveries: &[Value]) -> String {
    let tickets: Vec<_> = deliveries.iter().map(|it| it["ticket"].clone()).collect();
    serde_json::json!({ "tickets": tickets }).to_string()
}

#[tokio::test]
async fn what_is_received_is_committed_or_comes_again() {
    let node = filled().await;
    let client = &node.client;
    let first = receive(client, r#"{"max":2}"#).await;
    assert_eq!(
        (&first[0]["payload"], &first[1]["deliveries"]),
        (&"0".into(), &1.into())
    );
    let committed = client
        .post(&format!("{BILLING}/commit"), &tickets(&first))
        .await;
    assert_eq!(committed.status, StatusCode::NO_CONTENT, "{committed:?}");

    let second = receive(client, r#"{"max":2}"#).await;
    let given = client
        .post(&format!("{BILLING}/rollback"), &tickets(&second))
        .await;
    assert_eq!(given.status, StatusCode::NO_CONTENT);
    let again = receive(client, r#"{"max":9}"#).await;
    let counts: Vec<_> = again
        .iter()
        .map(|it| it["deliveries"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [2, 2, 1]);
    client
        .post(&format!("{BILLING}/commit"), &tickets(&second))
        .await
        .refused(409, "conflict");

    let status = client.get(BILLING).await.json();
    assert_eq!(
        (&status["in_flight"], &status["lag"], &status["redelivered"]),
        (&3.into(), &3.into(), &2.into())
    );
    let extend = tickets(&again).replace('}', ",\"by_ms\":60000}");
    assert_eq!(
        client
            .post(&format!("{BILLING}/extend"), &extend)
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    client
        .post(&format!("{BILLING}/commit"), &tickets(&again))
        .await;
    assert_eq!(client.get(BILLING).await.json()["lag"], 0);
    assert_eq!(
        receive(client, r#"{"wait_ms":1}"#).await,
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn deliveries_come_as_frames_too() {
    let node = filled().await;
    let headers = [
        ("accept", "application/vnd.efflux.deliveries"),
        ("content-type", "application/json"),
    ];
    let answer = node
        .client
        .send(Method::POST, &format!("{BILLING}/receive"), &headers, "{}")
        .await;
    let end = answer.body.iter().position(|byte| *byte == b'\n').unwrap();
    let head: DeliveriesHead = serde_json::from_slice(&answer.body[..end]).unwrap();
    assert_eq!((head.tickets.len(), head.deliveries), (1, vec![1]));
    let particle = Particle::decode(&answer.body.slice(end + 1..)).unwrap();
    assert_eq!(particle.payload(), "0");
}

#[tokio::test]
async fn clients_share_a_consumer_and_a_wait_ends_with_a_particle() {
    let node = filled().await;
    let mut all = Vec::new();
    for _ in 0..5 {
        let client = Client::new(node.address);
        all.extend(receive(&client, r#"{"max":1}"#).await);
    }
    let mut payloads: Vec<_> = all
        .iter()
        .map(|it| it["payload"].as_str().unwrap())
        .collect();
    payloads.sort_unstable();
    assert_eq!(payloads, ["0", "1", "2", "3", "4"]);
    let client = node.client.clone();
    let waiting = tokio::spawn(async move { receive(&client, r#"{"wait_ms":60000}"#).await });
    node.client.append("late", &[]).await;
    assert_eq!(waiting.await.unwrap()[0]["payload"], "late");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_nothing_along() {
    let node = filled().await;
    let client = node.client.clone();
    receive(&client, r#"{"max":5}"#).await;
    let waiting = tokio::spawn(async move { receive(&client, r#"{"wait_ms":60000}"#).await });
    // It waits, or does not yet; its connection is closed in either case.
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.is_err());
    node.client.append("late", &[]).await;
    let came = receive(&node.client, r#"{"wait_ms":60000}"#).await;
    assert_eq!(came[0]["payload"], "late");
}

#[tokio::test]
async fn a_consumer_is_listed_moved_and_deleted() {
    let node = filled().await;
    let client = &node.client;
    let listed = client.get("/v1/topics/orders/consumers").await;
    assert_eq!(listed.text(), r#"{"consumers":["billing"]}"#);
    let settings = r#"{"max_in_flight":7,"max_deliveries":null}"#;
    let set = client.put(BILLING, settings).await;
    assert_eq!(
        (set.status, &set.json()["settings"]["max_in_flight"]),
        (StatusCode::OK, &7.into())
    );
    let moved = client
        .post(&format!("{BILLING}/seek"), r#"{"to":"sequence=4"}"#)
        .await;
    assert_eq!(moved.json()["position"], 4);
    assert_eq!(receive(client, r#"{"max":9}"#).await.len(), 2);
    client
        .post(&format!("{BILLING}/seek"), r#"{"to":"sequence=99"}"#)
        .await
        .refused(409, "conflict");
    let its_own = client.put(BILLING, r#"{"dead_letter":"orders"}"#).await;
    its_own.refused(409, "conflict");
    assert_eq!(client.delete(BILLING).await.status, StatusCode::NO_CONTENT);
    client.get(BILLING).await.refused(404, "not-found");
    client
        .post(&format!("{BILLING}/receive"), "{}")
        .await
        .refused(404, "not-found");
    client.delete(BILLING).await.refused(404, "not-found");
}

#[tokio::test]
async fn what_is_no_ticket_and_no_setting_is_refused() {
    let node = filled().await;
    for (path, body, status, name) in [
        ("commit", r#"{"tickets":["x"]}"#, 400, "invalid"),
        ("commit", r#"{"ticket":"1@1.1"}"#, 422, "malformed"),
        ("commit", "", 400, "invalid"),
        ("commit", r#"{"tickets":["1@9.9"]}"#, 409, "conflict"),
        ("receive", r#"{"max":0}"#, 400, "invalid"),
        ("receive", r#"{"max":10001}"#, 400, "invalid"),
        ("receive", r#"{"wait":1}"#, 422, "malformed"),
        ("extend", r#"{"tickets":[]}"#, 422, "malformed"),
        ("seek", r#"{"to":"tail"}"#, 400, "invalid"),
    ] {
        let answer = node.client.post(&format!("{BILLING}/{path}"), body).await;
        answer.refused(status, name);
    }
    let bad = "/v1/topics/orders/consumers/other";
    node.client
        .put(bad, r#"{"lease_ms":0}"#)
        .await
        .refused(400, "invalid");
    node.client
        .put(bad, r#"{"start":"x"}"#)
        .await
        .refused(400, "invalid");
    node.client
        .put("/v1/topics/orders/consumers/..%2fx", "")
        .await
        .refused(400, "invalid");
    node.client.get(bad).await.refused(404, "not-found");
}

#[tokio::test]
async fn metrics_tell_of_consumers_that_nobody_opened_since_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("store").display());
    let node = Node::start_with(&url, ServerOptions::default()).await;
    node.client.put("/v1/topics/orders", "").await;
    let consumer = "/v1/topics/orders/consumers/billing";
    node.client.put(consumer, r#"{"start":"root"}"#).await;
    for _ in 0..3 {
        node.client.append("x", &[]).await;
    }
    node.stop().await;
    let node = Node::start_with(&url, ServerOptions::default()).await;
    let name = "efflux_consumer_lag_particles{topic=\"orders\",consumer=\"billing\"} ";
    let metrics = node.client.get("/metrics").await.text();
    let lag = metrics.lines().find_map(|line| line.strip_prefix(name));
    let lag: u64 = lag.unwrap().parse().unwrap();
    assert!(lag >= 3, "{metrics}");
    node.client.append("x", &[]).await;
    let metrics = node.client.get("/metrics").await.text();
    assert!(
        metrics.contains(&format!("{name}{}\n", lag + 1)),
        "{metrics}"
    );
    node.stop().await;
}
