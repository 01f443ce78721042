//! A consumer's commits with a fault at every operation in turn, and with rot in its journal.

use std::path::Path;
use std::time::Duration;

use efflux_node::storage;
use storage::conformance::Guard;
use storage::{Disk, Sync, TopicOptions};

use crate::consumers::{Kept, append, consume, consumer, drain, key, opened_consumer};
use crate::every::block_on;
use crate::history::Verdict;
use crate::random::first_failure;
use crate::session::{Ending, FOLDER, Session};

const STEPS: usize = 18;

/// What happens at an operation, and afterwards.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The machine stops there; the process ends so.
    Crash(Ending),
    /// It fails; another process goes on for a while; then the power fails.
    FailAndRestart,
}

const FAULTS: [Fault; 3] = [
    Fault::Crash(Ending::Kill),
    Fault::Crash(Ending::PowerCut),
    Fault::FailAndRestart,
];

fn session(seed: u64, sync: Sync, guard_off: Option<Guard>) -> Session {
    let options = TopicOptions::default()
        .with_sync(sync)
        .with_segment_bytes(4096);
    let mut session = Session::new(seed, options, guard_off);
    session.is_off_for_consumers = true;
    session
}

/// Appends and consumes for some steps, or until something fails.
async fn work(session: &mut Session, kept: &mut Kept, steps: usize) -> Verdict {
    let faults = session.disk.faults();
    let Some(consumer) = opened_consumer(session).await? else {
        return Ok(());
    };
    for step in 0..steps {
        if session.disk.faults() > faults {
            break;
        }
        match step % 3 {
            0 => append(session).await?,
            _ => consume(session, &consumer, kept).await?,
        }
    }
    Ok(())
}

async fn fault_at(seed: u64, sync: Sync, operation: u64, fault: Fault) -> Verdict {
    let (mut session, mut kept) = (session(seed, sync, None), Kept::default());
    match fault {
        Fault::Crash(_) => session.disk.crash_at(operation),
        Fault::FailAndRestart => session.disk.fail_at(operation),
    }
    work(&mut session, &mut kept, STEPS).await?;
    match fault {
        Fault::Crash(ending) => session.end(ending).await?,
        Fault::FailAndRestart => {
            session.end(Ending::Kill).await?;
            work(&mut session, &mut kept, 6).await?;
            session.end(Ending::PowerCut).await?;
        }
    }
    drain(&mut session, &mut kept).await
}

#[test]
fn a_fault_at_any_operation_then_a_restart_then_a_power_cut_keeps_every_commit() {
    let interval = Sync::Interval(Duration::from_secs(3600));
    for (seed, sync) in [(90, Sync::Always), (91, interval)] {
        let mut whole = session(seed, sync, None);
        block_on(work(&mut whole, &mut Kept::default(), STEPS)).unwrap();
        let check = |operation: u64| {
            for fault in FAULTS {
                let verdict = block_on(fault_at(seed, sync, operation + 1, fault));
                verdict.map_err(|problem| format!("{sync}, {fault:?}: {problem}"))?;
            }
            Ok(())
        };
        if let Some((operation, problem)) = first_failure(0, whole.disk.operations(), check) {
            panic!("seed {seed}, operation {}: {problem}", operation + 1);
        }
    }
}

/// The consumer's journal, and where its records end: what follows are zeros.
fn journal(session: &Session) -> Verdict<(String, usize)> {
    let files = session.disk.files().into_iter();
    let mut journals = files.filter(|(path, _)| path.ends_with("keeper.journal"));
    let (path, length) = journals.next().ok_or("there is no journal")?;
    let mut bytes = vec![0; length];
    let read = session
        .disk
        .open(Path::new(&path))
        .and_then(|file| file.read_at(&mut bytes, 0));
    read.map_err(|error| error.to_string())?;
    let last = bytes.iter().rposition(|byte| *byte != 0);
    Ok((path, last.map_or(0, |last| last + 1)))
}

/// Every byte of the last commit flipped, after a kill and after a clean end: opening the consumer
/// must say so, or nothing that was committed comes again.
pub(crate) async fn last_commit_is_watched(guard_off: Option<Guard>) -> Verdict {
    for ending in [None, Some(Ending::Kill)] {
        let mut session = session(92, Sync::Always, guard_off);
        session.open().await?;
        for _ in 0..6 {
            append(&mut session).await?;
        }
        let mut kept = Kept::default();
        let held = consumer(&session).await?;
        let received = held.receive(5, Duration::ZERO).await;
        let mut before = 0;
        for delivery in received.map_err(|error| error.to_string())? {
            before = journal(&session)?.1;
            let committed = held.commit(&[delivery.ticket]).await;
            committed.map_err(|error| error.to_string())?;
            kept.committed.insert(key(&delivery.particle));
        }
        drop(held);
        match ending {
            None => session.close().await,
            Some(ending) => session.end(ending).await?,
        }
        let (path, end) = journal(&session)?;
        if before >= end {
            return Err(format!("no commit stands between {before} and {end}"));
        }
        for at in before..end {
            let mut copy = session.copy();
            copy.disk = session.disk.fork();
            let flipped = copy.disk.flip(Path::new(&path), at, 3);
            flipped.map_err(|error| error.to_string())?;
            flipped_is_noticed(&mut copy, &kept)
                .await
                .map_err(|problem| format!("{path} byte {at}, after {ending:?}: {problem}"))?;
        }
    }
    Ok(())
}

async fn flipped_is_noticed(session: &mut Session, kept: &Kept) -> Verdict {
    session
        .try_open()
        .await
        .map_err(|error| error.to_string())?;
    let Ok(consumer) = consumer(session).await else {
        return Ok(());
    };
    // What is only leased comes again.
    session.clock.advance(Duration::from_secs(3600));
    let received = consumer.receive(100, Duration::ZERO).await;
    for delivery in received.map_err(|error| error.to_string())? {
        if kept.committed.contains(&key(&delivery.particle)) {
            let place = delivery.particle.sequence();
            return Err(format!("sequence {place} was committed and comes again"));
        }
    }
    Ok(())
}

#[test]
fn a_rotten_last_commit_is_noticed_and_never_forgotten() {
    assert_eq!(block_on(last_commit_is_watched(None)), Ok(()));
}

#[test]
fn a_damaged_consumer_keeps_nobody_from_its_topic_and_can_be_deleted() {
    block_on(async {
        let mut session = session(93, Sync::Always, None);
        assert_eq!(session.open().await, Ok(true));
        append(&mut session).await.unwrap();
        drop(consumer(&session).await.unwrap());
        session.end(Ending::Kill).await.unwrap();
        let (path, _) = journal(&session).unwrap();
        assert!(path.starts_with(FOLDER), "{path}");
        session.disk.flip(Path::new(&path), 1540, 0).unwrap();
        session.try_open().await.unwrap();
        let refused = consumer(&session).await.unwrap_err();
        assert!(refused.contains("consumers/keeper.journal"), "{refused}");
        append(&mut session).await.unwrap();
        let topic = session.topic.clone().unwrap();
        let name = "keeper".parse().unwrap();
        storage::Consumer::delete(&topic, &name).await.unwrap();
        let anew = consumer(&session).await.unwrap();
        assert!(!anew.receive(1, Duration::ZERO).await.unwrap().is_empty());
    });
}
