//! Topics that are made of particles that were sealed before.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use efflux_storage::conformance::{Guard, SimDisk, Without};
use efflux_storage::particle::{ConsumerName, Head, Message, Sequence, TopicName};
use efflux_storage::{
    Consumer, ConsumerOptions, ConsumerState, Disk, ErrorKind, ReadLimit, Restoration, Result,
    Store, StoreOptions, Sync, SystemClock, Topic, TopicOptions,
};

const URL: &str = "file:/a/store";

fn name() -> TopicName {
    "orders".parse().unwrap()
}

fn options() -> TopicOptions {
    TopicOptions::default()
        .with_segment_bytes(4096)
        .with_sync(Sync::Os)
}

async fn memory() -> Store {
    Store::open("mem:").await.unwrap()
}

async fn on(disk: &SimDisk) -> Result<Store> {
    let disk = Arc::new(disk.clone());
    Store::open_in(URL, StoreOptions::default(), Arc::new(SystemClock), disk).await
}

/// A topic of singles and batches, longer than a few segments.
async fn source() -> Topic {
    let topic = memory().await.create_topic(&name(), options()).await;
    let topic = topic.unwrap();
    for round in 0..12_usize {
        topic.append(Message::new(vec![7; 300])).await.unwrap();
        let batch = (0..=round).map(|number| {
            Message::new(format!("{round} {number}"))
                .with_id(format!("{round}-{number}").parse().unwrap())
                .with_data_type("order")
        });
        topic.append_batch(batch.collect()).await.unwrap();
    }
    topic
}

async fn frames(topic: &Topic) -> Vec<Bytes> {
    let (mut all, mut from) = (Vec::new(), Sequence::ROOT);
    loop {
        let read = topic
            .read_frames(from, ReadLimit::particles(5))
            .await
            .unwrap();
        if read.is_empty() {
            return all;
        }
        from = read.next();
        all.push(read.bytes().clone());
    }
}

async fn restore(store: &Store, frames: &[Bytes], head: Head) -> Result<Topic> {
    let mut restoration = Restoration::begin(store, &name(), options()).await?;
    for piece in frames {
        restoration.append(piece).await?;
    }
    restoration.finish(head).await
}

#[tokio::test]
async fn a_restored_topic_is_the_one_it_was_made_of() {
    let source = source().await;
    let disk = SimDisk::new(1);
    for store in [memory().await, on(&disk).await.unwrap()] {
        let restored = restore(&store, &frames(&source).await, source.head()).await;
        let restored = restored.unwrap();
        assert_eq!(restored.head(), source.head());
        let (found, expected) = (frames(&restored).await, frames(&source).await);
        assert!(found.concat() == expected.concat(), "other frames");
        assert_eq!(restored.options().await.unwrap(), options());
        let verified = restored.verify(Default::default()).await.unwrap();
        assert_eq!((verified.head, verified.notes), (source.head(), vec![]));
        // Ids of before are known, and the chain goes on.
        let again = Message::new("3 1").with_id("3-1".parse().unwrap());
        assert!(restored.append(again).await.unwrap().duplicate);
        let next = restored.append(Message::new("next")).await.unwrap();
        assert_eq!(next.sequence, source.head().sequence.next());
        store.close().await.unwrap();
    }
    let store = on(&disk).await.unwrap();
    let kept = store.topic(&name()).await.unwrap();
    assert_eq!(kept.head().sequence, source.head().sequence.next());
    assert!(kept.verify(Default::default()).await.unwrap().segments > 2);
}

