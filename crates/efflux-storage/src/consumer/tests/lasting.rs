//! What lasts: restarts, dead letters, moves, deletion, the journal's size.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::consumer::Start;
use crate::error::ErrorKind;
use crate::log::ReadLimit;
use crate::options::Sync;

fn url(folder: &TempDir) -> String {
    format!("file:{}", folder.path().join("store").display())
}

fn journal(folder: &TempDir) -> std::path::PathBuf {
    find(folder.path(), "billing.journal").unwrap()
}

fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => find(&path, name),
            false => path.ends_with(name).then_some(path),
        }
    })
}

async fn reopen(folder: &TempDir, clock: &ManualClock) -> Topic {
    let store = store(&url(folder), clock).await;
    store
        .topic_or_create(&"orders".parse().unwrap(), TopicOptions::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn positions_commits_and_tickets_last_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let topic = reopen(&folder, &clock).await;
    append(&topic, &["a/1", "a/2", "b/1", "b/2", "-"]).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let first = receive(&consumer, 10).await;
    assert_eq!(texts(&first), ["a/1", "b/1", "-"]);
    consumer.commit(&[first[1].ticket]).await.unwrap();
    consumer
        .rollback(&[first[2].ticket], Duration::from_secs(5))
        .await
        .unwrap();
    drop((consumer, topic));

    let topic = reopen(&folder, &clock).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let status = consumer.status().await.unwrap();
    assert_eq!((status.position.get(), status.lag, status.epoch), (1, 4, 2));
    assert_eq!((status.in_flight, status.delayed), (1, 1));
    consumer.commit(&[first[1].ticket]).await.unwrap();
    // The group of what was in flight before still waits for it.
    assert_eq!(texts(&receive(&consumer, 10).await), ["b/2"]);
    consumer.commit(&[first[0].ticket]).await.unwrap();
    assert_eq!(texts(&receive(&consumer, 10).await), ["a/2"]);
    clock.advance(Duration::from_secs(5));
    let again = receive(&consumer, 10).await;
    assert_eq!(
        (texts(&again), again[0].deliveries),
        (vec!["-".to_owned()], 2)
    );
    assert!(again[0].ticket.to_string().starts_with("5@2."));
}

#[tokio::test]
async fn a_consumer_that_was_dropped_is_opened_anew_in_the_same_process() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let topic = reopen(&folder, &clock).await;
    append(&topic, &["1", "2"]).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let held = receive(&consumer, 1).await;
    drop(consumer);
    let status = Consumer::inspect(&topic, &name()).await.unwrap();
    assert_eq!((status.epoch, status.in_flight, status.lag), (1, 1, 2));
    let consumer = open(&topic, ConsumerOptions::default().with_max_in_flight(7)).await;
    consumer.commit(&tickets(&held)).await.unwrap();
    assert_eq!(texts(&receive(&consumer, 5).await), ["2"]);
    let status = Consumer::inspect(&topic, &name()).await.unwrap();
    assert_eq!((status.epoch, status.in_flight), (2, 1));
    assert_eq!(status.options.max_in_flight, 7);
}

