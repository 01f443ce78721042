//! The local backend on the real file system.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use efflux_storage::particle::{Message, Sequence, TopicName};
use efflux_storage::{
    ErrorKind, Expect, Progress, ReadLimit, Store, StoreOptions, Sync, TopicOptions,
};

fn url(folder: &tempfile::TempDir) -> String {
    format!("file:{}", folder.path().join("data").display())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5_u64 {
        let store = Store::open(&url(&folder)).await.unwrap();
        let options = TopicOptions::default().with_segment_bytes(4096);
        let topic = store
            .topic_or_create(&"t".parse().unwrap(), options)
            .await
            .unwrap();
        assert_eq!(topic.head().sequence.get(), round * 100);
        for at in 0..10 {
            let messages = (0..10)
                .map(|n| Message::new(format!("{round}.{at}.{n}")))
                .collect();
            let receipts = topic.append_batch(messages).await.unwrap();
            assert_eq!(receipts[0].sequence.get(), round * 100 + at * 10 + 1);
        }
        let verified = topic.verify(Progress::default()).await.unwrap();
        assert_eq!(verified.particles, round * 100 + 101);
        assert!(verified.notes.is_empty(), "{:?}", verified.notes);
        if round % 2 == 0 {
            store.close().await.unwrap();
        }
    }
    let store = Store::open_with(&url(&folder), StoreOptions::default().read_only())
        .await
        .unwrap();
    let topic = store.topic(&"t".parse().unwrap()).await.unwrap();
    let mut from = Sequence::ROOT;
    let mut count = 0;
    loop {
        let batch = topic.read(from, ReadLimit::particles(7)).await.unwrap();
        let Some(last) = batch.last() else { break };
        from = last.sequence().next();
        count += batch.len();
    }
    assert_eq!(count, 501);
    let back = topic
        .read_back(Sequence::MAX, ReadLimit::particles(3))
        .await
        .unwrap();
    assert_eq!(back[0].sequence().get(), 500);
    assert!(
        topic
            .verify(Progress::default())
            .await
            .unwrap()
            .notes
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_message_gets_its_first_place_and_another_payload_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["mem:".to_owned(), url(&folder)] {
        let store = Store::open(&url).await.unwrap();
        let topic = store
            .create_topic(&"t".parse().unwrap(), TopicOptions::default())
            .await
            .unwrap();
        let message = |text: &'static str| Message::new(text).with_id("a".parse().unwrap());
        let first = topic.append(message("x")).await.unwrap();
        let again = topic.append(message("x")).await.unwrap();
        assert!(again.duplicate && again.sequence == first.sequence);
        assert!(topic.append(message("y")).await.is_err());
        let expect = Expect::Empty;
        assert!(
            topic
                .append_expecting(vec![Message::new("z")], expect.clone())
                .await
                .is_err()
        );
        assert!(
            topic
                .append_expecting(vec![message("x")], expect)
                .await
                .is_ok()
        );
    }
}

/// Lengths of the files of topic `t` by name.
fn files(folder: &tempfile::TempDir) -> Vec<(String, u64)> {
    let topic = folder.path().join("data/topics/t");
    let mut files: Vec<_> = std::fs::read_dir(topic)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            // A file may get its other name while one looks.
            Some((name, entry.metadata().ok()?.len()))
        })
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn large_groups_get_their_next_segment_in_advance() {
    const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let options = TopicOptions::default().with_segment_bytes(SEGMENT_BYTES);
    let topic = store
        .create_topic(&"t".parse().unwrap(), options)
        .await
        .unwrap();
    let is_spare = |(name, _): &(String, u64)| name.starts_with("spare-");
    let mut has_seen_spare = false;
    for _ in 0..64 {
        let batch = vec![Message::new(vec![7; 64 * 1024]); 4];
        topic.append_batch(batch).await.unwrap();
        has_seen_spare |= files(&folder).iter().any(is_spare);
    }
    assert!(has_seen_spare);
    store.close().await.unwrap();
    // A spare that is being made removes itself; the store's threads end when it is dropped.
    drop((topic, store));
    let files = files(&folder);
    assert!(!files.iter().any(is_spare), "{files:?}");
    let segments: Vec<_> = files
        .iter()
        .filter(|(name, _)| name.ends_with(".seg"))
        .collect();
    assert!(segments.iter().all(|(_, bytes)| *bytes <= SEGMENT_BYTES));
    let stored: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
    let store = Store::open(&url(&folder)).await.unwrap();
    let topic = store.topic(&"t".parse().unwrap()).await.unwrap();
    let verified = topic.verify(Progress::default()).await.unwrap();
    assert_eq!((verified.particles, verified.bytes), (257, stored));
    assert!(verified.notes.is_empty(), "{:?}", verified.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_that_a_crash_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let (name, options) = ("t".parse().unwrap(), TopicOptions::default());
    store.create_topic(&name, options).await.unwrap();
    store.close().await.unwrap();
    let left = folder.path().join("data/topics/t/spare-7.new");
    std::fs::write(&left, vec![0; 100_000]).unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    store.topic(&name).await.unwrap();
    assert!(!left.exists());
}

#[tokio::test]
async fn a_task_that_waits_for_its_appends_all_the_same_gets_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let options = TopicOptions::default().with_sync(Sync::Os);
    let topic = store
        .create_topic(&"t".parse().unwrap(), options)
        .await
        .unwrap();
    for _ in 0..1000 {
        topic.append_blocking(Message::new("x")).unwrap();
    }
    assert_eq!(topic.head().sequence.get(), 1000);
}

#[tokio::test]
async fn a_reader_says_of_a_topic_without_its_head_record_how_to_get_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let name: TopicName = "orders".parse().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let options = TopicOptions::default();
    let topic = store.create_topic(&name, options).await.unwrap();
    topic.append(Message::new("one")).await.unwrap();
    store.close().await.unwrap();
    drop((topic, store));

    std::fs::remove_file(folder.path().join("data/topics/orders/HEAD")).unwrap();
    let read_only = StoreOptions::default().read_only();
    let reader = Store::open_with(&url(&folder), read_only).await.unwrap();
    let error = reader.topic(&name).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("open the topic for writing"));
    drop(reader);

    let writer = Store::open(&url(&folder)).await.unwrap();
    let topic = writer.topic(&name).await.unwrap();
    assert_eq!(topic.head().sequence, Sequence::FIRST);
}
