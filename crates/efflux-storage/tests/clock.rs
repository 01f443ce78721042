//! A clock that is set back and forth: the order of a topic, its times, its searches and its syncs.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod scan;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use efflux_storage::conformance::{Random, SimDisk};
use efflux_storage::particle::{Message, Sequence, Timestamp};
use efflux_storage::{
    Clock, Consumer, ConsumerOptions, ManualClock, Progress, Start, Store, StoreOptions, Sync,
    Topic, TopicOptions,
};

use scan::{assert_found_as_scanned, read_all};

const NOON: i64 = 1_767_268_800;
const DAY: i64 = 86_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

/// The number of the last operation that wrote to a segment.
fn last_write(disk: &SimDisk) -> u64 {
    let trace = disk.trace();
    let is_write = |line: &&String| line.contains(" write ") && line.ends_with(".seg");
    let line = trace.iter().rfind(is_write).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

fn seconds(clock: &ManualClock) -> i64 {
    clock.now().nanos() / 1_000_000_000
}

async fn open(url: &str, clock: &ManualClock, disk: &SimDisk) -> Store {
    let (clock, disk) = (Arc::new(clock.clone()), Arc::new(disk.clone()));
    let opened = Store::open_in(url, StoreOptions::default(), clock, disk);
    opened.await.unwrap()
}

async fn topic(store: &Store, sync: Sync) -> Topic {
    let options = TopicOptions::default().with_segment_bytes(64 * 1024);
    let name = "t".parse().unwrap();
    let made = store.topic_or_create(&name, options.with_sync(sync));
    made.await.unwrap()
}

#[tokio::test]
async fn appends_go_on_in_order_whatever_the_clock_says() {
    for url in ["mem:", "file:/clock"] {
        let (clock, disk) = (ManualClock::at(at(NOON)), SimDisk::new(1));
        let mut store = open(url, &clock, &disk).await;
        let mut topic = topic(&store, Sync::Always).await;
        let times = [
            at(NOON + DAY),
            at(NOON - 40 * DAY),
            at(0),
            at(-DAY),
            Timestamp::MIN,
            Timestamp::MAX,
            at(NOON),
        ];
        for (place, time) in (1..).zip(times) {
            clock.set(time);
            let receipt = topic.append(Message::new("at any time")).await.unwrap();
            assert_eq!(receipt.sequence, Sequence::new(place));
            if url != "mem:" {
                store.close().await.unwrap();
                store = open(url, &clock, &disk).await;
                topic = store.topic(&"t".parse().unwrap()).await.unwrap();
            }
        }
        let all = read_all(&topic).await;
        let created = all
            .iter()
            .skip(1)
            .map(|particle| particle.metadata().created());
        assert!(created.eq(times), "each has the time at which it came");
        let ids: BTreeSet<String> = all.iter().map(|one| one.id().to_string()).collect();
        assert_eq!(ids.len(), all.len(), "no id is given twice");
        topic.verify(Progress::default()).await.unwrap();
    }
}

#[tokio::test]
async fn searches_by_time_answer_as_a_scan_does_when_the_clock_ran_backwards() {
    for url in ["mem:", "file:/clock"] {
        let (clock, disk) = (ManualClock::at(at(NOON)), SimDisk::new(2));
        let store = open(url, &clock, &disk).await;
        let topic = topic(&store, Sync::Os).await;
        let mut random = Random::new(7);
        for _ in 0..60 {
            let step = i64::try_from(random.below(4000)).unwrap();
            let now = seconds(&clock);
            clock.set(at(if random.chance(30) {
                now - 2 * step
            } else {
                now + step
            }));
            let batch = (0..100).map(|_| Message::new("x").with_data_type("kind"));
            topic.append_batch(batch.collect()).await.unwrap();
        }
        let all = read_all(&topic).await;
        for _ in 0..60 {
            let about = random.pick(&all).unwrap().metadata().created();
            let other = random.pick(&all).unwrap().metadata().created();
            let text = match random.below(3) {
                0 => format!("created >= {about} and data_type = 'kind'"),
                1 => format!("created < {about}"),
                _ => format!("created > {about} and created <= {other}"),
            };
            assert_found_as_scanned(&topic, &all, &text, url).await;
        }
    }
}

#[tokio::test]
async fn a_lease_keeps_what_is_left_of_it_when_the_clock_is_set_back() {
    for url in ["mem:", "file:/clock"] {
        let (clock, disk) = (ManualClock::at(at(NOON)), SimDisk::new(3));
        let store = open(url, &clock, &disk).await;
        let topic = topic(&store, Sync::Always).await;
        topic.append(Message::new("one")).await.unwrap();
        let options = ConsumerOptions::default().with_lease(Duration::from_secs(90));
        let name = "c".parse().unwrap();
        let consumer = Consumer::open(&topic, &name, options).await.unwrap();
        let receive = async || consumer.receive(1, Duration::ZERO).await.unwrap();
        let first = receive().await;
        assert_eq!(first.len(), 1);
        clock.advance(Duration::from_secs(60));
        consumer.status().await.unwrap();
        clock.set(at(NOON - DAY));
        assert!(receive().await.is_empty(), "30 s are left");
        clock.advance(Duration::from_secs(29));
        assert!(receive().await.is_empty(), "1 s is left");
        clock.advance(Duration::from_secs(1));
        let second = receive().await;
        assert_eq!(second.len(), 1, "the lease is over");
        // Forwards, it is over early, and the late commit is refused.
        clock.set(at(NOON + DAY));
        let third = receive().await;
        assert_eq!(third.len(), 1);
        let late = second.iter().map(|one| one.ticket).collect::<Vec<_>>();
        assert!(consumer.commit(&late).await.is_err());
        let good = third.iter().map(|one| one.ticket).collect::<Vec<_>>();
        consumer.commit(&good).await.unwrap();
        consumer.seek(Start::Time(at(NOON))).await.unwrap();
        assert_eq!(receive().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_is_kept_when_the_clock_stands_still_or_is_set_back() {
    let (clock, disk) = (ManualClock::at(at(NOON)), SimDisk::new(4));
    let store = open("file:/clock", &clock, &disk).await;
    let topic = topic(&store, Sync::Interval(Duration::from_millis(1))).await;
    for step in 0..3 {
        clock.set(at(NOON - step * DAY));
        topic.append(Message::new("soon durable")).await.unwrap();
        // The sync may have come already.
        let written = last_write(&disk);
        let began = Instant::now();
        while disk.segments_synced_at(Path::new("/clock/topics/t")) <= written {
            let is_late = began.elapsed() > Duration::from_secs(20);
            assert!(!is_late, "no sync came: {:?}", disk.trace());
            tokio::task::yield_now().await;
        }
    }
}
