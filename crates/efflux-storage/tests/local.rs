//! The local backend on the real file system.

use efflux_storage::particle::{Message, Sequence};
use efflux_storage::{Expect, Progress, ReadLimit, Store, StoreOptions, TopicOptions};

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