#[tokio::test]
async fn a_topic_that_is_not_finished_is_not_there() {
    let disk = SimDisk::new(2);
    let source = source().await;
    for store in [memory().await, on(&disk).await.unwrap()] {
        let mut restoration = Restoration::begin(&store, &name(), options())
            .await
            .unwrap();
        let all = frames(&source).await;
        restoration.append(&all[0]).await.unwrap();
        assert_eq!(store.topics().await.unwrap(), []);
        assert_eq!(
            store.topic(&name()).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let lacking = restoration.finish(source.head()).await.unwrap_err();
        assert_eq!(lacking.kind(), ErrorKind::Corrupt);
        assert!(lacking.to_string().contains("of the batch"), "{lacking}");
        assert_eq!(store.topics().await.unwrap(), []);
    }
    let left = disk.files();
    assert!(
        !left.iter().any(|(path, _)| path.contains("restoring")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_before_and_after() {
    let disk = SimDisk::new(3);
    let source = source().await;
    for store in [memory().await, on(&disk).await.unwrap()] {
        let mut restoration = Restoration::begin(&store, &name(), options())
            .await
            .unwrap();
        for piece in frames(&source).await {
            restoration.append(&piece).await.unwrap();
        }
        let made = store.create_topic(&name(), options()).await.unwrap();
        for refused in [
            restoration.finish(source.head()).await.unwrap_err(),
            Restoration::begin(&store, &name(), options())
                .await
                .unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Conflict);
        }
        assert_eq!(store.topic(&name()).await.unwrap().head(), made.head());
    }
}

#[tokio::test]
async fn what_does_not_continue_the_chain_is_refused() {
    let source = source().await;
    let all = frames(&source).await;
    let store = memory().await;
    let mut flipped = all[1].to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let cut = all[1].slice(..all[1].len() - 1);
    for wrong in [flipped.into(), cut, all[2].clone(), all[0].clone()] {
        let mut restoration = Restoration::begin(&store, &name(), options())
            .await
            .unwrap();
        restoration.append(&all[0]).await.unwrap();
        let refused = restoration.append(&wrong).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        assert!(refused.damage().unwrap().sequence.is_some());
    }
    let other = "bills".parse().unwrap();
    let mut restoration = Restoration::begin(&store, &other, options()).await.unwrap();
    let refused = restoration.append(&all[0]).await.unwrap_err();
    assert!(refused.to_string().contains("root"), "{refused}");
}

/// A consumer with gaps: it has committed every third particle and not the others.
async fn half_done(topic: &Topic) -> Consumer {
    let options = ConsumerOptions::default().with_lease(Duration::from_secs(7));
    let consumer = Consumer::open(topic, &"billing".parse().unwrap(), options)
        .await
        .unwrap();
    let deliveries = consumer.receive(9, Duration::ZERO).await.unwrap();
    let first = deliveries[0].ticket;
    let tickets: Vec<_> = deliveries.iter().step_by(3).map(|one| one.ticket).collect();
    consumer.commit(&tickets).await.unwrap();
    assert_eq!(tickets[0], first);
    consumer
}

#[tokio::test]
async fn a_restored_consumer_stands_where_it_stood() {
    let source = source().await;
    let consumer = half_done(&source).await;
    let state = Consumer::state(&source, consumer.name()).await.unwrap();
    assert_eq!(state.position, Sequence::new(2));
    assert_eq!(
        state.settled,
        [(4, 5), (7, 8)].map(|(from, to)| (Sequence::new(from), Sequence::new(to)))
    );
    let disk = SimDisk::new(4);
    for store in [memory().await, on(&disk).await.unwrap()] {
        let mut restoration = Restoration::begin(&store, &name(), options())
            .await
            .unwrap();
        for piece in frames(&source).await {
            restoration.append(&piece).await.unwrap();
        }
        restoration.put_consumer(consumer.name().clone(), state.clone());
        let restored = restoration.finish(source.head()).await.unwrap();
        let status = Consumer::inspect(&restored, consumer.name()).await.unwrap();
        assert_eq!(status.lag, consumer.status().await.unwrap().lag);
        assert_eq!(status.options, state.options);
        let again = Consumer::open(&restored, consumer.name(), state.options.clone())
            .await
            .unwrap();
        let deliveries = again.receive(5, Duration::ZERO).await.unwrap();
        let places: Vec<_> = deliveries
            .iter()
            .map(|one| one.particle.sequence().get())
            .collect();
        assert_eq!(places, [2, 3, 5, 6, 8]);
        // A ticket of the store that was lost is none of this one.
        let stale = consumer.receive(1, Duration::ZERO).await.unwrap();
        let refused = again.commit(&[stale[0].ticket]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(deliveries[0].ticket.to_string().starts_with("2@65538."));
    }
}

#[tokio::test]
async fn a_consumer_that_cannot_stand_there_is_refused() {
    let source = source().await;
    let consumer = half_done(&source).await;
    let good = Consumer::state(&source, consumer.name()).await.unwrap();
    let place = Sequence::new;
    let mut wrong = vec![good.clone(); 6];
    wrong[0].position = source.head().sequence.next().next();
    wrong[1].settled = vec![(place(2), place(4))];
    wrong[2].settled = vec![(place(5), place(5))];
    wrong[3].settled = vec![(place(5), place(u64::MAX))];
    wrong[4].position = Sequence::ROOT;
    wrong[5].options = good.options.with_max_in_flight(0);
    let store = memory().await;
    for state in wrong {
        let mut restoration = Restoration::begin(&store, &name(), options())
            .await
            .unwrap();
        for piece in frames(&source).await {
            restoration.append(&piece).await.unwrap();
        }
        restoration.put_consumer(consumer.name().clone(), state);
        let refused = restoration.finish(source.head()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(
            refused.to_string().contains("consumer billing"),
            "{refused}"
        );
    }
    assert_eq!(store.topics().await.unwrap(), []);
}

/// A topic with a consumer, as a backup has it.
struct Whole {
    frames: Vec<Bytes>,
    head: Head,
    consumer: ConsumerName,
    state: ConsumerState,
}

impl Whole {
    async fn made() -> Self {
        let source = source().await;
        let consumer = half_done(&source).await.name().clone();
        Self {
            frames: frames(&source).await,
            head: source.head(),
            state: Consumer::state(&source, &consumer).await.unwrap(),
            consumer,
        }
    }

    async fn restore(&self, store: &Store) -> Result<Topic> {
        let mut restoration = Restoration::begin(store, &name(), options()).await?;
        for piece in &self.frames {
            restoration.append(piece).await?;
        }
        restoration.put_consumer(self.consumer.clone(), self.state.clone());
        restoration.finish(self.head).await
    }

    /// Restores on a disk that stops at that operation, and tells whether it said that it is done.
    async fn try_on(&self, disk: &SimDisk, operation: u64, guard: Option<Guard>) -> bool {
        disk.crash_at(operation);
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let disk = match guard {
            Some(guard) => Arc::new(Without::new(guard, disk)),
            None => disk,
        };
        let opened = Store::open_in(URL, StoreOptions::default(), Arc::new(SystemClock), disk);
        let Ok(store) = opened.await else {
            return false;
        };
        let done = self.restore(&store).await.is_ok();
        let _ = store.close().await;
        done
    }

    /// How many topics a crash at that operation leaves, or what is wrong then.
    async fn fault_after(
        &self,
        operation: u64,
        lose_power: bool,
        guard: Option<Guard>,
    ) -> Result<usize, String> {
        let disk = SimDisk::new(operation);
        let said_done = self.try_on(&disk, operation, guard).await;
        let disk = match lose_power {
            true => disk.power_cut(),
            false => disk.kill(),
        };
        let told = |error: efflux_storage::Error| error.to_string();
        let store = on(&disk).await.map_err(told)?;
        let found = store.topics().await.map_err(told)?.len();
        if found == 0 {
            self.restore(&store).await.map_err(told)?;
        }
        let topic = store.topic(&name()).await.map_err(told)?;
        let verified = topic.verify(Default::default()).await.map_err(told)?;
        let state = Consumer::state(&topic, &self.consumer).await;
        let state = state.map_err(told)?;
        store.close().await.map_err(told)?;
        let files = disk.files().into_iter().map(|(path, _)| path);
        let left: Vec<_> = files.filter(|path| path.contains(".restoring.")).collect();
        let is_right = (topic.head(), verified.head) == (self.head, self.head)
            && (state.position, &state.settled) == (self.state.position, &self.state.settled)
            && (found == 1 || !said_done)
            && left.is_empty();
        match is_right {
            true => Ok(found),
            false => Err(format!(
                "{said_done} {found} {verified:?} {state:?} {left:?}"
            )),
        }
    }

    async fn operations(&self) -> u64 {
        let disk = SimDisk::new(0);
        assert!(self.try_on(&disk, u64::MAX, None).await);
        disk.operations()
    }
}

#[tokio::test]
async fn a_crash_at_any_operation_leaves_the_topic_whole_or_absent() {
    let whole = Whole::made().await;
    let mut ends = [0, 0];
    // The last one comes when all is done.
    for operation in 1..=whole.operations().await + 1 {
        for lose_power in [false, true] {
            let found = whole.fault_after(operation, lose_power, None).await;
            assert!(found.is_ok(), "operation {operation}: {found:?}");
            ends[found.unwrap()] += 1;
        }
    }
    assert!(ends[0] > 10 && ends[1] > 1, "{ends:?}");
}

#[tokio::test]
async fn without_its_guards_a_restored_topic_is_lost_and_the_test_notices() {
    let whole = Whole::made().await;
    let count = whole.operations().await;
    for guard in [Guard::Sync, Guard::FolderSync] {
        let mut noticed = 0;
        for operation in 1..=count + 1 {
            let found = whole.fault_after(operation, true, Some(guard)).await;
            noticed += usize::from(found.is_err());
        }
        assert!(noticed > 0, "{guard:?}");
    }
}
