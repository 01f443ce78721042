//! One random case: a store that lives through several crashes.

use std::time::Duration;

use efflux_node::storage;
use storage::conformance::{Guard, Random};
use storage::{Sync, TopicOptions};

use crate::every::block_on;
use crate::history::Verdict;
use crate::rounds::Round;
use crate::session::{Ending, Session};

/// Far longer than any test: what is not synced for another reason stays unsynced.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Runs the case that follows from a seed.
pub(crate) fn run(seed: u64, guard_off: Option<Guard>) -> Verdict {
    let (verdict, trace) = run_traced(seed, guard_off);
    verdict.map_err(|problem| {
        let trace = trace.join("\n  ");
        format!("{problem}\nthe newest operations of the disk:\n  {trace}")
    })
}

/// What came of a case, and the newest operations of its disk.
pub(crate) fn run_traced(seed: u64, guard_off: Option<Guard>) -> (Verdict, Vec<String>) {
    let mut session = Session::new(seed, options(seed), guard_off);
    let verdict = block_on(live(&mut session));
    (verdict, session.disk.trace())
}

fn options(seed: u64) -> TopicOptions {
    let mut random = Random::new(!seed);
    let sync = match random.below(5) {
        0 => Sync::Os,
        1 => Sync::Interval(INTERVAL),
        _ => Sync::Always,
    };
    let bytes = *random.pick(&[4096, 4096, 8192, 65536]).unwrap_or(&4096);
    TopicOptions::default()
        .with_sync(sync)
        .with_segment_bytes(bytes)
}

async fn live(session: &mut Session) -> Verdict {
    session.disk.set_short_reads(session.random.chance(30));
    for _ in 0..=session.random.below(4) {
        phase(session).await?;
        let ending = *session.random.pick(&Ending::ALL).unwrap_or(&Ending::Kill);
        session.end(ending).await?;
        if session.random.chance(70) {
            session.disk.set_room(None);
        }
    }
    session.finish().await
}

/// One life of the process, with a fault at some operation.
async fn phase(session: &mut Session) -> Verdict {
    let is_early = session.random.chance(40);
    if is_early {
        plan(session, 25);
    }
    if !session.open().await? {
        return Ok(());
    }
    if !is_early {
        plan(session, 60);
    }
    for _ in 0..session.random.below(14) {
        if session.disk.is_down() {
            return Ok(());
        }
        let round = session.round().await?;
        if round == Round::Closed
            && !session.disk.is_down()
            && (session.random.chance(50) || !session.reopen_topic().await?)
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Plans a crash, a failure, or a full disk, within that many operations.
fn plan(session: &mut Session, within: u64) {
    let at = session.disk.operations() + 1 + session.random.below(within);
    match session.random.below(10) {
        0..=4 => session.disk.crash_at(at),
        5 | 6 => session.disk.fail_at(at),
        7 => {
            session.disk.fail_at(at);
            session.disk.crash_at(at + 1 + session.random.below(within));
        }
        8 => {
            let room = session.disk.bytes() + session.random.at_most(6000);
            session.disk.set_room(Some(room));
        }
        _ => {}
    }
}
