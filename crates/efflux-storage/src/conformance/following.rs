//! Reading live.

use std::time::Duration;

use efflux_particle::{Particle, Sequence};

use super::fixture::Fixture;
use super::sample::{fill, kind, message, read_all, topic};
use crate::error::{Error, ErrorKind, Result};
use crate::log::ReadLimit;

fn joined<T>(answer: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    answer.map_err(|error| Error::invalid(error.to_string()))?
}

/// A follower sees what was there and what comes, each particle once, in order.
pub async fn a_follower_sees_each_particle_once_in_order(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..10).await?;
    let writer = topic.clone();
    let filling = tokio::spawn(async move { fill(&writer, 10..100).await });
    let mut follower = topic
        .follow(Sequence::ROOT)
        .with_limit(ReadLimit::particles(7));
    let mut seen = Vec::new();
    while seen.len() < 101 {
        seen.extend(follower.next_batch().await?);
    }
    joined(filling.await)?;
    assert_eq!(seen, read_all(&topic).await?);
    assert_eq!(follower.next_sequence().get(), 101);
    Ok(())
}

/// A wait that was given up loses no particle.
pub async fn a_follower_that_was_cancelled_misses_nothing(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let mut follower = topic.follow(Sequence::FIRST);
    for number in 0..20 {
        let given_up = tokio::time::timeout(Duration::from_micros(50), follower.next_batch());
        assert!(given_up.await.is_err());
        let receipt = topic.append(message(number)).await?;
        let seen = follower.next_batch().await?;
        let places: Vec<_> = seen.iter().map(Particle::sequence).collect();
        assert_eq!(places, [receipt.sequence]);
    }
    Ok(())
}

/// Waiting past a place ends at once when the head is past it, and otherwise with the append.
pub async fn waiting_ends_with_the_next_particle(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..3).await?;
    assert_eq!(topic.wait_past(Sequence::new(2)).await?, topic.head());
    let waiter = topic.clone();
    let waiting = tokio::spawn(async move { waiter.wait_past(Sequence::new(3)).await });
    let receipt = topic.append(message(3)).await?;
    let head = joined(waiting.await)?;
    assert_eq!(head.sequence, receipt.sequence);
    assert_eq!(head.fingerprint, receipt.fingerprint);
    Ok(())
}

/// Who waits is told when the topic is closed, and when it is deleted.
pub async fn waiting_ends_when_the_topic_is_closed(fixture: &dyn Fixture) -> Result<()> {
    for is_deleted in [true, false] {
        let topic = topic(fixture).await?;
        let mut follower = topic.follow(Sequence::FIRST);
        let waiting = tokio::spawn(async move { follower.next_batch().await });
        if is_deleted {
            topic.store().delete_topic(topic.name()).await?;
        } else {
            topic.store().close().await?;
        }
        assert_eq!(kind(&joined(waiting.await)), Some(ErrorKind::Closed));
        let late = topic.wait_past(topic.head().sequence).await;
        assert_eq!(kind(&late), Some(ErrorKind::Closed));
        topic.store().close().await?;
    }
    Ok(())
}
