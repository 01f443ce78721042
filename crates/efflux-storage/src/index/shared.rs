//! What all topics of an index share: the table, the thread, and who is followed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use efflux_particle::TopicName;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, watch};

use super::held::Held;
use super::topic::{State, TopicIndex};
use super::{follow, sweep, unavailable};
use crate::error::{Error, Result};
use crate::log::TopicLog;
use crate::table::{DiskTable, MemoryTable, Table};

/// What all topics of an index share.
pub(super) struct Shared {
    folder: Option<PathBuf>,
    table: Mutex<TableState>,
    epoch: AtomicU64,
    topics: Mutex<BTreeMap<TopicName, Arc<TopicIndex>>>,
    /// Topics that were deleted, whose entries are still to go.
    pub(super) forgotten: Mutex<Vec<TopicName>>,
    pub(super) sweep: Notify,
    thread: Mutex<Thread>,
    stop: watch::Sender<Stop>,
    following: watch::Sender<usize>,
    /// Terms that queries asked for.
    pub(super) held: Held,
}

/// Whether and how the thread is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stop {
    /// Not yet.
    #[default]
    No,
    /// When everything is indexed.
    Finish,
    /// At once.
    Now,
}

enum TableState {
    Closed,
    Open(Arc<dyn Table>),
    /// To be deleted as soon as nobody uses it any more.
    Broken(Option<Weak<dyn Table>>),
}

enum Thread {
    None,
    Running {
        handle: Handle,
        join: JoinHandle<()>,
    },
    Ended,
}

impl Shared {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            table: Mutex::new(TableState::Closed),
            epoch: AtomicU64::new(0),
            topics: Mutex::default(),
            forgotten: Mutex::default(),
            sweep: Notify::new(),
            thread: Mutex::new(Thread::None),
            stop: watch::Sender::default(),
            following: watch::Sender::default(),
            held: Held::default(),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The table and its epoch; opened, or made anew, when it is not open.
    pub(super) fn table(&self) -> Result<(Arc<dyn Table>, u64)> {
        let mut state = self.table.lock();
        if let TableState::Open(table) = &*state {
            return Ok((Arc::clone(table), self.epoch()));
        }
        if let TableState::Broken(old) = &*state {
            if old.as_ref().is_some_and(|old| old.strong_count() > 0) {
                return Err(unavailable("the broken index is still in use"));
            }
            if let Some(folder) = &self.folder {
                DiskTable::delete(folder)?;
            }
        }
        let table: Arc<dyn Table> = match &self.folder {
            Some(folder) => Arc::new(DiskTable::open(folder)?),
            None => Arc::new(MemoryTable::default()),
        };
        *state = TableState::Open(Arc::clone(&table));
        self.sweep.notify_one();
        Ok((table, self.epoch()))
    }

    /// Whether and how the thread is to end.
    pub(super) fn stopping(&self) -> Stop {
        *self.stop.borrow()
    }

    /// Returns when the thread is to end.
    pub(super) async fn stopped(&self) {
        let _ = self
            .stop
            .subscribe()
            .wait_for(|stop| *stop != Stop::No)
            .await;
    }

    pub(super) fn is_open(&self) -> bool {
        !matches!(&*self.table.lock(), TableState::Closed)
    }

    /// The table of this epoch is broken: nobody is to look into it any more, and it is deleted
    /// before the next one is opened.
    pub(super) fn broken(&self, epoch: u64) {
        let mut state = self.table.lock();
        if self.epoch() != epoch {
            return;
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
        let old = match std::mem::replace(&mut *state, TableState::Broken(None)) {
            TableState::Open(table) => Some(Arc::downgrade(&table)),
            _ => None,
        };
        *state = TableState::Broken(old);
        drop(state);
        for topic in self.followed() {
            let mut state = topic.state.write();
            if let State::Attached(_) = &*state {
                *state = State::Detached;
                topic.progress.send_modify(|it| it.end = 0);
            }
            drop(state);
            topic.woken.notify_one();
        }
    }

    fn followed(&self) -> Vec<Arc<TopicIndex>> {
        self.topics.lock().values().cloned().collect()
    }

    pub(super) fn follower_of(&self, name: &TopicName) -> Option<Arc<TopicIndex>> {
        self.topics.lock().get(name).cloned()
    }

    pub(super) fn follow(self: &Arc<Self>, log: Arc<dyn TopicLog>) -> Arc<TopicIndex> {
        let topic = Arc::new(TopicIndex::new(log, Arc::clone(self)));
        let name = topic.log.name().clone();
        if let Some(before) = self.topics.lock().insert(name, Arc::clone(&topic)) {
            before.retire();
        }
        match self.handle() {
            Ok(handle) => {
                let counted = Counted::new(&self.following);
                let followed = Arc::clone(&topic);
                handle.spawn(async move {
                    follow::follow(followed).await;
                    drop(counted);
                });
            }
            Err(_) => topic.progress.send_modify(|it| it.ended = true),
        }
        topic
    }

    pub(super) fn unfollow(&self, name: &TopicName) {
        if let Some(topic) = self.topics.lock().remove(name) {
            topic.retire();
        }
    }

    pub(super) fn forget(&self, name: &TopicName) {
        self.unfollow(name);
        self.forgotten.lock().push(name.clone());
        self.sweep.notify_one();
    }

    /// The thread's runtime; starts the thread when it does not run.
    fn handle(self: &Arc<Self>) -> Result<Handle> {
        let mut thread = self.thread.lock();
        match &*thread {
            Thread::Running { handle, .. } => return Ok(handle.clone()),
            Thread::Ended => return Err(Error::closed("the index is closed")),
            Thread::None => {}
        }
        let failed = |error| Error::io("starting the thread of the index", error);
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let shared = Arc::clone(self);
        let run = move || runtime.block_on(shared.run());
        let join = thread::Builder::new()
            .name("efflux-index".to_owned())
            .spawn(run);
        *thread = Thread::Running {
            handle: handle.clone(),
            join: join.map_err(failed)?,
        };
        Ok(handle)
    }

    /// What the thread does: sweeps, while the followers run beside it, until all is to end.
    async fn run(self: Arc<Self>) {
        tokio::select! {
            () = self.stopped() => {}
            () = sweep::sweep(&self) => {}
        }
        let mut following = self.following.subscribe();
        let _ = following.wait_for(|count| *count == 0).await;
        if self.stopping() == Stop::Finish {
            sweep::finish(&self);
        }
    }

    /// Whether there is a table in the folder, opened or not.
    pub(super) fn is_there(&self) -> bool {
        self.is_open() || self.folder.as_ref().is_some_and(|folder| folder.exists())
    }

    pub(super) fn close(&self, finish: bool) {
        let how = if finish { Stop::Finish } else { Stop::Now };
        self.stop.send_if_modified(|stop| {
            let first = *stop == Stop::No;
            if first {
                *stop = how;
            }
            first
        });
        let thread = std::mem::replace(&mut *self.thread.lock(), Thread::Ended);
        if let Thread::Running { join, .. } = thread
            && join.thread().id() != thread::current().id()
        {
            let _ = join.join();
        }
        let topics = std::mem::take(&mut *self.topics.lock());
        for topic in topics.into_values() {
            *topic.state.write() = State::Detached;
            topic.progress.send_modify(|it| it.ended = true);
        }
        let table = std::mem::replace(&mut *self.table.lock(), TableState::Closed);
        drop(table);
    }
}

/// One follower, counted for as long as it lives.
struct Counted {
    count: watch::Sender<usize>,
}

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self {
            count: count.clone(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}
