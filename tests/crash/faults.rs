//! Input and output errors, a full disk, two writers.

use std::time::Duration;

use efflux_node::storage;
use storage::conformance::Guard;
use storage::particle::{Message, Sequence};
use storage::{ErrorKind, ReadLimit, StoreOptions, Sync, TopicOptions};

use crate::every::{block_on, operations, session, work};
use crate::history::Verdict;
use crate::random::first_failure;
use crate::session::{Ending, Session, read_all};

/// An operation fails; then the process or the topic begins anew, appends, and the power fails.
async fn fail_and_lose_power(seed: u64, sync: Sync, operation: u64, in_process: bool) -> Verdict {
    let mut session = session(seed, sync);
    session.disk.fail_at(operation);
    work(&mut session).await?;
    if in_process && session.topic.is_some() {
        session.reopen_topic().await?;
    } else {
        session.end(Ending::Kill).await?;
        session.open().await?;
    }
    for _ in 0..3 {
        session.round().await?;
    }
    session.end(Ending::PowerCut).await?;
    session.finish().await
}

#[test]
fn an_io_error_then_a_restart_then_a_power_cut_loses_nothing() {
    let interval = Sync::Interval(Duration::from_secs(3600));
    for (seed, sync) in [(60, Sync::Always), (61, Sync::Os), (62, interval)] {
        let check = |operation: u64| {
            for in_process in [false, true] {
                block_on(fail_and_lose_power(seed, sync, operation + 1, in_process))
                    .map_err(|problem| format!("{sync}, in process: {in_process}: {problem}"))?;
            }
            Ok(())
        };
        if let Some((operation, problem)) = first_failure(0, operations(seed, sync), check) {
            panic!("seed {seed}, operation {}: {problem}", operation + 1);
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_and_takes_appends_again_when_space_is_freed() {
    let check = |step: u64| {
        block_on(async {
            let mut session = session(70, Sync::Always);
            let room = usize::try_from(step * 61).expect("small");
            session.disk.set_room(Some(room));
            work(&mut session).await?;
            session.end(Ending::Kill).await?;
            if session.open().await? {
                session.round().await?;
            }
            session.end(Ending::PowerCut).await?;
            session.finish().await
        })
    };
    if let Some((step, problem)) = first_failure(0, 300, check) {
        panic!("room {}: {problem}", step * 61);
    }
}

#[test]
fn a_failed_sync_closes_the_topic_for_appends_and_not_for_reads() {
    block_on(async {
        let mut session = session(71, Sync::Always);
        assert_eq!(session.open().await, Ok(true));
        let topic = session.topic.clone().unwrap();
        let kept = topic.append(Message::new("kept")).await.unwrap();
        session.disk.fail_next_sync_of(".seg");
        let failed = topic.append(Message::new("failed")).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Unavailable);
        assert!(failed.may_have_applied(), "{failed}");
        let refused = topic.append(Message::new("refused")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed);
        assert!(!refused.may_have_applied(), "{refused}");
        assert_eq!(topic.head().sequence, kept.sequence);
        let read = topic.read(Sequence::FIRST, ReadLimit::default()).await;
        assert_eq!(read.unwrap().len(), 1);
        assert!(topic.verify(Default::default()).await.is_ok());
        let store = session.store.clone().unwrap();
        let again = store.reopen_topic(topic.name()).await.unwrap();
        let next = again.append(Message::new("next")).await.unwrap();
        assert!(next.sequence > kept.sequence);
        let still = topic.append(Message::new("old handle")).await.unwrap_err();
        assert_eq!(still.kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_full_disk_is_told_as_full() {
    block_on(async {
        let mut session = session(72, Sync::Always);
        assert_eq!(session.open().await, Ok(true));
        let topic = session.topic.clone().unwrap();
        session.disk.set_room(Some(session.disk.bytes() + 100));
        let error = topic.append(Message::new(vec![7; 500])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        let store = session.store.clone().unwrap();
        session.disk.set_room(None);
        let topic = store.reopen_topic(topic.name()).await.unwrap();
        assert!(topic.append(Message::new(vec![7; 500])).await.is_ok());
    });
}

/// A second process may read, and must not write.
pub(crate) async fn second_writer_is_refused(guard_off: Option<Guard>) -> Verdict {
    let mut first = Session::new(73, TopicOptions::default(), guard_off);
    first.open().await?;
    match first.open_store(StoreOptions::default()).await {
        Ok(_) => return Err("a second writer was let in".to_owned()),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let holder = format!("process {}", std::process::id());
            if !error.to_string().contains(&holder) {
                return Err(format!("the holder is not named: {error}"));
            }
        }
        Err(error) => return Err(format!("refused for another reason: {error}")),
    }
    let reader = first.open_store(StoreOptions::default().read_only()).await;
    let reader = reader.map_err(|error| format!("a reader was refused: {error}"))?;
    let topic = reader.topic(&Session::topic_name()).await;
    let topic = topic.map_err(|error| format!("a reader was refused: {error}"))?;
    read_all(&topic).await?;
    first.end(Ending::Kill).await?;
    first.finish().await
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    assert_eq!(block_on(second_writer_is_refused(None)), Ok(()));
}
