//! Topics that a node makes of particles that were sealed before, sent over HTTP.

use std::time::Duration;

use bytes::Bytes;
use efflux_node::particle::{Head, Message, Sequence};
use efflux_node::storage::{
    Consumer, ConsumerOptions, ErrorKind, ReadLimit, Restoration, Result, Store, Topic,
    TopicOptions,
};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Answer, Node};

const PATH: &str = "/v1/topics/orders/restoration";
const TYPE: &str = "application/vnd.efflux.restoration";
const SETTINGS: &str = "{\"settings\":{}}\n";

/// A topic with a consumer that has settled some of what it was given, and not the others.
async fn source() -> Topic {
    let store = Store::open("mem:").await.unwrap();
    let name = "orders".parse().unwrap();
    let topic = store.create_topic(&name, TopicOptions::default()).await;
    let topic = topic.unwrap();
    for round in 0..40_u8 {
        let batch = (0..round % 4).map(|number| Message::new(vec![number; 300]));
        topic.append_batch(batch.collect()).await.unwrap();
        topic
            .append(Message::new(vec![round; 60_000]))
            .await
            .unwrap();
    }
    let name = "billing".parse().unwrap();
    let options = ConsumerOptions::default().with_lease(Duration::from_secs(7));
    let consumer = Consumer::open(&topic, &name, options).await.unwrap();
    let deliveries = consumer.receive(9, Duration::ZERO).await.unwrap();
    let tickets: Vec<_> = deliveries.iter().step_by(3).map(|one| one.ticket).collect();
    consumer.commit(&tickets).await.unwrap();
    topic
}

async fn frames(topic: &Topic) -> Bytes {
    let (mut all, mut from) = (Vec::new(), Sequence::ROOT);
    loop {
        let read = topic.read_frames(from, ReadLimit::default()).await.unwrap();
        if read.is_empty() {
            return all.into();
        }
        from = read.next();
        all.extend_from_slice(read.bytes());
    }
}

async fn far(node: &Node) -> Store {
    let url = format!("http://{}", node.address);
    Store::open(&url).await.unwrap()
}

async fn restore(to: &Store, topic: &Topic) -> Result<Topic> {
    let options = topic.options().await.unwrap();
    let mut restoration = Restoration::begin(to, topic.name(), options).await?;
    restoration.append(&frames(topic).await).await?;
    for name in Consumer::list(topic).await.unwrap() {
        let state = Consumer::state(topic, &name).await.unwrap();
        restoration.put_consumer(name, state);
    }
    restoration.finish(topic.head()).await
}

async fn send(node: &Node, body: impl Into<Bytes>) -> Answer {
    let headers = [("content-type", TYPE)];
    node.client.send(Method::POST, PATH, &headers, body).await
}

/// Lines of a restoration, with these frames behind theirs.
fn body(frames: &[u8], head: Head) -> Vec<u8> {
    let mut body = format!("{SETTINGS}{{\"frames\":{}}}\n", frames.len()).into_bytes();
    body.extend_from_slice(frames);
    body.extend_from_slice(format!("{{\"head\":\"{head}\"}}\n").as_bytes());
    body
}

async fn assert_absent(node: &Node) {
    let found = node.client.get("/v1/topics/orders").await;
    assert_eq!(found.status, 404, "{}", found.text());
    let topics = node.client.get("/v1/topics").await;
    assert_eq!(topics.text(), "{\"topics\":[]}");
}

#[tokio::test]
async fn a_topic_comes_back_with_its_head_and_what_its_consumers_settled() {
    let (node, topic) = (Node::start().await, source().await);
    let far = far(&node).await;
    let restored = restore(&far, &topic).await.unwrap();
    assert_eq!(restored.head(), topic.head());
    assert!(frames(&restored).await == frames(&topic).await);
    let name = "billing".parse().unwrap();
    let mut before = Consumer::state(&topic, &name).await.unwrap();
    let after = Consumer::state(&restored, &name).await.unwrap();
    assert!(!before.settled.is_empty() && after.epoch > before.epoch);
    before.epoch = after.epoch;
    assert_eq!(before, after);

    let again = restore(&far, &topic).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict, "{again}");
    node.stop().await;
}

