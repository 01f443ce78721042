//! Who may write when: closing, reopening and deleting while others still hold handles.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::time::Duration;

use efflux_storage::particle::{Message, Sequence, TopicName};
use efflux_storage::{
    Consumer, ConsumerOptions, ErrorKind, FindOptions, Follower, Progress, Query, ReadLimit, Store,
    StoreOptions, Sync, Topic, TopicOptions,
};

fn url(folder: &tempfile::TempDir) -> String {
    format!("file:{}", folder.path().join("data").display())
}

fn name() -> TopicName {
    "t".parse().unwrap()
}

async fn new_topic(store: &Store) -> Topic {
    let options = TopicOptions::default().with_segment_bytes(4096);
    store.create_topic(&name(), options).await.unwrap()
}

async fn payloads(topic: &Topic) -> Vec<String> {
    let mut follower: Follower = topic.follow(Sequence::FIRST);
    let mut payloads = Vec::new();
    while follower.next_sequence() <= topic.head().sequence {
        for particle in follower.next_batch().await.unwrap() {
            payloads.push(String::from_utf8(particle.payload().to_vec()).unwrap());
        }
    }
    payloads
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_while_others_append_keeps_what_was_acknowledged_in_order() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&url(&folder)).await.unwrap();
        let topic = new_topic(&store).await;
        let append = |caller: u64| {
            let topic = topic.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for at in 0..500_u64 {
                    let message = Message::new(format!("{caller}.{at}"));
                    match topic.append(message).await {
                        Ok(receipt) => acknowledged.push((receipt.sequence, caller, at)),
                        Err(_) => break,
                    }
                }
                acknowledged
            })
        };
        let callers: Vec<_> = (0..8).map(append).collect();
        topic.wait_past(Sequence::new(20)).await.unwrap();
        store.close().await.unwrap();
        let mut acknowledged = Vec::new();
        for caller in callers {
            acknowledged.extend(caller.await.unwrap());
        }
        drop((topic, store));
        let store = Store::open(&url(&folder)).await.unwrap();
        let topic = store.topic(&name()).await.unwrap();
        topic.verify(Progress::default()).await.unwrap();
        let payloads = payloads(&topic).await;
        for (sequence, caller, at) in acknowledged {
            let place = usize::try_from(sequence.get() - 1).unwrap();
            assert_eq!(payloads[place], format!("{caller}.{at}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_outlives_its_store_never_writes_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = new_topic(&store).await;
    topic.append(Message::new("a")).await.unwrap();
    let follower = topic.follow(Sequence::FIRST);
    drop((topic, store));
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = store.topic(&name()).await.unwrap();
    topic.append(Message::new("b")).await.unwrap();
    drop(follower);
    topic.append(Message::new("c")).await.unwrap();
    store.close().await.unwrap();
    drop((topic, store));
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = store.topic(&name()).await.unwrap();
    assert_eq!(payloads(&topic).await, ["a", "b", "c"]);
    topic.verify(Progress::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopening_that_is_given_up_leaves_one_log_that_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let old = new_topic(&store).await;
    for round in 0..50 {
        let appending = {
            let old = old.clone();
            tokio::spawn(async move { old.append(Message::new("old")).await })
        };
        let _ = tokio::time::timeout(Duration::ZERO, store.reopen_topic(&name())).await;
        let topic = store.topic(&name()).await.unwrap();
        topic
            .append(Message::new(format!("{round}")))
            .await
            .unwrap();
        let _ = appending.await.unwrap();
    }
    store.close().await.unwrap();
    drop((old, store));
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = store.topic(&name()).await.unwrap();
    topic.verify(Progress::default()).await.unwrap();
    let found = payloads(&topic).await;
    let rounds: Vec<_> = found
        .iter()
        .filter(|payload| *payload != "old")
        .cloned()
        .collect();
    let expected: Vec<_> = (0..50).map(|round: u32| round.to_string()).collect();
    assert_eq!(rounds, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_when_a_topic_closes() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["mem:".to_owned(), url(&folder)] {
        let store = Store::open(&url).await.unwrap();
        let topic = new_topic(&store).await;
        let waiting = {
            let topic = topic.clone();
            tokio::spawn(async move { topic.wait_past(Sequence::new(100)).await })
        };
        store.delete_topic(&name()).await.unwrap();
        assert_eq!(
            waiting.await.unwrap().unwrap_err().kind(),
            ErrorKind::Closed,
            "{url}"
        );
        let refused = topic.append(Message::new("x")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed, "{url}");
        new_topic(&store).await;
        store.close().await.unwrap();
        let refused = store.topic(&name()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_lets_another_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = new_topic(&store).await;
    let refused = Store::open(&url(&folder)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(
        refused
            .to_string()
            .contains(&std::process::id().to_string()),
        "{refused}"
    );
    store.close().await.unwrap();
    Store::open(&url(&folder)).await.unwrap();
    drop(topic);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_when_the_writing_process_is_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    let options = TopicOptions::default()
        .with_segment_bytes(4096)
        .with_sync(Sync::Os);
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = store.create_topic(&name(), options).await.unwrap();
    let read_only = StoreOptions::default().read_only();
    let reading = Store::open_with(&url(&folder), read_only).await.unwrap();
    let reader = reading.topic(&name()).await.unwrap();
    let mut expected = Vec::new();
    let mut topic = topic;
    for round in 0..40 {
        let payload = format!("{round}-{}", "x".repeat(300));
        topic.append(Message::new(payload.clone())).await.unwrap();
        expected.push(payload);
        if round % 7 == 0 {
            topic = store.reopen_topic(&name()).await.unwrap();
        }
        let last = Sequence::new(expected.len() as u64);
        reader.wait_past(last.previous().unwrap()).await.unwrap();
        let read = reader.read(last, ReadLimit::default()).await.unwrap();
        assert_eq!(read[0].payload(), expected.last().unwrap().as_bytes());
    }
    assert_eq!(payloads(&reader).await, expected);
    store.delete_topic(&name()).await.unwrap();
    assert_eq!(
        reader.wait_past(Sequence::MAX).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_offsets_that_lies_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    // One segment, whose table is written by closing; that of a sealed one may come too late for it.
    let topic = store.create_topic(&name(), TopicOptions::default()).await;
    let topic = topic.unwrap();
    let append = |count: usize| (0..3).map(move |at| Message::new("x".repeat(count + at)));
    topic.append_batch(append(10).collect()).await.unwrap();
    store.close().await.unwrap();
    let table = |topic: &str| {
        let path = folder.path().join("data/topics").join(topic);
        path.join("00000000000000000000.off")
    };
    let lie = std::fs::read(table("t")).unwrap();
    std::fs::write(table("t"), &lie).unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let other: TopicName = "other".parse().unwrap();
    let topic = store
        .create_topic(&other, TopicOptions::default())
        .await
        .unwrap();
    topic.append_batch(append(100).collect()).await.unwrap();
    store.close().await.unwrap();
    // Whole, with a right checksum, and of another topic.
    std::fs::write(table("other"), &lie).unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = store.topic(&other).await.unwrap();
    assert_eq!(payloads(&topic).await.len(), 3);
    let verified = topic.verify(Progress::default()).await.unwrap();
    assert!(
        verified.notes.iter().any(|note| note.contains(".off")),
        "{:?}",
        verified.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_go_on_where_they_were_while_the_index_is_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let options = TopicOptions::default();
    let topic = store.create_topic(&name(), options).await.unwrap();
    let message = |at: u64| Message::new(at.to_string()).with_data_type((at % 7).to_string());
    let messages: Vec<_> = (0..10_000).map(message).collect();
    topic.append_batch(messages).await.unwrap();
    let reader = "reader".parse().unwrap();
    let consumer = Consumer::open(&topic, &reader, ConsumerOptions::default());
    let consumer = consumer.await.unwrap();
    let received = consumer.receive(100, Duration::ZERO).await.unwrap();
    assert_eq!(received.len(), 100);
    // Every second one is committed, so that what is kept is more than a position.
    let tickets: Vec<_> = received.iter().map(|it| it.ticket).collect();
    let committed: Vec<_> = tickets.iter().copied().step_by(2).collect();
    consumer.commit(&committed).await.unwrap();
    store.close().await.unwrap();
    drop((consumer, topic, store));

    let index = folder.path().join("data").join("index");
    assert!(index.exists());
    std::fs::remove_dir_all(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    std::fs::write(index.join("v2"), b"not a folder").unwrap();

    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = store.topic(&name()).await.unwrap();
    let consumer = Consumer::open(&topic, &reader, ConsumerOptions::default());
    let consumer = consumer.await.unwrap();
    // What was committed does not come again, and what was not is still leased.
    let next = consumer.receive(50, Duration::ZERO).await.unwrap();
    let next: Vec<_> = next.iter().map(|it| it.particle.sequence().get()).collect();
    assert_eq!(next, (101..=150).collect::<Vec<_>>());
    let others: Vec<_> = tickets.iter().copied().skip(1).step_by(2).collect();
    consumer.commit(&others).await.unwrap();
    let query = Query::data_type("3");
    let mut finder = topic.find(&query, FindOptions::default()).await.unwrap();
    let mut found = 0;
    loop {
        let batch = finder.next_batch().await.unwrap();
        if batch.is_empty() {
            break;
        }
        found += batch.len();
    }
    assert_eq!(found, 1429);
}
