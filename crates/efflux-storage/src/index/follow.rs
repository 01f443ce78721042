//! Follows the log of one topic: what is durable is read in batches and written run by run.
//!
//! Nothing happens until someone looks something up, or more is appended than is quickly scanned,
//! or what was appended is a second old: opening the table takes longer than many a process lives.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use efflux_particle::Sequence;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::attach::{Fault, attach};
use super::build::Builder;
use super::merge;
use super::shared::Stop;
use super::topic::{Attached, State, TopicIndex};
use crate::error::Error;
use crate::log::ReadLimit;

/// How long what was appended may wait before it is written as a run of its own.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Particles appended since a topic was opened, past which it is indexed at once.
const TAIL_MAX: u64 = 8192;

/// Particles that are read at a time, and their bytes: 4 MiB.
const READ: ReadLimit = ReadLimit {
    particles: 8192,
    bytes: 4 * 1024 * 1024,
};

/// How long to wait after a failure, at first and at most.
const RETRY_MIN: Duration = Duration::from_millis(10);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Follows a topic until it is retired or the index closed.
pub(super) async fn follow(topic: Arc<TopicIndex>) {
    let _ending = Ending(&topic);
    let mut retry = RETRY_MIN;
    if wait_until_needed(&topic).await {
        loop {
            let before = topic.progress.borrow().end;
            let fault = match follow_attached(&topic).await {
                Ok(()) => break,
                Err(fault) => fault,
            };
            if topic.progress.borrow().end > before {
                retry = RETRY_MIN;
            }
            let is_over = topic.is_retired() || topic.shared.stopping() != Stop::No;
            fail(&topic, fault);
            if is_over {
                break;
            }
            tokio::select! {
                () = sleep(retry) => {}
                () = topic.shared.stopped() => {}
            }
            retry = (retry * 2).min(RETRY_MAX);
        }
    }
}

/// Tells whoever waits that following has ended, however it did.
struct Ending<'a>(&'a TopicIndex);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        *self.0.state.write() = State::Detached;
        self.0.progress.send_modify(|it| it.ended = true);
    }
}

fn fail(topic: &TopicIndex, fault: Fault) {
    let error: Error = match fault {
        Fault::Retired => return,
        Fault::Log(error) | Fault::Open(error) => error,
        Fault::Table(error, epoch) => {
            topic.shared.broken(epoch);
            error
        }
    };
    topic.progress.send_modify(|it| {
        it.failures += 1;
        it.failure = Some(error.to_string().into());
    });
}

