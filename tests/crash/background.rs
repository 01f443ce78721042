//! Crashes of topics with large groups, for which something is done in the background: the next
//! segment is made of zeros, or what no append waits for is synced.
//!
//! What is done in the background comes at any time, so a seed gives the same workload each time,
//! but not the same interleaving.

use std::time::Duration;

use efflux_node::storage;
use storage::particle::Message;
use storage::{Sync, TopicOptions};

use crate::every::block_on;
use crate::history::Verdict;
use crate::random::first_failure;
use crate::session::{Ending, Session};

const CASES: u64 = 60;
/// Small enough for some segments in each case.
const SEGMENT_BYTES: u64 = 512 * 1024;
/// A topic that is not synced by its appends: a part of a segment is synced in the background.
const UNSYNCED_SEGMENT_BYTES: u64 = 1024 * 1024;

/// Appends a batch that is large enough for zeros to be made for the next segment.
async fn append(session: &mut Session) -> Verdict<bool> {
    let Some(topic) = session.topic.clone() else {
        return Ok(false);
    };
    let attempt = session.history.attempts.len();
    let count = 1 + session.random.at_most(3);
    let message = |at: usize| {
        let mut payload = format!("{attempt}.{at} ").into_bytes();
        let filler = 8000 + session.random.at_most(24_000);
        payload.resize(
            payload.len() + filler,
            session.random.number().to_le_bytes()[0],
        );
        Message::new(payload)
    };
    let messages: Vec<_> = (0..count).map(message).collect();
    let attempt = session.history.begin(messages.clone());
    let answer = topic.append_batch(messages).await;
    let is_open = answer.is_ok();
    session.has_failed |= !is_open;
    let operations = session.disk.operations();
    session.history.end(attempt, answer, operations)?;
    Ok(is_open)
}

async fn live(seed: u64, sync: Sync, segment_bytes: u64) -> Verdict {
    let options = TopicOptions::default()
        .with_sync(sync)
        .with_segment_bytes(segment_bytes);
    let mut session = Session::new(seed, options, None);
    for _ in 0..=session.random.below(3) {
        if session.open().await? {
            let at = session.disk.operations() + 1 + session.random.below(250);
            match session.random.below(4) {
                0 => {}
                1 => session.disk.fail_at(at),
                _ => session.disk.crash_at(at),
            }
            for _ in 0..session.random.below(60) {
                if !append(&mut session).await? {
                    break;
                }
            }
        }
        let ending = *session.random.pick(&Ending::ALL).unwrap_or(&Ending::Kill);
        session.end(ending).await?;
    }
    session.finish().await
}

fn live_often(sync: Sync, segment_bytes: u64) {
    let live = |seed| block_on(live(seed, sync, segment_bytes));
    assert_eq!(first_failure(1, CASES, live), None, "seed and problem");
}

#[test]
fn a_crash_while_the_next_segment_is_made_loses_nothing() {
    live_often(Sync::Always, SEGMENT_BYTES);
}

#[test]
fn a_crash_or_fault_while_appends_are_synced_beside_others_loses_nothing() {
    live_often(Sync::Os, UNSYNCED_SEGMENT_BYTES);
    live_often(
        Sync::Interval(Duration::from_secs(3600)),
        UNSYNCED_SEGMENT_BYTES,
    );
}

#[test]
fn a_sync_in_the_background_that_fails_closes_the_topic_before_it_is_told_to_be_whole() {
    let options = TopicOptions::default()
        .with_sync(Sync::Os)
        .with_segment_bytes(UNSYNCED_SEGMENT_BYTES);
    block_on(async {
        let mut session = Session::new(7, options, None);
        assert!(session.open().await?);
        session.disk.fail_next_sync_of(".seg");
        let mut appends = 0;
        while append(&mut session).await? {
            appends += 1;
            assert!(appends < 1000, "no append noticed the fault");
        }
        assert!(session.has_failed, "the fault was passed over");
        session.end(Ending::PowerCut).await?;
        session.finish().await
    })
    .unwrap();
}
