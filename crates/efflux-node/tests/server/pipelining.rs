//! Appends that share requests, and reads that are asked for ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use efflux_node::particle::{Message, Particle, Sequence};
use efflux_node::storage::{ErrorKind, Expect, Query, ReadLimit, Receipt, Store, Topic};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Node;

const FRAMES: &str = "application/vnd.efflux.frames";
const APPENDS: &str = "/v1/topics/orders/appends";

async fn orders(url: &str) -> (Store, Topic) {
    let store = Store::open(url).await.unwrap();
    let topic = store.topic(&"orders".parse().unwrap()).await.unwrap();
    (store, topic)
}

fn url(node: &Node) -> String {
    format!("http://{}", node.address)
}

/// Appends a batch for each of these, all at once.
async fn append_all(topic: &Topic, batches: Vec<Vec<String>>) -> Vec<Vec<Receipt>> {
    let append = |batch: Vec<String>| {
        let topic = topic.clone();
        tokio::spawn(async move {
            let messages = batch.into_iter().map(Message::new).collect();
            topic.append_batch(messages).await.unwrap()
        })
    };
    let appending: Vec<_> = batches.into_iter().map(append).collect();
    let mut receipts = Vec::new();
    for appended in appending {
        receipts.push(appended.await.unwrap());
    }
    receipts
}

fn batches(count: usize) -> Vec<Vec<String>> {
    let batch = |at: usize| (0..1 + at % 3).map(move |part| format!("{at}.{part}"));
    (0..count).map(|at| batch(at).collect()).collect()
}

#[tokio::test]
async fn appends_of_many_callers_each_get_an_answer_of_their_own() {
    let node = Node::with_orders().await;
    let (_store, topic) = orders(&url(&node)).await;
    let sent = batches(300);
    let receipts = append_all(&topic, sent.clone()).await;
    let count: usize = sent.iter().map(Vec::len).sum();
    assert_eq!(topic.head().sequence, Sequence::new(count as u64));
    for (batch, receipts) in sent.iter().zip(&receipts) {
        assert_eq!(batch.len(), receipts.len());
        for (at, (payload, receipt)) in batch.iter().zip(receipts).enumerate() {
            let there = topic.get(receipt.sequence).await.unwrap().unwrap();
            assert_eq!(there.payload(), payload.as_bytes());
            assert_eq!(there.fingerprint(), receipt.fingerprint);
            assert_eq!(
                receipt.sequence,
                receipts[0].sequence.plus(at as u64),
                "a batch stands together"
            );
            let remaining = there.metadata().batch_remaining() as usize;
            assert_eq!(remaining, batch.len() - at - 1);
            assert!(!receipt.duplicate);
        }
    }
}

#[tokio::test]
async fn an_append_that_is_refused_leaves_those_beside_it_as_they_are() {
    let node = Node::with_orders().await;
    let (_store, topic) = orders(&url(&node)).await;
    let taken = "taken".parse::<efflux_node::particle::Id>().unwrap();
    let first = Message::new("first").with_id(taken.clone());
    topic.append(first.clone()).await.unwrap();
    let message = |at: usize| match at % 10 {
        0 => Message::new(format!("other {at}")).with_id(taken.clone()),
        1 => first.clone(),
        _ => Message::new(format!("{at}")),
    };
    let append = |at| {
        let (topic, message) = (topic.clone(), message(at));
        tokio::spawn(async move { topic.append(message).await })
    };
    let appending: Vec<_> = (0..200).map(append).collect();
    for (at, appended) in appending.into_iter().enumerate() {
        match (at % 10, appended.await.unwrap()) {
            (0, refused) => assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict),
            (1, again) => assert!(again.unwrap().duplicate),
            (_, receipt) => assert!(!receipt.unwrap().duplicate),
        }
    }
    assert_eq!(topic.head().sequence, Sequence::new(161));
}

