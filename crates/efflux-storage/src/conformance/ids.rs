//! The same id with the same payload is the same message; with another payload it is a conflict.

use efflux_particle::Message;

use super::fixture::Fixture;
use super::sample::{id, kind, message, read_all, reopened, topic};
use crate::error::{ErrorKind, Result};

fn named(number: usize) -> Result<Message> {
    Ok(message(number).with_id(id(number)?))
}

/// A message that is appended again is answered with its first place.
pub async fn the_same_message_gets_its_first_place_again(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let first = topic.append(named(1)?).await?;
    topic.append(message(2)).await?;
    for _ in 0..3 {
        let again = topic.append(named(1)?).await?;
        assert!(again.duplicate);
        assert_eq!(again.sequence, first.sequence);
        assert_eq!(again.fingerprint, first.fingerprint);
    }
    assert_eq!(topic.head().sequence.get(), 2);
    Ok(())
}

/// An id is taken by its first payload.
pub async fn the_same_id_with_another_payload_is_a_conflict(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    topic.append(named(1)?).await?;
    let head = topic.head();
    let other = Message::new("other").with_id(id(1)?);
    assert_eq!(
        kind(&topic.append(other.clone()).await),
        Some(ErrorKind::Conflict)
    );
    let batch = vec![named(2)?, other, named(3)?];
    assert_eq!(
        kind(&topic.append_batch(batch).await),
        Some(ErrorKind::Conflict)
    );
    assert_eq!(topic.head(), head);
    assert!(!topic.append(named(2)?).await?.duplicate);
    Ok(())
}

/// Of a batch, what is there already is answered with its place, and the rest is appended together.
pub async fn a_batch_adds_what_is_new_in_it(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    topic.append_batch(vec![named(1)?, named(2)?]).await?;
    let batch = vec![named(3)?, named(1)?, named(4)?, named(2)?];
    let receipts = topic.append_batch(batch).await?;
    let places: Vec<_> = receipts
        .iter()
        .map(|receipt| (receipt.sequence.get(), receipt.duplicate))
        .collect();
    assert_eq!(places, [(3, false), (1, true), (4, false), (2, true)]);
    let all = read_all(&topic).await?;
    let remaining: Vec<_> = all
        .iter()
        .map(|particle| particle.metadata().batch_remaining())
        .collect();
    assert_eq!(remaining, [0, 1, 0, 1, 0]);
    Ok(())
}

/// A message that stands twice in a batch is appended once and answered twice.
pub async fn the_same_message_twice_in_a_batch_is_added_once(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let batch = vec![named(1)?, named(2)?, named(1)?];
    let receipts = topic.append_batch(batch).await?;
    let places: Vec<_> = receipts
        .iter()
        .map(|receipt| (receipt.sequence.get(), receipt.duplicate))
        .collect();
    assert_eq!(places, [(1, false), (2, false), (1, true)]);
    assert_eq!(topic.head().sequence.get(), 2);
    Ok(())
}

/// An id that stands twice in a batch with different payloads is a conflict.
pub async fn a_conflict_within_a_batch_changes_nothing(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let batch = vec![named(1)?, Message::new("other").with_id(id(1)?)];
    assert_eq!(
        kind(&topic.append_batch(batch).await),
        Some(ErrorKind::Conflict)
    );
    assert_eq!(topic.head().sequence.get(), 0);
    assert!(!topic.append(named(1)?).await?.duplicate);
    Ok(())
}

/// Ids from before are known after reopening, in singles and batches.
pub async fn ids_are_known_after_reopening(fixture: &dyn Fixture) -> Result<()> {
    let mut topic = topic(fixture).await?;
    for number in 0..40 {
        topic.append(named(number)?).await?;
    }
    for round in 0..2 {
        topic = reopened(fixture, topic).await?;
        let batch = vec![named(7)?, named(40 + round)?, named(39)?];
        let receipts = topic.append_batch(batch).await?;
        let duplicates: Vec<_> = receipts.iter().map(|receipt| receipt.duplicate).collect();
        assert_eq!(duplicates, [true, false, true]);
        let other = Message::new("other").with_id(id(20)?);
        assert_eq!(kind(&topic.append(other).await), Some(ErrorKind::Conflict));
    }
    assert_eq!(topic.head().sequence.get(), 42);
    Ok(())
}
