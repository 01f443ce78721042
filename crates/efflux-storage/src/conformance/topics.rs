//! Making, listing and deleting topics.

use std::time::Duration;

use efflux_particle::{Sequence, TopicName};

use super::fixture::Fixture;
use super::sample::{fill, id, kind, message, options, topic};
use crate::error::{ErrorKind, Result};
use crate::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::options::{Sync, TopicOptions};

/// Topics are listed in ascending order, also after reopening.
pub async fn topics_are_listed_in_order(fixture: &dyn Fixture) -> Result<()> {
    let store = fixture.open().await?;
    assert_eq!(store.topics().await?, []);
    for name in ["m", "a", "z", "a.b", "a-b"] {
        store.create_topic(&name.parse()?, options()).await?;
    }
    let mut names: Vec<TopicName> = Vec::new();
    for name in ["m", "a", "z", "a.b", "a-b"] {
        names.push(name.parse()?);
    }
    names.sort();
    assert_eq!(store.topics().await?, names);
    let store = fixture.reopen(store).await?;
    assert_eq!(store.topics().await?, names);
    Ok(())
}

/// The options a topic was made with stay with it.
pub async fn options_are_kept(fixture: &dyn Fixture) -> Result<()> {
    let store = fixture.open().await?;
    let all = [
        ("always", Sync::Always, SEGMENT_BYTES_MIN),
        ("os", Sync::Os, SEGMENT_BYTES_MAX),
        (
            "interval",
            Sync::Interval(Duration::from_micros(1500)),
            70_001,
        ),
    ];
    for (name, sync, bytes) in all {
        let options = TopicOptions::default()
            .with_sync(sync)
            .with_segment_bytes(bytes);
        store.create_topic(&name.parse()?, options).await?;
    }
    let store = fixture.reopen(store).await?;
    for (name, sync, bytes) in all {
        let topic = store.topic(&name.parse()?).await?;
        let kept = topic.options().await?;
        assert_eq!((kept.sync, kept.segment_bytes), (sync, bytes));
        let again = store.topic_or_create(&name.parse()?, options()).await?;
        assert_eq!(again.options().await?, kept);
    }
    Ok(())
}

/// Options out of bounds are refused, and no topic is made.
pub async fn options_out_of_bounds_are_refused(fixture: &dyn Fixture) -> Result<()> {
    let store = fixture.open().await?;
    for bad in [
        TopicOptions::default().with_segment_bytes(SEGMENT_BYTES_MIN - 1),
        TopicOptions::default().with_segment_bytes(SEGMENT_BYTES_MAX + 1),
        TopicOptions::default().with_sync(Sync::Interval(Duration::ZERO)),
    ] {
        let made = store.create_topic(&"bad".parse()?, bad).await;
        assert_eq!(kind(&made), Some(ErrorKind::Invalid));
    }
    assert_eq!(store.topics().await?, []);
    Ok(())
}

/// Names that could leave the store's folder, or that a terminal would not show, are none.
pub async fn names_that_could_leave_the_store_are_refused(fixture: &dyn Fixture) -> Result<()> {
    let store = fixture.open().await?;
    for bad in [
        "", ".", "..", "../x", "a/b", "a\\b", "a\nb", "a\0b", "ä", " ",
    ] {
        assert!(bad.parse::<TopicName>().is_err(), "{bad:?}");
    }
    assert!("x".repeat(201).parse::<TopicName>().is_err());
    let longest: TopicName = "x".repeat(200).parse()?;
    store.create_topic(&longest, options()).await?;
    assert_eq!(store.topics().await?, [longest]);
    Ok(())
}

/// A name belongs to one topic.
pub async fn a_taken_name_is_a_conflict(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    topic.append(message(0)).await?;
    let again = topic.store().create_topic(topic.name(), options()).await;
    assert_eq!(kind(&again), Some(ErrorKind::Conflict));
    let again = topic
        .store()
        .backend()
        .create(topic.name(), &options())
        .await;
    assert_eq!(kind(&again), Some(ErrorKind::Conflict));
    assert_eq!(
        topic.store().topic(topic.name()).await?.head(),
        topic.head()
    );
    Ok(())
}

/// What is not there is `NotFound`, and asking does not make it.
pub async fn an_unknown_topic_is_not_found(fixture: &dyn Fixture) -> Result<()> {
    let store = fixture.open().await?;
    let name = "unknown".parse()?;
    let consumer = "consumer".parse()?;
    let backend = store.backend();
    let not_found = Some(ErrorKind::NotFound);
    assert_eq!(kind(&store.topic(&name).await), not_found);
    assert_eq!(kind(&store.delete_topic(&name).await), not_found);
    assert_eq!(kind(&backend.open(&name).await), not_found);
    assert_eq!(kind(&backend.options(&name).await), not_found);
    assert_eq!(kind(&backend.delete(&name).await), not_found);
    assert_eq!(kind(&backend.consumers(&name).await), not_found);
    assert_eq!(kind(&backend.journal(&name, &consumer).await), not_found);
    assert_eq!(store.topics().await?, []);
    Ok(())
}

/// A deleted topic is gone with all it held, its handles refuse, and its name can be used again.
pub async fn a_deleted_topic_is_gone_and_its_name_is_free(fixture: &dyn Fixture) -> Result<()> {
    let mut store = fixture.open().await?;
    let name = "again".parse()?;
    for round in 0..3 {
        let topic = store.create_topic(&name, options()).await?;
        assert_eq!(topic.head().sequence, Sequence::ROOT);
        let named = message(round).with_id(id(1)?);
        assert!(!topic.append(named).await?.duplicate);
        fill(&topic, 0..40).await?;
        if round == 1 {
            drop(topic);
            store = fixture.reopen(store).await?;
            store.delete_topic(&name).await?;
        } else {
            store.delete_topic(&name).await?;
            let refused = topic.append(message(0)).await;
            assert_eq!(kind(&refused), Some(ErrorKind::Closed));
        }
        assert_eq!(kind(&store.topic(&name).await), Some(ErrorKind::NotFound));
        assert_eq!(store.topics().await?, []);
    }
    Ok(())
}
