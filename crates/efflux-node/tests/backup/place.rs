//! A backup and the stores around it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use efflux_node::backup::{Backup, Taken};
use efflux_node::particle::{Head, Message, Sequence, TopicName};
use efflux_node::storage::conformance::SimDisk;
use efflux_node::storage::{
    Consumer, ConsumerOptions, Disk, Progress, ReadLimit, Result, Store, Topic, TopicOptions,
};

pub(crate) const FOLDER: &str = "/b/backup";

/// Small files, so that a topic has several.
pub(crate) const FILE_BYTES: u64 = 2048;

pub(crate) fn name(text: &str) -> TopicName {
    text.parse().unwrap()
}

pub(crate) fn options() -> TopicOptions {
    TopicOptions::default().with_segment_bytes(4096)
}

pub(crate) async fn memory() -> Store {
    Store::open("mem:").await.unwrap()
}

pub(crate) async fn topic(store: &Store, topic: &str) -> Topic {
    store
        .topic_or_create(&name(topic), options())
        .await
        .unwrap()
}

/// Appends singles and batches.
pub(crate) async fn fill(topic: &Topic, rounds: usize) {
    for round in 0..rounds {
        topic.append(Message::new(vec![7; 200])).await.unwrap();
        let batch = (0..=round % 5).map(|number| Message::new(format!("{round} {number}")));
        topic.append_batch(batch.collect()).await.unwrap();
    }
}

/// A consumer that has committed every third of what it was given, and not the others.
pub(crate) async fn half_done(topic: &Topic, consumer: &str) -> Consumer {
    let options = ConsumerOptions::default().with_lease(Duration::from_secs(7));
    let name = consumer.parse().unwrap();
    let consumer = Consumer::open(topic, &name, options).await.unwrap();
    let deliveries = consumer.receive(9, Duration::ZERO).await.unwrap();
    let tickets: Vec<_> = deliveries.iter().step_by(3).map(|one| one.ticket).collect();
    consumer.commit(&tickets).await.unwrap();
    consumer
}

/// All frames of a topic.
pub(crate) async fn frames(topic: &Topic) -> Vec<u8> {
    let (mut all, mut from) = (Vec::new(), Sequence::ROOT);
    loop {
        let read = topic.read_frames(from, ReadLimit::default()).await.unwrap();
        if read.is_empty() {
            return all;
        }
        from = read.next();
        all.extend_from_slice(read.bytes());
    }
}

/// Takes a backup of all topics on this disk.
pub(crate) async fn try_take(disk: &Arc<dyn Disk>, store: &Store) -> Result<Taken> {
    let backup = Backup::open_or_create_in(Path::new(FOLDER), Arc::clone(disk))?;
    let mut backup = backup.with_file_bytes(FILE_BYTES);
    backup.take(store, &[], &Progress::default()).await
}

pub(crate) async fn take(disk: &SimDisk, store: &Store) -> Taken {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    try_take(&disk, store).await.unwrap()
}

pub(crate) fn open(disk: &SimDisk) -> Result<Backup> {
    Backup::open_in(Path::new(FOLDER), Arc::new(disk.clone()))
}

/// The heads of all topics of a backup, every byte of which is checked.
pub(crate) async fn checked(disk: &SimDisk) -> Result<Vec<(TopicName, Head)>> {
    let backup = open(disk)?;
    let checked = backup.check(&[], &Progress::default()).await?;
    let heads = checked.topics().map(|topic| (topic.name, topic.head));
    Ok(heads.collect())
}

pub(crate) async fn restored(disk: &SimDisk) -> Store {
    let store = memory().await;
    restore_into(disk, &store).await.unwrap();
    store
}

pub(crate) async fn restore_into(disk: &SimDisk, store: &Store) -> Result<usize> {
    let backup = open(disk)?;
    let checked = backup.check(&[], &Progress::default()).await?;
    let restored = checked.restore(store, &Progress::default()).await?;
    Ok(restored.iter().filter(|topic| !topic.was_there).count())
}

/// The files of frames of a topic in the backup, with their lengths.
pub(crate) fn files(disk: &SimDisk, topic: &str) -> Vec<(PathBuf, usize)> {
    let folder = Path::new(FOLDER).join("topics").join(topic);
    let files = disk.files().into_iter();
    let mut files: Vec<_> = files
        .map(|(path, bytes)| (Path::new("/").join(path), bytes))
        .filter(|(path, _)| path.starts_with(&folder))
        .collect();
    files.sort();
    files
}

/// Two stores have the same topics, particle for particle, and consumers that stand alike.
pub(crate) async fn assert_same(left: &Store, right: &Store) {
    let names = left.topics().await.unwrap();
    assert_eq!(names, right.topics().await.unwrap());
    for name in names {
        let (left, right) = (left.topic(&name).await, right.topic(&name).await);
        let (left, right) = (left.unwrap(), right.unwrap());
        assert_eq!(left.head(), right.head(), "{name}");
        assert!(frames(&left).await == frames(&right).await, "{name}");
        assert_eq!(
            left.options().await.unwrap(),
            right.options().await.unwrap()
        );
        let consumers = Consumer::list(&left).await.unwrap();
        assert_eq!(consumers, Consumer::list(&right).await.unwrap());
        for consumer in consumers {
            let mut states = Vec::new();
            for topic in [&left, &right] {
                let mut state = Consumer::state(topic, &consumer).await.unwrap();
                state.epoch = 0;
                states.push(state);
            }
            assert_eq!(states[0], states[1], "{name}, {consumer}");
        }
    }
}