#[tokio::test]
async fn batches_of_one_body_are_told_apart_and_one_that_is_not_whole_refuses_all() {
    let node = Node::with_orders().await;
    let source = "/v1/topics/source";
    node.client.put(source, "").await;
    let (source_topic, path) = (format!("{source}/batches"), format!("{source}/particles"));
    let json: &[(&str, &str)] = &[("content-type", "application/json")];
    for body in [
        r#"[{"id":"a"}]"#,
        r#"[{"id":"b"},{"id":"c"}]"#,
        r#"[{"id":"d"}]"#,
    ] {
        let sent = node
            .client
            .send(Method::POST, &source_topic, json, body)
            .await;
        assert_eq!(sent.status, StatusCode::CREATED, "{sent:?}");
    }
    let accept: &[(&str, &str)] = &[("accept", FRAMES)];
    let read = |from: &str| format!("{path}?{from}");
    let frames = node
        .client
        .send(Method::GET, &read("from=1"), accept, "")
        .await
        .body;
    let torn = node
        .client
        .send(Method::GET, &read("from=1&until=2"), accept, "")
        .await
        .body;
    let middle = node
        .client
        .send(Method::GET, &read("from=3"), accept, "")
        .await
        .body;

    let as_frames: &[(&str, &str)] = &[("content-type", FRAMES)];
    let send = |body| node.client.send(Method::POST, APPENDS, as_frames, body);
    for body in [torn.clone(), "".into(), "no frame".into()] {
        assert_eq!(send(body).await.status, StatusCode::BAD_REQUEST);
    }
    let jumbled = [&torn[..], &frames[..]].concat();
    assert_eq!(send(jumbled.into()).await.status, StatusCode::BAD_REQUEST);
    let expecting = [("content-type", FRAMES), ("efflux-expect", "empty")];
    let refused = node
        .client
        .send(Method::POST, APPENDS, &expecting, frames.clone());
    assert_eq!(refused.await.status, StatusCode::BAD_REQUEST);
    let refused = node.client.send(Method::POST, APPENDS, json, "[{}]").await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (_store, topic) = orders(&url(&node)).await;
    assert_eq!(topic.head().sequence, Sequence::ROOT);

    let answer = send(frames.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let told = answer.json();
    let counts = |told: &serde_json::Value| -> Vec<usize> {
        let outcomes = told["outcomes"].as_array().unwrap();
        let receipts = |it: &serde_json::Value| it["receipts"].as_array().map_or(0, Vec::len);
        outcomes.iter().map(receipts).collect()
    };
    assert_eq!(counts(&told), [1, 2, 1]);
    // The end of a batch is a batch of its own.
    assert_eq!(counts(&send(middle).await.json()), [1, 1]);
}

/// Stands between a client and a node, and loses as many answers as it is told to.
async fn losing_proxy(node: &Node, lose: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, node) = (listener.local_addr().unwrap(), node.address);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(node).await.unwrap();
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            let nothing = Arc::new(AtomicUsize::new(0));
            let asking = tokio::spawn(pass(near_in, far_out, nothing));
            let lose = Arc::clone(&lose);
            tokio::spawn(async move {
                pass(far_in, near_out, lose).await;
                asking.abort();
            });
        }
    });
    format!("http://{address}")
}

/// Passes bytes on until there are none, or until some are to be lost.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lose: Arc<AtomicUsize>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let fewer = |left: usize| left.checked_sub(1);
        let is_lost = lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
        if is_lost.is_ok() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn appends_whose_answers_are_lost_are_sent_again_and_stand_there_once() {
    let node = Node::with_orders().await;
    let lose = Arc::new(AtomicUsize::new(0));
    let (_store, topic) = orders(&losing_proxy(&node, Arc::clone(&lose)).await).await;
    let sent = batches(120);
    let count: usize = sent.iter().map(Vec::len).sum();
    lose.store(3, Ordering::SeqCst);
    let receipts = append_all(&topic, sent).await;
    assert_eq!(lose.load(Ordering::SeqCst), 0, "some answers were lost");
    let mut places: Vec<_> = receipts.iter().flatten().map(|it| it.sequence).collect();
    places.sort_unstable();
    let expect: Vec<_> = (1..=count as u64).map(Sequence::new).collect();
    assert_eq!(places, expect);
    assert!(receipts.iter().flatten().all(|it| !it.duplicate));
    topic
        .verify(efflux_node::storage::Progress::default())
        .await
        .unwrap();
    assert_eq!(topic.head().sequence.get(), count as u64);
}

#[tokio::test]
async fn more_callers_than_the_node_takes_requests_are_all_answered() {
    let node = Node::with_orders().await;
    let (_store, topic) = orders(&url(&node)).await;
    let append = |at: usize| {
        let topic = topic.clone();
        tokio::spawn(async move {
            let query = Query::property("none", "none");
            let after = topic.head();
            let expect = Expect::NoMatch {
                query,
                after: after.sequence,
            };
            let messages = vec![Message::new(at.to_string())];
            topic.append_expecting(messages, expect).await.unwrap()
        })
    };
    let appending: Vec<_> = (0..600).map(append).collect();
    for appended in appending {
        assert_eq!(appended.await.unwrap().len(), 1);
    }
    assert_eq!(topic.head().sequence.get(), 600);
}

#[tokio::test]
async fn whoever_reads_on_sees_everything_once_and_what_comes_meanwhile() {
    let node = Node::with_orders().await;
    let (_store, topic) = orders(&url(&node)).await;
    let (_other_store, other) = orders(&url(&node)).await;
    append_all(&topic, batches(20)).await;
    let limit = ReadLimit::particles(3);
    let (mut next, mut seen) = (Sequence::FIRST, 0);
    for more in 0..30 {
        let read = topic.read(next, limit).await.unwrap();
        let places: Vec<_> = read.iter().map(Particle::sequence).collect();
        let count = places.len() as u64;
        let expect: Vec<_> = (0..count).map(|at| next.plus(at)).collect();
        assert_eq!(places, expect);
        (next, seen) = (next.plus(count), seen + count);
        if more % 2 == 0 {
            other.append(Message::new("more")).await.unwrap();
        }
    }
    let head = other.head().sequence;
    while next <= head {
        let read = topic.read_frames(next, limit).await.unwrap();
        assert!(!read.is_empty());
        (next, seen) = (read.next(), seen + read.count() as u64);
    }
    assert_eq!(seen, head.get());
    assert!(topic.read(next, limit).await.unwrap().is_empty());
    other.append(Message::new("last")).await.unwrap();
    assert_eq!(topic.read(next, limit).await.unwrap().len(), 1);
}