/// Waits until the table is to be opened; false when following ends before that.
async fn wait_until_needed(topic: &TopicIndex) -> bool {
    let opened_at = topic.log.head().sequence;
    let mut deadline = None;
    loop {
        if topic.is_retired() {
            return false;
        }
        let appended = topic.log.head().sequence.past(opened_at);
        if topic.wanted.lock().open || appended > TAIL_MAX {
            return true;
        }
        if appended > 0 && deadline.is_none() {
            deadline = Some(Instant::now() + AGE_MAX);
        }
        let much = opened_at.plus(TAIL_MAX);
        let past = if deadline.is_some() { much } else { opened_at };
        tokio::select! {
            () = topic.woken.notified() => {}
            () = until(deadline) => return true,
            past = topic.log.wait_past(past) => if past.is_err() {
                // Nothing more is appended. Look-ups may still come.
                tokio::select! {
                    () = topic.woken.notified() => {}
                    () = until(deadline) => return true,
                    () = topic.shared.stopped() => {}
                }
            },
            () = topic.shared.stopped() => {
                let appended = topic.log.head().sequence.past(opened_at);
                return topic.shared.stopping() == Stop::Finish
                    && (topic.shared.is_open() && appended > 0 || appended > TAIL_MAX);
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Follows until the index is closed.
async fn follow_attached(topic: &Arc<TopicIndex>) -> Result<(), Fault> {
    let attached = attach(topic).await?;
    let mut follower = Follower {
        topic,
        epoch: attached.epoch,
        builder: Builder::new(attached.number, attached.seed, attached.end()),
        since: None,
        merging: JoinSet::new(),
    };
    follower.publish(&attached);
    drop(attached);
    loop {
        follower.check()?;
        let stop_now = topic.shared.stopping();
        if stop_now == Stop::Now {
            return Ok(());
        }
        if follower.read().await? {
            if follower.builder.is_full() || follower.is_wanted() {
                follower.write()?;
                follower.merge().await?;
            }
            continue;
        }
        // All that is readable is in the builder.
        if stop_now == Stop::Finish {
            return follower.write();
        }
        if follower.is_wanted() || follower.since.is_some_and(|it| it.elapsed() >= AGE_MAX) {
            follower.write()?;
            follower.merge().await?;
            continue;
        }
        if follower.builder.is_empty() && follower.merge().await? {
            tokio::task::yield_now().await;
            continue;
        }
        let deadline = follower.since.map(|since| since + AGE_MAX);
        let last = Sequence::new(follower.builder.next().saturating_sub(1));
        tokio::select! {
            () = topic.woken.notified() => {}
            () = until(deadline) => {}
            Some(merged) = follower.merging.join_next() => follower.merged(merged)?,
            past = topic.log.wait_past(last) => if past.is_err() {
                // Nothing more is appended; what was is still to be written.
                tokio::select! {
                    () = topic.woken.notified() => {}
                    () = until(deadline) => {}
                    () = topic.shared.stopped() => {}
                }
            },
            () = topic.shared.stopped() => {}
        }
    }
}

struct Follower<'a> {
    topic: &'a Arc<TopicIndex>,
    epoch: u64,
    builder: Builder,
    /// When the oldest particle of the builder was read.
    since: Option<Instant>,
    /// A merge that takes its time, on the same thread; it ends with the follower.
    merging: JoinSet<Result<(), Fault>>,
}

impl Follower<'_> {
    /// Tells whether to go on.
    fn check(&self) -> Result<(), Fault> {
        if self.topic.is_retired() || self.topic.shared.epoch() != self.epoch {
            return Err(Fault::Retired);
        }
        Ok(())
    }

    /// Reads on; false when nothing is there.
    async fn read(&mut self) -> Result<bool, Fault> {
        let next = Sequence::new(self.builder.next());
        if self.topic.log.head().sequence < next {
            return Ok(false);
        }
        let read = self.topic.log.read(next, READ).await.map_err(Fault::Log)?;
        self.check()?;
        for particle in &read {
            if particle.sequence().get() != self.builder.next() {
                let found = particle.sequence();
                let message = format!("the log has {found} in place of {}", self.builder.next());
                return Err(Fault::Log(super::unavailable(&message)));
            }
            self.builder.push(particle);
            if self.builder.is_full() {
                self.write()?;
                self.merge().await?;
                self.check()?;
            }
        }
        if !self.builder.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
        // Others have their turn, and whoever waits on this thread too.
        tokio::task::yield_now().await;
        self.check()?;
        Ok(!read.is_empty())
    }

    /// Whether someone waits for what is in the builder, and it is there.
    fn is_wanted(&self) -> bool {
        let wanted = self.topic.wanted.lock().through;
        wanted.is_some_and(|wanted| {
            !self.builder.is_empty()
                && wanted.get() < self.builder.next()
                && wanted.get() >= self.topic.progress.borrow().end
        })
    }

    /// Writes what is in the builder.
    fn write(&mut self) -> Result<(), Fault> {
        if self.builder.is_empty() {
            return Ok(());
        }
        let attached = attached(self.topic, self.epoch)?;
        let next = Builder::new(attached.number, attached.seed, self.builder.next());
        let builder = std::mem::replace(&mut self.builder, next);
        self.since = None;
        let (run, changes) = builder.finish();
        attached
            .table
            .write(changes)
            .map_err(|error| Fault::Table(error, self.epoch))?;
        let mut state = self.topic.state.write();
        let State::Attached(attached) = &mut *state else {
            return Err(Fault::Retired);
        };
        attached.runs.push(run);
        let attached = attached.clone();
        drop(state);
        self.publish(&attached);
        Ok(())
    }

    /// Merges what is quickly merged, and begins to merge what is not, unless it has begun before;
    /// whether something was merged.
    async fn merge(&mut self) -> Result<bool, Fault> {
        while let Some(merged) = self.merging.try_join_next() {
            self.merged(merged)?;
        }
        if !self.merging.is_empty() {
            return Ok(false);
        }
        let Some(next) = merge::next(self.topic, self.epoch)? else {
            return Ok(false);
        };
        let is_small = next.is_small;
        let merge = merge::run(Arc::clone(self.topic), self.epoch, next);
        if is_small {
            merge.await?;
        } else {
            self.merging.spawn(merge);
        }
        Ok(is_small)
    }

    fn merged(&self, merged: Result<Result<(), Fault>, JoinError>) -> Result<(), Fault> {
        merged.unwrap_or_else(|error| {
            let error = super::unavailable(&format!("merging failed: {error}"));
            Err(Fault::Table(error, self.epoch))
        })
    }

    /// Tells everyone how far look-ups answer.
    fn publish(&self, attached: &Attached) {
        self.topic
            .answered
            .fetch_max(attached.end(), Ordering::AcqRel);
        if let Some(last) = attached.runs.last() {
            self.topic.log.indexed_through(last.head().sequence);
        }
        self.topic
            .progress
            .send_modify(|it| it.end = attached.end());
    }
}

/// The topic's place in the table of this epoch.
pub(super) fn attached(topic: &TopicIndex, epoch: u64) -> Result<Attached, Fault> {
    match &*topic.state.read() {
        State::Attached(attached) if attached.epoch == epoch => Ok(attached.clone()),
        _ => Err(Fault::Retired),
    }
}
