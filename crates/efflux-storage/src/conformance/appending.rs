//! Places are gapless, particles are linked, batches stand together, what is answered stays.

use efflux_particle::limits::PROPERTIES_MAX;
use efflux_particle::{Head, Message, Sequence};

use super::fixture::Fixture;
use super::sample::{fill, kind, message, messages, options, read_all, reopened, topic};
use crate::error::{ErrorKind, Result};
use crate::log::ReadLimit;
use crate::verify::Progress;

/// A new topic holds its root, which names it, and nothing else.
pub async fn a_new_topic_holds_its_root(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let all = read_all(&topic).await?;
    assert_eq!(all.len(), 1);
    let root = all.first().map(|root| Head::check_root(topic.name(), root));
    assert_eq!(root, Some(Ok(topic.head())));
    assert_eq!(topic.head().sequence, Sequence::ROOT);
    Ok(())
}

/// Sequences have no gap, receipts tell them, and each particle links to the one before it.
pub async fn sequences_are_gapless_and_links_hold(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let mut head = topic.head();
    for number in 0..60 {
        let receipt = topic.append(message(number)).await?;
        assert_eq!(receipt.sequence, head.sequence.next());
        assert!(!receipt.duplicate);
        let read = topic.get(receipt.sequence).await?;
        let Some(particle) = read else {
            return Err(crate::Error::not_found(format!("{}", receipt.sequence)));
        };
        assert_eq!(particle.fingerprint(), receipt.fingerprint);
        assert_eq!(particle.payload(), message(number).payload());
        assert_eq!(head.check(&particle), Ok(Head::on(&particle)));
        head = Head::on(&particle);
        assert_eq!(topic.head(), head);
    }
    Ok(())
}

/// The particles of a batch follow each other and count down to its end.
pub async fn a_batch_stands_together(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    for count in [1, 2, 7, 40] {
        let before = topic.head().sequence;
        let receipts = topic.append_batch(messages(0..count)).await?;
        assert_eq!(receipts.len(), count);
        for (receipt, past) in receipts.iter().zip(1..) {
            assert_eq!(receipt.sequence, before.plus(past));
            let Some(particle) = topic.get(receipt.sequence).await? else {
                return Err(crate::Error::not_found(format!("{}", receipt.sequence)));
            };
            let remaining = particle.metadata().batch_remaining();
            assert_eq!(u64::from(remaining), count as u64 - past);
        }
    }
    Ok(())
}

/// Appending nothing is no error and no particle.
pub async fn an_empty_batch_changes_nothing(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let head = topic.head();
    assert_eq!(topic.append_batch(Vec::new()).await?, []);
    assert_eq!(topic.head(), head);
    Ok(())
}

/// A message that is over a bound is `Invalid`, and nothing of its batch is appended.
pub async fn a_message_over_a_bound_is_refused_with_its_whole_batch(
    fixture: &dyn Fixture,
) -> Result<()> {
    let topic = topic(fixture).await?;
    let mut large = Message::new("");
    for number in 0..=PROPERTIES_MAX {
        large = large.with_property(format!("p{number}"), "");
    }
    for bad in [
        large,
        message(1).with_data_type(""),
        message(1).with_message_group("a\nb"),
    ] {
        let refused = topic.append_batch(vec![message(0), bad, message(2)]).await;
        assert_eq!(kind(&refused), Some(ErrorKind::Invalid));
        assert_eq!(topic.head().sequence, Sequence::ROOT);
    }
    let receipt = topic.append(message(0)).await?;
    assert_eq!(receipt.sequence, Sequence::FIRST);
    Ok(())
}

/// What was acknowledged is there, byte for byte, after closing and opening the store.
pub async fn what_was_acknowledged_is_there_after_reopening(fixture: &dyn Fixture) -> Result<()> {
    let mut topic = topic(fixture).await?;
    for round in 0..4 {
        fill(&topic, round * 30..round * 30 + 30).await?;
        let (before, head) = (read_all(&topic).await?, topic.head());
        topic = reopened(fixture, topic).await?;
        assert_eq!(topic.head(), head);
        assert_eq!(read_all(&topic).await?, before);
    }
    assert_eq!(topic.head().sequence.get(), 120);
    Ok(())
}

/// After closing, appends are refused and nothing is appended.
pub async fn a_closed_store_refuses_appends(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    topic.append(message(0)).await?;
    topic.store().close().await?;
    let refused = topic.append(message(1)).await;
    assert_eq!(kind(&refused), Some(ErrorKind::Closed));
    assert!(refused.is_err_and(|error| !error.may_have_applied()));
    let made = topic
        .store()
        .create_topic(&"late".parse()?, options())
        .await;
    assert_eq!(kind(&made), Some(ErrorKind::Closed));
    assert_eq!(topic.head().sequence, Sequence::FIRST);
    Ok(())
}

/// Verifying checks every particle and ends at the head.
pub async fn verifying_counts_everything(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..50).await?;
    let limit = ReadLimit::particles(51);
    let mut bytes = 0;
    let mut from = Sequence::ROOT;
    while let Some(last) = topic.read(from, limit).await?.last() {
        for particle in topic.read(from, limit).await? {
            bytes += particle.frame().len() as u64;
        }
        from = last.sequence().next();
    }
    let verified = topic.verify(Progress::default()).await?;
    assert_eq!(verified.particles, 51);
    assert_eq!(verified.bytes, bytes);
    assert_eq!(verified.head, topic.head());
    assert_eq!(verified.notes, Vec::<String>::new());
    Ok(())
}
