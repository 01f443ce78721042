//! Calls that are given up half-way, journals that fail, and what is found afterwards.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::*;
use crate::consumer::core::{Core, Parts};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::MemoryJournal;
use crate::log::{Journal, ReadLimit};

/// A journal whose appends and syncs wait to be let through, and fail when told to.
#[derive(Debug)]
struct Gate {
    kept: MemoryJournal,
    /// What was done.
    calls: Mutex<Vec<&'static str>>,
    appends: Semaphore,
    syncs: Semaphore,
    fails: Mutex<bool>,
}

impl Gate {
    fn new(appends: usize, syncs: usize) -> Arc<Self> {
        Arc::new(Self {
            kept: MemoryJournal::default(),
            calls: Mutex::default(),
            appends: Semaphore::new(appends),
            syncs: Semaphore::new(syncs),
            fails: Mutex::default(),
        })
    }

    fn open(&self) {
        self.appends.add_permits(100);
        self.syncs.add_permits(100);
    }

    async fn pass(&self, passes: &Semaphore, call: &'static str) -> Result<()> {
        passes.acquire().await.unwrap().forget();
        if *self.fails.lock() {
            return Err(Error::io("writing", io::ErrorKind::Other.into()));
        }
        self.calls.lock().push(call);
        Ok(())
    }

    fn count(&self, call: &str) -> usize {
        self.calls.lock().iter().filter(|one| **one == call).count()
    }
}

#[async_trait]
impl Journal for Gate {
    async fn load(&self) -> Result<Vec<Vec<u8>>> {
        self.kept.load().await
    }

    async fn append(&self, record: Vec<u8>) -> Result<()> {
        self.pass(&self.appends, "append").await?;
        self.kept.append(record).await
    }

    async fn sync(&self) -> Result<()> {
        self.pass(&self.syncs, "sync").await
    }

    async fn replace(&self, record: Vec<u8>) -> Result<()> {
        self.kept.replace(record).await
    }

    async fn delete(&self) -> Result<()> {
        self.kept.delete().await
    }
}

async fn core(
    topic: &Topic,
    journal: &Arc<Gate>,
    clock: &ManualClock,
    options: &ConsumerOptions,
) -> Core {
    let parts = Parts {
        name: name(),
        log: Arc::new(topic.clone()),
        journal: Arc::clone(journal) as Arc<dyn Journal>,
        clock: Arc::new(clock.clone()),
        durable: true,
    };
    Core::open(parts, options, None).await.unwrap()
}

/// Lets a call run until it waits, then gives it up.
fn give_up<F: Future>(call: F) {
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(call.as_mut().poll(&mut context), Poll::Pending));
}

#[tokio::test]
async fn a_receive_that_is_given_up_gives_back_what_it_took() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["a/1", "a/2", "-"]).await;
    let journal = Gate::new(0, 0);
    let core = core(&topic, &journal, &clock, &ConsumerOptions::default()).await;
    give_up(core.receive(2, LEASE));
    assert_eq!(core.status().unwrap().in_flight, 0);
    journal.open();
    let got = core.receive(5, Duration::ZERO).await.unwrap();
    assert_eq!(texts(&got), ["a/1", "-"]);
    assert_eq!(
        (got[0].deliveries, core.status().unwrap().redelivered),
        (1, 0)
    );
}

#[tokio::test]
async fn a_commit_that_is_given_up_is_kept_with_the_next_record() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1", "2"]).await;
    let journal = Gate::new(1, 1);
    let options = ConsumerOptions::default();
    let first = core(&topic, &journal, &clock, &options).await;
    let both = tickets(&first.receive(2, Duration::ZERO).await.unwrap());
    give_up(first.commit(&both[..1]));
    journal.open();
    first.commit(&both[1..]).await.unwrap();
    // A commit that was made again is answered only when it is durable.
    first.commit(&both).await.unwrap();
    assert_eq!(*journal.calls.lock(), ["append", "append", "sync"]);
    drop(first);
    let again = core(&topic, &journal, &clock, &options).await;
    assert_eq!(again.status().unwrap().lag, 0);
}

#[tokio::test]
async fn concurrent_commits_share_a_record() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["x"; 20]).await;
    let journal = Gate::new(1, 1);
    let core = Arc::new(core(&topic, &journal, &clock, &ConsumerOptions::default()).await);
    let all = tickets(&core.receive(20, Duration::ZERO).await.unwrap());
    let commits: Vec<_> = all
        .into_iter()
        .map(|ticket| {
            let core = Arc::clone(&core);
            tokio::spawn(async move { core.commit(&[ticket]).await })
        })
        .collect();
    tokio::task::yield_now().await;
    journal.open();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    assert!(journal.count("append") <= 4, "{:?}", journal.calls.lock());
    assert_eq!(core.status().unwrap().lag, 0);
}

