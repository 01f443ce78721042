//! Crashes of topics with large groups, whose next segment is made of zeros in the background.
//!
//! What is made in the background comes at any time, so a seed gives the same workload each time,
//! but not the same interleaving.

use efflux_node::storage;
use storage::particle::Message;
use storage::{Sync, TopicOptions};

use crate::every::block_on;
use crate::history::Verdict;
use crate::random::first_failure;
use crate::session::{Ending, Session};

const CASES: u64 = 60;
const SEGMENT_BYTES: u64 = 512 * 1024;

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

async fn live(seed: u64) -> Verdict {
    let options = TopicOptions::default()
        .with_sync(Sync::Always)
        .with_segment_bytes(SEGMENT_BYTES);
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

#[test]
fn a_crash_while_the_next_segment_is_made_loses_nothing() {
    if let Some((seed, problem)) = first_failure(1, CASES, |seed| block_on(live(seed))) {
        panic!("seed {seed}: {problem}");
    }
}
