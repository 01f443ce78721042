//! Readers, the index and consumers see what is durable, and nothing else.

use std::time::Duration;

use efflux_node::storage;
use storage::particle::{Message, Particle, Sequence};
use storage::{
    Consumer, ConsumerOptions, FindOptions, Query, ReadLimit, Store, StoreOptions, Topic,
    TopicOptions,
};

use crate::every::block_on;
use crate::session::{Session, read_all};

/// What each way of looking shows: the last place, or how many particles.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    head: u64,
    read: u64,
    read_back: u64,
    by_id: bool,
    found: usize,
    consumed: usize,
    by_another_process: usize,
}

fn last(particles: &[Particle]) -> u64 {
    particles.last().map_or(0, |last| last.sequence().get())
}

async fn look(topic: &Topic, consumer: &Consumer, other: &Store, id: &str) -> Seen {
    let back = topic.read_back(Sequence::MAX, ReadLimit::default()).await;
    let back = back.unwrap();
    let query: Query = "data_type = 'seen'".parse().unwrap();
    let options = FindOptions::default();
    let mut finder = topic.find(&query, options).await.unwrap();
    let beside = other.topic(topic.name()).await.unwrap();
    Seen {
        head: topic.head().sequence.get(),
        read: last(&read_all(topic).await.unwrap()),
        read_back: back.first().map_or(0, |newest| newest.sequence().get()),
        by_id: topic.get_id(&id.parse().unwrap()).await.unwrap().is_some(),
        found: finder.next_batch().await.unwrap().len(),
        consumed: consumer.receive(10, Duration::ZERO).await.unwrap().len(),
        by_another_process: read_all(&beside).await.unwrap().len() - 1,
    }
}

fn message(id: &str) -> Message {
    let message = Message::new("payload").with_data_type("seen");
    message.with_id(id.parse().unwrap())
}

/// Opens the topic, a consumer of it and the store of another process, and appends the first message.
async fn with_first(session: &mut Session) -> (Topic, Consumer, Store) {
    assert_eq!(session.open().await, Ok(true));
    let topic = session.topic.clone().unwrap();
    let name = "c".parse().unwrap();
    let consumer = Consumer::open(&topic, &name, ConsumerOptions::default()).await;
    let reading = StoreOptions::default().read_only();
    let other = session.open_store(reading).await.unwrap();
    topic.append(message("first")).await.unwrap();
    (topic, consumer.unwrap(), other)
}

#[test]
fn nobody_sees_what_is_written_and_not_synced() {
    let mut session = Session::new(95, TopicOptions::default(), None);
    let (topic, consumer, other) = block_on(with_first(&mut session));
    let only_first = |consumed: usize| Seen {
        head: 1,
        read: 1,
        read_back: 1,
        by_id: false,
        found: 1,
        consumed,
        by_another_process: 1,
    };
    let seen = block_on(look(&topic, &consumer, &other, "second"));
    assert_eq!(seen, only_first(1));

    session.disk.hold_syncs();
    let appending = {
        let topic = topic.clone();
        std::thread::spawn(move || block_on(topic.append(message("second"))))
    };
    session.disk.wait_until_held();
    let written = session.disk.trace().last().cloned().unwrap();
    assert!(written.contains(" write "), "{written}");
    for _ in 0..3 {
        let seen = block_on(look(&topic, &consumer, &other, "second"));
        assert_eq!(seen, only_first(0));
    }
    assert!(!appending.is_finished());

    session.disk.release();
    appending.join().unwrap().unwrap();
    let seen = block_on(look(&topic, &consumer, &other, "second"));
    let both = Seen {
        head: 2,
        read: 2,
        read_back: 2,
        by_id: true,
        found: 2,
        consumed: 1,
        by_another_process: 2,
    };
    assert_eq!(seen, both);
}

#[test]
fn what_a_failed_sync_left_behind_is_seen_by_nobody() {
    let mut session = Session::new(96, TopicOptions::default(), None);
    block_on(async {
        let (topic, consumer, other) = with_first(&mut session).await;
        // The bytes are there to be read, and not on the disk.
        session.disk.fail_next_sync_of(".seg");
        topic.append(message("second")).await.unwrap_err();
        let seen = look(&topic, &consumer, &other, "second").await;
        assert_eq!((seen.head, seen.read, seen.found), (1, 1, 1));
        assert_eq!((seen.by_id, seen.by_another_process), (false, 1));
        assert_eq!(Session::topic_name(), *topic.name());
    });
}
