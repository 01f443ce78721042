//! A topic's log in segment files: concurrent appends share one write and one sync.
//!
//! An append links its batch under a lock and adds it to the group that is forming. While one group
//! is written and synced, the next one forms. A worker thread does the writing; or the caller's own,
//! when that one blocks anyway and no other writes at that moment: this saves two changes of thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use efflux_particle::{Head, Linked, Particle, Sequence, TopicName};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use super::check;
use super::files::TopicFiles;
use super::open_writers::OpenWriters;
use super::recovery::recover;
use super::segments::Segments;
use super::shared::Shared;
use super::writer::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::expect::Receipt;
use crate::frames::Frames;
use crate::limits::PENDING_BYTES_MAX;
use crate::log::{Appended, Batch, ReadLimit, TopicLog};
use crate::options::{Sync, TopicOptions};
use crate::sequencer::{Sequenced, Sequencer};
use crate::verify::{Progress, Verified};
use crate::workers::Workers;

/// A topic's log in segment files, open for writing.
#[derive(Debug)]
pub(super) struct LocalLog {
    core: Arc<Core>,
}

#[derive(Debug)]
pub(super) struct Core {
    files: Arc<TopicFiles>,
    segments: Arc<Segments>,
    workers: Arc<Workers>,
    state: Mutex<State>,
    writer: Arc<Mutex<Writer>>,
    open_writers: Arc<OpenWriters>,
    head: watch::Sender<Shown>,
    /// Told when the group that was forming has been taken to be written.
    taken: Notify,
}

#[derive(Debug)]
struct State {
    sequencer: Sequencer,
    forming: Group,
    is_committing: bool,
    is_sync_due: bool,
    closed: Option<Closed>,
}

/// Why the log takes no more appends.
#[derive(Clone, Debug)]
struct Closed {
    reason: String,
    kind: ErrorKind,
}

/// What readers see.
#[derive(Clone, Copy, Debug)]
struct Shown {
    head: Head,
    is_closed: bool,
}

/// Particles that are written and synced together, and who waits for them.
#[derive(Debug, Default)]
struct Group {
    batches: Vec<Linked>,
    bytes: usize,
    head: Option<Head>,
    waiting: Vec<oneshot::Sender<Result<(), Closed>>>,
}

/// What an append does next.
enum Step {
    Wait(Vec<Receipt>, oneshot::Receiver<Result<(), Closed>>),
    /// As `Wait`, and this thread is to write the group.
    Commit(Vec<Receipt>, oneshot::Receiver<Result<(), Closed>>),
    Done(Appended),
    /// Too much is pending already.
    Full(Batch),
}

impl LocalLog {
    pub(super) fn open(
        files: Arc<TopicFiles>,
        options: TopicOptions,
        shared: &Shared,
        open_writers: Arc<OpenWriters>,
    ) -> Result<Self> {
        let recovered = recover(&files)?;
        let head = recovered.record.head;
        let segments = Arc::new(Segments::new(
            Arc::clone(&files),
            &recovered.firsts,
            Arc::clone(&shared.tables),
        ));
        let writer = Writer::open(
            Arc::clone(&files),
            Arc::clone(&segments),
            shared,
            options,
            recovered,
        )?;
        let writer = Arc::new(Mutex::new(writer));
        open_writers.add(&writer);
        let state = State {
            sequencer: Sequencer::new(head),
            forming: Group::default(),
            is_committing: false,
            is_sync_due: false,
            closed: None,
        };
        let core = Core {
            files,
            segments,
            workers: Arc::clone(&shared.workers),
            state: Mutex::new(state),
            writer,
            open_writers,
            head: watch::Sender::new(Shown {
                head,
                is_closed: false,
            }),
            taken: Notify::new(),
        };
        Ok(Self {
            core: Arc::new(core),
        })
    }
}

impl LocalLog {
    /// What writes, for as long as anything holds it.
    pub(super) fn core(&self) -> Weak<Core> {
        Arc::downgrade(&self.core)
    }
}

impl Core {
    fn refuse_closed(&self) -> Error {
        let reason = self
            .state
            .lock()
            .closed
            .as_ref()
            .map(|closed| closed.reason.clone());
        let reason = reason.unwrap_or_else(|| "the store was closed".to_owned());
        self.refuse(&Closed {
            reason,
            kind: ErrorKind::Closed,
        })
    }

    fn refuse(&self, closed: &Closed) -> Error {
        let topic = &self.files.topic;
        Error::new(
            closed.kind,
            format!("topic {topic} is closed: {}", closed.reason),
        )
    }