#[tokio::test]
async fn of_two_that_restore_a_topic_at_once_one_does() {
    let (node, topic) = (Node::start().await, source().await);
    let (one, two) = (far(&node).await, far(&node).await);
    let (one, two) = tokio::join!(restore(&one, &topic), restore(&two, &topic));
    let (done, refused): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 1));
    let error = refused.into_iter().find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(
        node.client
            .get("/v1/topics/orders")
            .await
            .text()
            .contains(&topic.head().to_string())
    );
    node.stop().await;
}

#[tokio::test]
async fn what_is_given_up_or_cut_off_leaves_no_topic() {
    let (node, topic) = (Node::start().await, source().await);
    let store = far(&node).await;
    let options = TopicOptions::default();
    let mut restoration = Restoration::begin(&store, topic.name(), options)
        .await
        .unwrap();
    restoration.append(&frames(&topic).await).await.unwrap();
    drop(restoration);

    let whole = body(&frames(&topic).await, topic.head());
    let mut connection = node.connect().await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {TYPE}\r\n\
         content-length: {}\r\n\r\n",
        whole.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
        .write_all(&whole[..whole.len() - 10])
        .await
        .unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 201"), "{answer:?}");

    assert_absent(&node).await;
    let whole = send(&node, whole).await;
    assert_eq!(whole.status, 201, "{}", whole.text());
    node.stop().await;
}

#[tokio::test]
async fn what_does_not_check_is_refused_and_leaves_no_topic() {
    let (node, topic) = (Node::start().await, source().await);
    let (all, head) = (frames(&topic).await, topic.head());
    let mut altered = all.to_vec();
    altered[70_000] ^= 1;
    let mut followed = body(&all, head);
    followed.extend_from_slice(b"{}\n");
    let other = Head {
        sequence: head.sequence,
        fingerprint: Head::on(&first(&all)).fingerprint,
    };
    let line = |line: &str| format!("{SETTINGS}{line}\n").into_bytes();
    let consumer = "{\"consumer\":{\"name\":\"a\",\"position\":9,\"settled\":[[3,2]],\"epoch\":0,\
                    \"redelivered\":0,\"dead_lettered\":0,\"settings\":{}}}";
    let mut impossible = body(&all, head);
    let at = impossible.len() - format!("{{\"head\":\"{head}\"}}\n").len();
    impossible.splice(at..at, format!("{consumer}\n").into_bytes());
    let wrong: [(&str, Vec<u8>); 14] = [
        ("nothing", Vec::new()),
        ("no settings", body(&all, head)[SETTINGS.len()..].to_vec()),
        ("settings twice", line(SETTINGS.trim_end())),
        ("no head", body(&all, head)[..SETTINGS.len() + 30].to_vec()),
        ("another head", body(&all, other)),
        ("a byte altered", body(&altered, head)),
        ("a byte missing", body(&all[..all.len() - 1], head)),
        (
            "the root missing",
            body(&all[first(&all).frame().len()..], head),
        ),
        ("something behind", followed),
        ("no particles", body(&[], head)),
        ("an impossible consumer", impossible),
        ("too many bytes", line("{\"frames\":99999999999}")),
        ("no line", line("frames")),
        (
            "a line without an end",
            [SETTINGS.as_bytes(), &vec![b'['; 9 << 20]].concat(),
        ),
    ];
    for (what, body) in wrong {
        let answer = send(&node, body).await;
        assert!(answer.status.is_client_error(), "{what}: {}", answer.text());
        assert!(
            answer.text().contains("urn:efflux:problem:"),
            "{what}: {}",
            answer.text()
        );
        assert_absent(&node).await;
    }
    let json = [("content-type", "application/json")];
    let json = node.client.send(Method::POST, PATH, &json, "{}").await;
    json.refused(415, "unsupported-media-type");
    node.stop().await;
}

fn first(frames: &Bytes) -> efflux_node::particle::Particle {
    efflux_node::particle::Particle::decode(frames).unwrap()
}
