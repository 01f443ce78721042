//! A crash at every operation of a workload, and at every operation of the recovery after it.

use std::time::Duration;

use efflux_node::storage;
use storage::{Sync, TopicOptions};

use crate::history::Verdict;
use crate::random::first_failure;
use crate::session::{Ending, Session};

const ROUNDS: usize = 14;
const POLICIES: [Sync; 3] = [
    Sync::Always,
    Sync::Os,
    Sync::Interval(Duration::from_secs(3600)),
];

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time();
    runtime.build().expect("a runtime").block_on(future)
}

pub(crate) fn session(seed: u64, sync: Sync) -> Session {
    let options = TopicOptions::default()
        .with_sync(sync)
        .with_segment_bytes(4096);
    Session::new(seed, options, None)
}

/// Opens the store and does the same rounds for the same seed, until the machine stops.
pub(crate) async fn work(session: &mut Session) -> Verdict {
    if !session.open().await? {
        return Ok(());
    }
    for _ in 0..ROUNDS {
        if session.disk.is_down() || session.has_failed {
            break;
        }
        session.round().await?;
    }
    Ok(())
}

/// How many operations the workload has when nothing fails.
pub(crate) fn operations(seed: u64, sync: Sync) -> u64 {
    let mut session = session(seed, sync);
    block_on(work(&mut session)).expect("nothing fails");
    session.disk.operations()
}

/// A store whose machine stopped at that operation.
async fn crashed(seed: u64, sync: Sync, operation: u64, ending: Ending) -> Verdict<Session> {
    let mut session = session(seed, sync);
    session.disk.crash_at(operation);
    work(&mut session).await?;
    session.end(ending).await?;
    Ok(session)
}

fn told(verdict: Verdict, what: &str) -> Verdict {
    verdict.map_err(|problem| format!("{what}: {problem}"))
}

#[test]
fn a_crash_at_any_operation_loses_nothing() {
    for (seed, sync) in (40..).zip(POLICIES) {
        let count = operations(seed, sync);
        let check = |operation| {
            for ending in [Ending::Kill, Ending::PowerCut] {
                let verdict = block_on(async {
                    let mut session = crashed(seed, sync, operation + 1, ending).await?;
                    session.finish().await
                });
                told(verdict, &format!("{sync}, {ending:?}"))?;
            }
            Ok(())
        };
        if let Some((operation, problem)) = first_failure(0, count, check) {
            panic!("seed {seed}, operation {}: {problem}", operation + 1);
        }
    }
}

#[test]
fn a_crash_at_any_operation_of_a_recovery_loses_nothing() {
    for (seed, sync) in (50..).zip(POLICIES) {
        let count = operations(seed, sync);
        let check = |place: u64| {
            let operation = count * (place + 1) / 12;
            for first in [Ending::Kill, Ending::PowerCut] {
                for second in [Ending::Kill, Ending::PowerCut] {
                    let verdict = block_on(recover_with_crashes(
                        (seed, sync, operation),
                        (first, second),
                    ));
                    told(
                        verdict,
                        &format!("{sync}, operation {operation}, {first:?}, {second:?}"),
                    )?;
                }
            }
            Ok(())
        };
        if let Some((_, problem)) = first_failure(0, 12, check) {
            panic!("seed {seed}: {problem}");
        }
    }
}

/// Crashes at each operation of the recovery in turn, each time from the same crashed store.
async fn recover_with_crashes(
    (seed, sync, operation): (u64, Sync, u64),
    (first, second): (Ending, Ending),
) -> Verdict {
    for crash in 1_u64.. {
        let mut session = crashed(seed, sync, operation, first).await?;
        session.disk.crash_at(session.disk.operations() + crash);
        let is_open = session.open().await?;
        session.end(second).await?;
        let verdict = session.finish().await;
        told(verdict, &format!("operation {crash} of the recovery"))?;
        if is_open {
            break;
        }
    }
    Ok(())
}
