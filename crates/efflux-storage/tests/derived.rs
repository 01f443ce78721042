//! The index missing, behind, ahead and corrupt, on the real file system: no answer changes, and
//! consumers stand where they stood.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod scan;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use efflux_storage::particle::Message;
use efflux_storage::{
    Consumer, ConsumerOptions, ErrorKind, Expect, Progress, Store, Sync, Topic, TopicOptions,
};

use scan::{assert_found_as_scanned, read_all};

/// Enough that the index is kept in a folder.
const PARTICLES: usize = 10_000;
const BATCH: usize = 500;
/// Files of the index that are damaged in turn; `index::damage` damages many more.
const CORRUPT_FILES: usize = 8;

struct Place(tempfile::TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn open(&self) -> (Store, Topic, Consumer) {
        let url = format!("file:{}", self.path("store").display());
        let store = Store::open(&url).await.unwrap();
        let options = TopicOptions::default().with_segment_bytes(256 * 1024);
        let name = "t".parse().unwrap();
        let made = store.topic_or_create(&name, options.with_sync(Sync::Os));
        let topic = made.await.unwrap();
        let name = "keeper".parse().unwrap();
        let options = ConsumerOptions::default();
        let consumer = Consumer::open(&topic, &name, options).await.unwrap();
        (store, topic, consumer)
    }

    /// Puts a copy of a folder in place of another one.
    fn copy(&self, from: &str, to: &str) {
        let _ = fs::remove_dir_all(self.path(to));
        copy(&self.path(from), &self.path(to));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

async fn append(topic: &Topic, from: usize) {
    for first in (from..from + PARTICLES).step_by(BATCH) {
        let message = |number: usize| {
            Message::new(format!("payload {number}"))
                .with_id(format!("id {number}").parse().unwrap())
                .with_data_type(format!("type {}", number % 7))
                .with_message_group(format!("group {}", number % 900))
        };
        let batch = (first..first + BATCH).map(message).collect();
        topic.append_batch(batch).await.unwrap();
    }
}

async fn consume(consumer: &Consumer, count: usize) {
    let deliveries = consumer.receive(count, Duration::ZERO).await.unwrap();
    assert_eq!(deliveries.len(), count);
    let tickets: Vec<_> = deliveries.iter().map(|one| one.ticket).collect();
    consumer.commit(&tickets).await.unwrap();
}

/// Whatever became of the index: finds are scans, ids and groups are known, and the consumer stands
/// where it stood.
async fn check(place: &Place, position: u64, what: &str) {
    let (store, topic, consumer) = place.open().await;
    assert_eq!(
        consumer.status().await.unwrap().position.get(),
        position,
        "{what}"
    );
    let all = read_all(&topic).await;
    for text in [
        "type = 'type 3' and group = 'group 10'",
        "group = 'group 899'",
    ] {
        assert_found_as_scanned(&topic, &all, text, what).await;
    }
    for known in all.iter().skip(1).step_by(1500) {
        let again = Message::new(known.payload()).with_id(known.id().clone());
        let receipt = topic.append(again).await.unwrap();
        assert_eq!(
            (receipt.sequence, receipt.duplicate),
            (known.sequence(), true),
            "{what}"
        );
        let other = Message::new("another payload").with_id(known.id().clone());
        let refused = topic.append(other).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{what}: {refused}");
    }
    let last = all
        .iter()
        .rfind(|one| one.metadata().message_group() == Some("group 5"));
    let expect = Expect::Group {
        group: "group 5".to_owned(),
        last: None,
    };
    let message = Message::new("x").with_message_group("group 5");
    let refused = topic.append_expecting(vec![message], expect).await;
    assert!(last.is_some() && refused.is_err(), "{what}");
    topic.verify(Progress::default()).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_missing_behind_ahead_or_corrupt_changes_no_answer_and_moves_no_consumer() {
    let place = Place(tempfile::tempdir().unwrap());
    let (store, topic, consumer) = place.open().await;
    append(&topic, 0).await;
    consume(&consumer, 10).await;
    store.close().await.unwrap();
    drop((store, topic, consumer));
    place.copy("store", "early");
    let (store, topic, consumer) = place.open().await;
    append(&topic, PARTICLES).await;
    consume(&consumer, 13).await;
    store.close().await.unwrap();
    drop((store, topic, consumer));
    place.copy("store", "late");
    assert!(place.path("late/index").is_dir() && place.path("early/index").is_dir());
    check(&place, 24, "as it was").await;

    place.copy("late", "store");
    fs::remove_dir_all(place.path("store/index")).unwrap();
    check(&place, 24, "missing").await;

    place.copy("late", "store");
    place.copy("early/index", "store/index");
    check(&place, 24, "behind").await;

    place.copy("early", "store");
    place.copy("late/index", "store/index");
    check(&place, 11, "ahead").await;

    let count = files(&place.path("late/index")).len();
    for (turn, number) in (0..count)
        .step_by(count.div_ceil(CORRUPT_FILES))
        .enumerate()
    {
        place.copy("late", "store");
        let path = files(&place.path("store/index")).swap_remove(number);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        match bytes.get_mut(middle) {
            Some(byte) if turn % 2 == 0 => *byte ^= 0x10,
            _ => bytes.truncate(middle),
        }
        fs::write(&path, bytes).unwrap();
        check(&place, 24, &format!("{} is corrupt", path.display())).await;
    }
}
