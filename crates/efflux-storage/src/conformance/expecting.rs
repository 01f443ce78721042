//! A conditional append happens when its expectation holds, and otherwise changes nothing.

use efflux_particle::{Head, Message, Sequence};

use super::fixture::Fixture;
use super::sample::{fill, id, kind, message, read_all, reopened, topic};
use crate::error::{ErrorKind, Result};
use crate::expect::Expect;
use crate::query::Query;
use crate::topic::Topic;

async fn holds(topic: &Topic, message: Message, expect: Expect) -> Result<()> {
    let before = topic.head().sequence;
    let receipts = topic.append_expecting(vec![message], expect).await?;
    assert_eq!(receipts.len(), 1);
    assert_eq!(topic.head().sequence, before.next());
    Ok(())
}

async fn fails(topic: &Topic, expect: Expect) {
    let before = topic.head();
    let shown = format!("{expect:?}");
    let refused = topic
        .append_expecting(vec![message(1), message(2)], expect)
        .await;
    assert_eq!(kind(&refused), Some(ErrorKind::Conflict), "{shown}");
    assert!(refused.is_err_and(|error| !error.may_have_applied()));
    assert_eq!(topic.head(), before, "{shown}");
}

fn group(last: Option<u64>) -> Expect {
    Expect::Group {
        group: "expected".to_owned(),
        last: last.map(Sequence::new),
    }
}

fn no_match(data_type: &str, after: u64) -> Expect {
    Expect::NoMatch {
        query: Query::data_type(data_type),
        after: Sequence::new(after),
    }
}

/// A topic is empty as long as it holds its root alone.
pub async fn an_empty_topic_is_empty_once(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    holds(&topic, message(0), Expect::Empty).await?;
    fails(&topic, Expect::Empty).await;
    holds(&topic, message(0), Expect::Any).await
}

/// The head is expected by sequence and fingerprint.
pub async fn the_head_is_the_last_particle(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let root = topic.head();
    holds(&topic, message(0), Expect::Head(root)).await?;
    fails(&topic, Expect::Head(root)).await;
    let head = topic.head();
    let fingerprint = root.fingerprint;
    fails(
        &topic,
        Expect::Head(Head {
            fingerprint,
            ..head
        }),
    )
    .await;
    let sequence = head.sequence.next();
    fails(&topic, Expect::Head(Head { sequence, ..head })).await;
    holds(&topic, message(0), Expect::Head(head)).await
}

/// The last particle of a message group is expected, or that there is none.
pub async fn the_last_of_a_group_is_known(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..5).await?;
    let member = || message(0).with_message_group("expected");
    fails(&topic, group(Some(3))).await;
    holds(&topic, member(), group(None)).await?;
    fails(&topic, group(None)).await;
    fails(&topic, group(Some(5))).await;
    holds(&topic, message(0), group(Some(6))).await?;
    holds(&topic, member(), group(Some(6))).await?;
    fails(&topic, group(Some(6))).await;
    holds(&topic, member(), group(Some(8))).await
}

/// No particle after a place matches a query, whatever matches before it.
pub async fn no_match_after_a_place(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let typed = || message(0).with_data_type("watched");
    holds(&topic, message(0), no_match("watched", 0)).await?;
    holds(&topic, typed(), no_match("watched", 0)).await?;
    fails(&topic, no_match("watched", 0)).await;
    fails(&topic, no_match("watched", 1)).await;
    holds(&topic, message(0), no_match("watched", 2)).await?;
    holds(&topic, message(0), no_match("watched", 100)).await?;
    let nothing_after = |after| Expect::NoMatch {
        query: Query::all(),
        after,
    };
    fails(&topic, nothing_after(Sequence::FIRST)).await;
    holds(&topic, message(0), nothing_after(topic.head().sequence)).await
}

/// An expectation that fails leaves no trace: ids stay free, places are not skipped.
pub async fn a_failed_expectation_changes_nothing(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    topic.append(message(0)).await?;
    let named = message(1).with_id(id(1)?);
    let refused = topic
        .append_expecting(vec![named.clone()], Expect::Empty)
        .await;
    assert_eq!(kind(&refused), Some(ErrorKind::Conflict));
    let receipt = topic.append(named).await?;
    assert!(!receipt.duplicate);
    assert_eq!(receipt.sequence.get(), 2);
    assert_eq!(read_all(&topic).await?.len(), 3);
    Ok(())
}

/// An append whose answer was lost can be made again with the same expectation.
pub async fn what_is_there_already_is_answered_whatever_is_expected(
    fixture: &dyn Fixture,
) -> Result<()> {
    let topic = topic(fixture).await?;
    let named = message(1).with_id(id(1)?);
    let root = topic.head();
    for (expect, is_duplicate) in [
        (Expect::Head(root), false),
        (Expect::Head(root), true),
        (Expect::Empty, true),
        (no_match("type 1", 0), true),
        (group(Some(77)), true),
    ] {
        let receipts = topic.append_expecting(vec![named.clone()], expect).await?;
        let duplicates: Vec<_> = receipts.iter().map(|receipt| receipt.duplicate).collect();
        assert_eq!(duplicates, [is_duplicate]);
    }
    let batch = vec![named, message(2)];
    let refused = topic.append_expecting(batch, Expect::Empty).await;
    assert_eq!(kind(&refused), Some(ErrorKind::Conflict));
    assert_eq!(topic.head().sequence.get(), 1);
    Ok(())
}

/// Expectations are judged against everything, also what was there before the store was opened.
pub async fn expectations_hold_over_reopening(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..40).await?;
    let member = message(0)
        .with_message_group("expected")
        .with_data_type("watched");
    topic.append(member).await?;
    fill(&topic, 0..40).await?;
    let topic = reopened(fixture, topic).await?;
    fails(&topic, Expect::Empty).await;
    fails(&topic, group(None)).await;
    fails(&topic, no_match("watched", 40)).await;
    holds(&topic, message(0), no_match("watched", 41)).await?;
    holds(&topic, message(0), group(Some(41))).await?;
    holds(&topic, message(0), Expect::Head(topic.head())).await
}