#[tokio::test]
async fn consumers_are_listed_inspected_for_reading_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let topic = reopen(&folder, &clock).await;
    append(&topic, &["1", "2"]).await;
    let not_found = Consumer::inspect(&topic, &name()).await.unwrap_err();
    assert_eq!(not_found.kind(), ErrorKind::NotFound);
    let not_found = Consumer::delete(&topic, &name()).await.unwrap_err();
    assert_eq!(not_found.kind(), ErrorKind::NotFound);
    assert!(Consumer::list(&topic).await.unwrap().is_empty());

    let consumer = open(&topic, ConsumerOptions::default()).await;
    let held = tickets(&receive(&consumer, 1).await);
    assert_eq!(Consumer::list(&topic).await.unwrap(), [name()]);

    let before = fs::read(journal(&folder)).unwrap();
    let options = StoreOptions::default().read_only();
    let (shared, disk) = (Arc::new(clock.clone()), Arc::new(RealDisk));
    let reader = Store::open_in(&url(&folder), options, shared, disk)
        .await
        .unwrap();
    let read_only = reader.topic(topic.name()).await.unwrap();
    assert_eq!(
        Consumer::inspect(&read_only, &name())
            .await
            .unwrap()
            .in_flight,
        1
    );
    for refused in [
        Consumer::open(&read_only, &name(), ConsumerOptions::default())
            .await
            .map(drop),
        Consumer::delete(&read_only, &name()).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(fs::read(journal(&folder)).unwrap(), before);

    let waiting = tokio::spawn({
        let consumer = consumer.clone();
        async move {
            (
                receive(&consumer, 1).await,
                consumer.receive(1, LEASE * 2).await,
            )
        }
    });
    tokio::task::yield_now().await;
    Consumer::delete(&topic, &name()).await.unwrap();
    assert_eq!(
        consumer.commit(&held).await.unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(
        waiting.await.unwrap().1.unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert!(Consumer::list(&topic).await.unwrap().is_empty());
    let anew = open(&topic, ConsumerOptions::default()).await;
    assert_eq!(texts(&receive(&anew, 5).await), ["1", "2"]);
}

#[tokio::test]
async fn a_particle_that_fails_too_often_goes_to_the_dead_letter_topic_once() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["a/bad", "a/good"]).await;
    let consumer = open(
        &topic,
        ConsumerOptions::default().with_max_deliveries(Some(2)),
    )
    .await;
    let first = receive(&consumer, 5).await;
    consumer
        .rollback(&tickets(&first), Duration::ZERO)
        .await
        .unwrap();
    let second = receive(&consumer, 5).await;
    assert_eq!(
        (texts(&second), second[0].deliveries),
        (vec!["a/bad".to_owned()], 2)
    );
    clock.advance(LEASE);
    assert_eq!(texts(&receive(&consumer, 5).await), ["a/good"]);
    assert!(consumer.commit(&tickets(&second)).await.is_err());
    assert_eq!(consumer.status().await.unwrap().dead_lettered, 1);
    // Moved back, it fails again and is not copied again.
    consumer.seek(Start::Root).await.unwrap();
    for _ in 0..2 {
        receive(&consumer, 5).await;
        clock.advance(LEASE);
    }
    receive(&consumer, 5).await;
    assert_eq!(consumer.status().await.unwrap().dead_lettered, 2);

    let dead = topic
        .store()
        .topic(&"orders.dead".parse().unwrap())
        .await
        .unwrap();
    let letters = dead.read(1.into(), ReadLimit::default()).await.unwrap();
    assert_eq!(letters.len(), 1);
    let origin = &first[0].particle;
    let metadata = letters[0].metadata();
    assert_eq!(letters[0].payload(), origin.payload());
    assert_eq!(metadata.message_group(), Some("a"));
    for (property, expect) in [
        ("efflux.origin.topic", "orders"),
        ("efflux.origin.sequence", "1"),
        ("efflux.origin.id", &origin.id().to_string()),
        (
            "efflux.origin.fingerprint",
            &origin.fingerprint().to_string(),
        ),
        ("efflux.origin.consumer", "billing"),
        ("efflux.deliveries", "2"),
        (
            "efflux.error.text",
            "not committed in 2 deliveries; the last one ran out of its lease",
        ),
    ] {
        assert_eq!(metadata.property(property), Some(expect), "{property}");
    }
    // What fails in a dead-letter topic stays there.
    let reader = open(
        &dead,
        ConsumerOptions::default().with_max_deliveries(Some(1)),
    )
    .await;
    for deliveries in 1..4 {
        let again = receive(&reader, 5).await;
        assert_eq!(again[0].deliveries, deliveries);
        reader
            .rollback(&tickets(&again), Duration::ZERO)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_dead_letter_whose_properties_have_no_room_loses_only_them() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    let full = |message: Message, number: usize| message.with_property(number.to_string(), "x");
    let message = (0..64).fold(Message::new("full").with_data_type("kind"), full);
    topic.append(message).await.unwrap();
    let consumer = open(
        &topic,
        ConsumerOptions::default().with_max_deliveries(Some(1)),
    )
    .await;
    receive(&consumer, 1).await;
    clock.advance(LEASE);
    assert!(receive(&consumer, 1).await.is_empty());
    let dead = topic
        .store()
        .topic(&"orders.dead".parse().unwrap())
        .await
        .unwrap();
    let letters = dead.read(1.into(), ReadLimit::default()).await.unwrap();
    let metadata = letters[0].metadata();
    assert_eq!(
        (metadata.data_type(), metadata.property("7")),
        (Some("kind"), None)
    );
    assert!(
        metadata
            .property("efflux.error.text")
            .unwrap()
            .contains("no room")
    );
}

#[tokio::test]
async fn the_journal_stays_short() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let store = store(&url(&folder), &clock).await;
    // Nothing is synced but the moves, because there are thousands of commits.
    let options = TopicOptions::default().with_sync(Sync::Os);
    let topic = store
        .create_topic(&"orders".parse().unwrap(), options)
        .await;
    let topic = topic.unwrap();
    drop(store);
    append(&topic, &["x"; 1000]).await;
    let options = ConsumerOptions::default();
    let consumer = open(&topic, options.clone()).await;
    for _ in 0..40 {
        consumer.seek(Start::Root).await.unwrap();
        loop {
            let deliveries = receive(&consumer, 5).await;
            if deliveries.is_empty() {
                break;
            }
            consumer.commit(&tickets(&deliveries)).await.unwrap();
        }
    }
    let bytes = fs::metadata(journal(&folder)).unwrap().len();
    assert!(bytes < 400_000, "{bytes}");
    drop((consumer, topic));
    let topic = reopen(&folder, &clock).await;
    assert_eq!(open(&topic, options).await.status().await.unwrap().lag, 0);
}

#[tokio::test]
async fn a_damaged_journal_is_named_and_can_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let topic = reopen(&folder, &clock).await;
    append(&topic, &["1"]).await;
    drop(open(&topic, ConsumerOptions::default()).await);
    let mut bytes = fs::read(journal(&folder)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(journal(&folder), bytes).unwrap();
    let error = Consumer::open(&topic, &name(), ConsumerOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(error.damage().unwrap().file, "consumers/billing.journal");
    assert!(error.to_string().contains("delete the consumer"), "{error}");
    assert!(Consumer::inspect(&topic, &name()).await.is_err());
    Consumer::delete(&topic, &name()).await.unwrap();
    assert_eq!(
        receive(&open(&topic, ConsumerOptions::default()).await, 1)
            .await
            .len(),
        1
    );
}
