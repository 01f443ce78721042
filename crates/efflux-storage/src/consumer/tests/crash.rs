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

/// A journal whose appends wait to be let through, and fail when told to.
#[derive(Debug)]
struct Gate {
    kept: MemoryJournal,
    /// Records that were durable when they were answered.
    durable: Mutex<Vec<bool>>,
    passes: Semaphore,
    fails: Mutex<bool>,
}

impl Gate {
    fn new(passes: usize) -> Arc<Self> {
        let (kept, durable, fails) = (MemoryJournal::default(), Mutex::default(), Mutex::default());
        Arc::new(Self {
            kept,
            durable,
            passes: Semaphore::new(passes),
            fails,
        })
    }
}

#[async_trait]
impl Journal for Gate {
    async fn load(&self) -> Result<Vec<Vec<u8>>> {
        self.kept.load().await
    }

    async fn append(&self, record: Vec<u8>, durable: bool) -> Result<()> {
        self.passes.acquire().await.unwrap().forget();
        if *self.fails.lock() {
            return Err(Error::io("writing", io::ErrorKind::Other.into()));
        }
        self.durable.lock().push(durable);
        self.kept.append(record, durable).await
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
    let journal = Gate::new(0);
    let core = core(&topic, &journal, &clock, &ConsumerOptions::default()).await;
    give_up(core.receive(2, LEASE));
    assert_eq!(core.status().unwrap().in_flight, 0);
    journal.passes.add_permits(10);
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
    let journal = Gate::new(1);
    let options = ConsumerOptions::default();
    let first = core(&topic, &journal, &clock, &options).await;
    let both = tickets(&first.receive(2, Duration::ZERO).await.unwrap());
    give_up(first.commit(&both[..1]));
    journal.passes.add_permits(10);
    first.commit(&both[1..]).await.unwrap();
    // A commit that was made again is answered only when it is durable.
    first.commit(&both).await.unwrap();
    assert_eq!(*journal.durable.lock(), [false, true]);
    drop(first);
    let again = core(&topic, &journal, &clock, &options).await;
    assert_eq!(again.status().unwrap().lag, 0);
}

#[tokio::test]
async fn concurrent_commits_share_a_record() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["x"; 20]).await;
    let journal = Gate::new(1);
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
    journal.passes.add_permits(100);
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    assert!(
        journal.durable.lock().len() <= 4,
        "{:?}",
        journal.durable.lock()
    );
    assert_eq!(core.status().unwrap().lag, 0);
}

#[tokio::test]
async fn a_failed_write_closes_the_consumer_until_it_is_opened_again() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1"]).await;
    let journal = Gate::new(10);
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
    let journal = Gate::new(1);
    let options = ConsumerOptions::default().with_max_deliveries(Some(1));
    let first = core(&topic, &journal, &clock, &options).await;
    assert_eq!(first.receive(1, Duration::ZERO).await.unwrap().len(), 1);
    clock.advance(LEASE);
    journal.passes.add_permits(1);
    *journal.fails.lock() = true;
    assert!(first.receive(1, Duration::ZERO).await.is_err());
    let dead = topic
        .store()
        .topic(&"orders.dead".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(dead.head().sequence.get(), 1);

    *journal.fails.lock() = false;
    journal.passes.add_permits(10);
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
    let journal = Gate::new(10);
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