    /// Links a batch into the forming group, or says why not.
    fn step(self: &Arc<Self>, batch: Batch) -> Result<Step> {
        let mut state = self.state.lock();
        if let Some(closed) = &state.closed {
            let closed = Closed {
                kind: ErrorKind::Closed,
                ..closed.clone()
            };
            return Err(self.refuse(&closed));
        }
        if state.forming.bytes >= PENDING_BYTES_MAX {
            return Ok(Step::Full(batch));
        }
        let may_block = batch.may_block;
        let (linked, receipts) = match state.sequencer.append(batch)? {
            Sequenced::Linked { linked, receipts } => (linked, receipts),
            Sequenced::LookUpAgain {
                batch,
                through,
                matched_through,
            } => {
                return Ok(Step::Done(Appended::LookUpAgain {
                    batch: Box::new(batch),
                    through,
                    matched_through,
                }));
            }
        };
        if linked.is_empty() {
            let newest = receipts.iter().map(|receipt| receipt.sequence).max();
            if self.head.borrow().head.sequence >= newest.unwrap_or_default() {
                return Ok(Step::Done(Appended::Placed(receipts)));
            }
        }
        let (done, is_done) = oneshot::channel();
        state.forming.head = Some(state.sequencer.head());
        state.forming.bytes += linked.frames().len();
        state.forming.batches.push(linked);
        state.forming.waiting.push(done);
        if std::mem::replace(&mut state.is_committing, true) {
            return Ok(Step::Wait(receipts, is_done));
        }
        if may_block {
            return Ok(Step::Commit(receipts, is_done));
        }
        self.commit_aside();
        Ok(Step::Wait(receipts, is_done))
    }

    /// Waits until the group that is forming has room.
    async fn room(&self) {
        let taken = self.taken.notified();
        tokio::pin!(taken);
        // From here on no telling is missed, so that the group can be looked at.
        taken.as_mut().enable();
        let is_full = {
            let state = self.state.lock();
            state.forming.bytes >= PENDING_BYTES_MAX && state.closed.is_none()
        };
        if is_full {
            taken.await;
        }
    }

    /// Writes groups on a worker thread until none is forming.
    fn commit_aside(self: &Arc<Self>) {
        let core = Arc::clone(self);
        self.workers.submit(move || while core.commit_group() {});
    }

    /// Writes the group that this thread's append is in; what formed meanwhile is left to a worker.
    fn commit_here(self: &Arc<Self>) {
        if self.commit_group() {
            self.commit_aside();
        }
    }

    /// Writes the group that has formed; whether another one has formed meanwhile.
    fn commit_group(self: &Arc<Self>) -> bool {
        // The writer is held from before the group is taken until its end is told, so that nobody
        // writes or tells a later group first.
        let mut writer = self.writer.lock();
        let group = {
            let mut state = self.state.lock();
            if state.closed.is_some() {
                state.is_committing = false;
                return false;
            }
            std::mem::take(&mut state.forming)
        };
        self.taken.notify_waiters();
        let was_open = writer.is_open();
        match committed(&mut writer, &group) {
            Ok(()) => self.publish(group, writer.sync_policy()),
            Err(error) => self.fail(&error, group),
        }
        drop(writer);
        if !was_open {
            self.open_writers.add(&self.writer);
        }
        let mut state = self.state.lock();
        state.is_committing = !state.forming.waiting.is_empty();
        state.is_committing
    }