#[tokio::test]
async fn a_receive_does_not_wait_for_a_commit_that_syncs() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1", "2"]).await;
    let journal = Gate::new(10, 0);
    let core = core(&topic, &journal, &clock, &ConsumerOptions::default()).await;
    let first = tickets(&core.receive(1, Duration::ZERO).await.unwrap());
    let mut context = Context::from_waker(Waker::noop());
    let mut commit = pin!(core.commit(&first));
    assert!(commit.as_mut().poll(&mut context).is_pending());
    let second = core.receive(1, Duration::ZERO).await.unwrap();
    assert_eq!(texts(&second), ["2"]);
    assert!(commit.as_mut().poll(&mut context).is_pending());
    journal.open();
    commit.await.unwrap();
    assert_eq!(
        *journal.calls.lock(),
        ["append", "append", "append", "sync"]
    );
}

#[tokio::test]
async fn a_commit_that_is_given_up_in_its_sync_is_synced_when_it_is_made_again() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1"]).await;
    let journal = Gate::new(10, 0);
    let core = core(&topic, &journal, &clock, &ConsumerOptions::default()).await;
    let ticket = tickets(&core.receive(1, Duration::ZERO).await.unwrap());
    give_up(core.commit(&ticket));
    journal.open();
    core.commit(&ticket).await.unwrap();
    core.commit(&ticket).await.unwrap();
    assert_eq!(*journal.calls.lock(), ["append", "append", "sync"]);
}

#[tokio::test]
async fn a_failed_sync_fails_every_commit_that_waits_and_closes_the_consumer() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1", "2"]).await;
    let journal = Gate::new(10, 0);
    let core = core(&topic, &journal, &clock, &ConsumerOptions::default()).await;
    let both = tickets(&core.receive(2, Duration::ZERO).await.unwrap());
    let mut context = Context::from_waker(Waker::noop());
    let mut one = pin!(core.commit(&both[..1]));
    let mut other = pin!(core.commit(&both[1..]));
    assert!(one.as_mut().poll(&mut context).is_pending());
    assert!(other.as_mut().poll(&mut context).is_pending());
    *journal.fails.lock() = true;
    journal.open();
    for error in [one.await.unwrap_err(), other.await.unwrap_err()] {
        assert!(error.may_have_applied());
    }
    let error = core.receive(1, LEASE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_failed_write_closes_the_consumer_until_it_is_opened_again() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1"]).await;
    let journal = Gate::new(10, 10);
    let options = ConsumerOptions::default();
    let first = core(&topic, &journal, &clock, &options).await;
    let ticket = tickets(&first.receive(1, Duration::ZERO).await.unwrap());
    *journal.fails.lock() = true;
    let error = first.commit(&ticket).await.unwrap_err();
    assert!(error.may_have_applied());
    let error = first.receive(1, LEASE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    *journal.fails.lock() = false;
    let again = core(&topic, &journal, &clock, &options).await;
    again.commit(&ticket).await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_is_there_once_after_a_crash_between_its_two_steps() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["bad", "good"]).await;
    let journal = Gate::new(1, 1);
    let options = ConsumerOptions::default().with_max_deliveries(Some(1));
    let first = core(&topic, &journal, &clock, &options).await;
    assert_eq!(first.receive(1, Duration::ZERO).await.unwrap().len(), 1);
    clock.advance(LEASE);
    journal.appends.add_permits(1);
    *journal.fails.lock() = true;
    assert!(first.receive(1, Duration::ZERO).await.is_err());
    let dead = topic
        .store()
        .topic(&"orders.dead".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(dead.head().sequence.get(), 1);

    *journal.fails.lock() = false;
    journal.open();
    let again = core(&topic, &journal, &clock, &options).await;
    assert_eq!(
        texts(&again.receive(5, Duration::ZERO).await.unwrap()),
        ["good"]
    );
    assert_eq!(again.status().unwrap().dead_lettered, 1);
    assert_eq!(
        dead.read(1.into(), ReadLimit::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_power_cut_that_takes_delivery_records_leaves_their_tickets_stale() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1"]).await;
    let journal = Gate::new(10, 10);
    let options = ConsumerOptions::default();
    let first = core(&topic, &journal, &clock, &options).await;
    let durable = journal.load().await.unwrap();
    let lost = tickets(&first.receive(1, Duration::ZERO).await.unwrap());
    drop(first);
    journal.replace(durable[0].clone()).await.unwrap();
    let again = core(&topic, &journal, &clock, &options).await;
    let got = again.receive(1, Duration::ZERO).await.unwrap();
    assert_eq!(got[0].deliveries, 1);
    assert_ne!(got[0].ticket, lost[0]);
    assert_eq!(
        again.commit(&lost).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    again.commit(&tickets(&got)).await.unwrap();
    assert_eq!(
        again.commit(&lost).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
}
