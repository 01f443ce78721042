//! More topics than the process may have open files. In a process of its own, whose limit it lowers.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use efflux_storage::particle::{Message, Sequence, TopicName};
use efflux_storage::{Progress, ReadLimit, Store, Sync, Topic, TopicOptions};
use rustix::process::{Resource, getrlimit, setrlimit};

const DESCRIPTORS: u64 = 256;
const TOPICS: usize = 400;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn lower_the_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(DESCRIPTORS);
    setrlimit(Resource::Nofile, limit).unwrap();
}

fn new_folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("data").display());
    (folder, url)
}

fn name(number: usize) -> TopicName {
    format!("topic-{number}").parse().unwrap()
}

async fn append_to_all(topics: &[Topic], payload: &str) {
    for topic in topics {
        topic
            .append(Message::new(payload.to_owned()))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_topics_are_written_to_than_there_may_be_open_files() {
    lower_the_limit();
    let (_folder, url) = new_folder();
    let store = Store::open(&url).await.unwrap();
    let mut topics = Vec::new();
    for number in 0..TOPICS {
        let sync = if number % 2 == 0 {
            Sync::Always
        } else {
            Sync::Os
        };
        let options = TopicOptions::default().with_sync(sync);
        topics.push(store.create_topic(&name(number), options).await.unwrap());
    }
    for round in 0..3 {
        append_to_all(&topics, &format!("round {round}")).await;
        assert!(open_descriptors() < 200, "{} are open", open_descriptors());
    }
    for topic in &topics {
        let read = topic
            .read(Sequence::FIRST, ReadLimit::default())
            .await
            .unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(read[2].payload(), "round 2");
    }
    assert!(open_descriptors() < 200, "{} are open", open_descriptors());
    drop(topics);
    store.close().await.unwrap();
    let store = Store::open(&url).await.unwrap();
    for number in 0..TOPICS {
        let topic = store.topic(&name(number)).await.unwrap();
        let verified = topic.verify(Progress::default()).await.unwrap();
        assert_eq!(verified.particles, 4);
        assert!(verified.notes.is_empty(), "{:?}", verified.notes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_removed_while_it_was_closed_is_not_made_anew() {
    lower_the_limit();
    let (folder, url) = new_folder();
    let store = Store::open(&url).await.unwrap();
    let mut topics = Vec::new();
    for number in 0..TOPICS {
        let options = TopicOptions::default();
        topics.push(store.create_topic(&name(number), options).await.unwrap());
    }
    append_to_all(&topics, "one").await;
    let first = folder.path().join("data/topics/topic-0");
    std::fs::remove_file(first.join("00000000000000000000.seg")).unwrap();
    let error = topics[0].append(Message::new("two")).await.unwrap_err();
    assert!(error.to_string().contains("removed"), "{error}");
    topics[1].append(Message::new("two")).await.unwrap();
}