    fn publish(self: &Arc<Self>, group: Group, policy: Sync) {
        if let Some(head) = group.head {
            self.head.send_modify(|shown| shown.head = head);
        }
        for done in group.waiting {
            let _ = done.send(Ok(()));
        }
        let Sync::Interval(interval) = policy else {
            return;
        };
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.is_sync_due, true) {
            // Not kept alive by this: the threads that run it would be, too.
            let core = Arc::downgrade(self);
            self.workers.submit_after(interval, move || {
                if let Some(core) = core.upgrade() {
                    core.sync_interval();
                }
            });
        }
    }

    /// Makes durable what an interval's appends wrote.
    fn sync_interval(&self) {
        let mut writer = self.writer.lock();
        {
            let mut state = self.state.lock();
            state.is_sync_due = false;
            // After a failure another sync would succeed and prove nothing.
            if state.closed.is_some() {
                return;
            }
        }
        if let Err(error) = writer.sync() {
            self.fail(&error, Group::default());
        }
    }

    /// Closes the log: what the disk holds is unknown until it is opened anew.
    fn fail(&self, error: &Error, group: Group) {
        let reason = format!("{error}; open it anew to go on");
        let closed = Closed {
            reason,
            kind: error.kind(),
        };
        let forming = {
            let mut state = self.state.lock();
            state.closed.get_or_insert_with(|| closed.clone());
            state.is_committing = false;
            std::mem::take(&mut state.forming)
        };
        for done in group.waiting.into_iter().chain(forming.waiting) {
            let _ = done.send(Err(closed.clone()));
        }
        self.head.send_modify(|shown| shown.is_closed = true);
        self.taken.notify_waiters();
    }

    /// Finishes what was begun, leaves the files in good order, and takes no more appends. When this
    /// returns, nothing of this log writes any more.
    pub(super) fn close(&self) -> Result<()> {
        let reason = "the store was closed, or the topic opened anew or deleted".to_owned();
        let kind = ErrorKind::Closed;
        let mut writer = self.writer.lock();
        let group = {
            let mut state = self.state.lock();
            if let Some(before) = &state.closed {
                writer.end();
                return match before.kind {
                    ErrorKind::Closed => Ok(()),
                    _ => Err(self.refuse(before)),
                };
            }
            state.closed = Some(Closed { reason, kind });
            std::mem::take(&mut state.forming)
        };
        let finished = writer.commit(&group.batches).and_then(|()| writer.close());
        writer.end();
        if let (Ok(()), Some(head)) = (&finished, group.head) {
            self.head.send_modify(|shown| shown.head = head);
        }
        let told = finished.as_ref().map_err(|error| Closed {
            reason: error.to_string(),
            kind: error.kind(),
        });
        for done in group.waiting {
            let _ = done.send(told.clone().copied());
        }
        self.files.end();
        self.head.send_modify(|shown| shown.is_closed = true);
        self.taken.notify_waiters();
        finished
    }
}

/// Writes a group. A defect of ours must not leave those waiting who wait for it.
fn committed(writer: &mut Writer, group: &Group) -> Result<()> {
    let commit = AssertUnwindSafe(|| writer.commit(&group.batches));
    catch_unwind(commit).unwrap_or_else(|_| {
        let message = "writing stopped at a defect of this program; please report it";
        Err(Error::new(ErrorKind::Unavailable, message).with_may_have_applied())
    })
}

#[async_trait]
impl TopicLog for LocalLog {
    fn name(&self) -> &TopicName {
        &self.core.files.topic
    }

    fn head(&self) -> Head {
        self.core.head.borrow().head
    }

    async fn append(&self, batch: Batch) -> Result<Appended> {
        let mut batch = batch;
        loop {
            let (receipts, is_done) = match self.core.step(batch)? {
                Step::Done(appended) => return Ok(appended),
                Step::Full(again) => {
                    self.core.room().await;
                    batch = again;
                    continue;
                }
                Step::Commit(receipts, is_done) => {
                    self.core.commit_here();
                    (receipts, is_done)
                }
                Step::Wait(receipts, is_done) => (receipts, is_done),
            };
            return match is_done.await {
                Ok(Ok(())) => Ok(Appended::Placed(receipts)),
                Ok(Err(closed)) => Err(self.core.refuse(&closed).with_may_have_applied()),
                Err(_) => Err(Error::closed("the store was closed").with_may_have_applied()),
            };
        }
    }

    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        self.core.segments.read(from, self.head().sequence, limit)
    }

    async fn read_frames(&self, from: Sequence, limit: ReadLimit) -> Result<Frames> {
        let head = self.head().sequence;
        self.core.segments.read_frames(from, head, limit)
    }

    async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        self.core
            .segments
            .read_back(from, self.head().sequence, limit)
    }

    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>> {
        self.core
            .segments
            .read_each(sequences, self.head().sequence)
    }

    async fn wait_past(&self, sequence: Sequence) -> Result<Head> {
        let mut shown = self.core.head.subscribe();
        let is_over = |shown: &Shown| shown.head.sequence > sequence || shown.is_closed;
        match shown.wait_for(is_over).await {
            Ok(shown) if shown.head.sequence > sequence => Ok(shown.head),
            _ => Err(self.core.refuse_closed()),
        }
    }

    fn indexed_through(&self, sequence: Sequence) {
        self.core.state.lock().sequencer.indexed_through(sequence);
    }

    async fn verify(&self, progress: Progress) -> Result<Verified> {
        check::check_aside(Arc::clone(&self.core.files), progress).await
    }

    async fn close(&self) -> Result<()> {
        let core = Arc::clone(&self.core);
        let closed = self.core.workers.run(move || core.close()).await;
        closed.unwrap_or_else(|| self.core.close())
    }
}

impl Drop for LocalLog {
    /// Closes the log in good order when nobody did. Failures are found at the next opening.
    fn drop(&mut self) {
        let _ = self.core.close();
    }
}
