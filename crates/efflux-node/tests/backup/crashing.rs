//! A crash, a power cut or a failed write at every operation of a backup.

use std::sync::Arc;

use efflux_node::particle::{Head, TopicName};
use efflux_node::storage::conformance::{Guard, SimDisk, Without};
use efflux_node::storage::{Disk, ErrorKind, Progress, Store};

use crate::place::{checked, files, fill, half_done, memory, open, take, topic, try_take};

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Kill,
    PowerCut,
    /// The operation fails, and the machine goes on.
    Fault,
}

/// A store as it stood at the first run and at the second.
struct History {
    early: Store,
    late: Store,
}

async fn heads(store: &Store) -> Vec<(TopicName, Head)> {
    let mut heads = Vec::new();
    for name in store.topics().await.unwrap() {
        let head = store.topic(&name).await.unwrap().head();
        heads.push((name, head));
    }
    heads
}

/// The same topics twice: as they were, and with more in them.
async fn history() -> History {
    let late = memory().await;
    for name in ["bills", "orders"] {
        let topic = topic(&late, name).await;
        fill(&topic, 8).await;
        half_done(&topic, "billing").await;
    }
    let disk = SimDisk::new(1);
    take(&disk, &late).await;
    let early = crate::place::restored(&disk).await;
    for name in ["orders", "zebras"] {
        fill(&topic(&late, name).await, 7).await;
    }
    History { early, late }
}

/// Two runs on a disk that fails at that operation; how many of them said that they are done.
async fn run(disk: &Arc<dyn Disk>, history: &History) -> usize {
    let mut done = 0;
    for store in [&history.early, &history.late] {
        match try_take(disk, store).await {
            Ok(taken) if taken.refused.is_empty() => done += 1,
            _ => break,
        }
    }
    done
}

/// What is wrong after a run that was cut off there; nothing when all is as promised.
async fn fault_after(
    history: &History,
    operation: u64,
    ending: Ending,
    guard: Option<Guard>,
) -> Result<(), String> {
    let sim = SimDisk::new(operation);
    match ending {
        Ending::Fault => sim.fail_at(operation),
        _ => sim.crash_at(operation),
    }
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let disk = match guard {
        Some(guard) => Arc::new(Without::new(guard, disk)),
        None => disk,
    };
    let done = run(&disk, history).await;
    drop(disk);
    let sim = match ending {
        Ending::PowerCut => sim.power_cut(),
        _ => sim.kill(),
    };
    let found = match checked(&sim).await {
        Err(error) if error.kind() == ErrorKind::NotFound && done == 0 => Vec::new(),
        found => found.map_err(|error| error.to_string())?,
    };
    let promised = match done {
        0 => Vec::new(),
        1 => heads(&history.early).await,
        _ => heads(&history.late).await,
    };
    for (name, head) in promised {
        let kept = found.iter().find(|(topic, _)| *topic == name);
        let is_kept = kept.is_some_and(|(_, kept)| kept.sequence >= head.sequence);
        if !is_kept {
            return Err(format!(
                "{name} was backed up through {head}, found {kept:?}"
            ));
        }
    }
    // The next run goes on, and leaves nothing behind.
    let taken = take(&sim, &history.late).await;
    if !taken.refused.is_empty() {
        return Err(format!("{:?}", taken.refused));
    }
    let found = checked(&sim).await.map_err(|error| error.to_string())?;
    if found != heads(&history.late).await {
        return Err(format!("{found:?}"));
    }
    let backup = open(&sim).unwrap();
    let checked = backup.check(&[], &Progress::default()).await.unwrap();
    for topic in checked.topics() {
        let found = files(&sim, topic.name.as_str());
        if found.len() != topic.files || !topic.is_complete {
            return Err(format!("{topic:?} has {found:?}"));
        }
    }
    Ok(())
}

async fn operations(history: &History) -> u64 {
    let disk = SimDisk::new(0);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    assert_eq!(run(&shared, history).await, 2);
    disk.operations()
}

#[tokio::test]
async fn a_backup_cut_off_anywhere_is_one_and_goes_on() {
    let history = history().await;
    let count = operations(&history).await;
    assert!(count > 60, "{count}");
    for operation in 1..=count {
        for ending in [Ending::Kill, Ending::PowerCut, Ending::Fault] {
            let fault = fault_after(&history, operation, ending, None).await;
            assert_eq!(fault, Ok(()), "operation {operation}, {ending:?}");
        }
    }
}

#[tokio::test]
async fn without_its_guards_a_backup_is_lost_and_the_test_notices() {
    let history = history().await;
    let count = operations(&history).await;
    for guard in [Guard::Sync, Guard::FolderSync] {
        let mut noticed = 0;
        for operation in 1..=count {
            let fault = fault_after(&history, operation, Ending::PowerCut, Some(guard)).await;
            noticed += usize::from(fault.is_err());
        }
        assert!(noticed > 0, "{guard:?}");
    }
}
