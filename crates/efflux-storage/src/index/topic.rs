//! The index of one topic.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use efflux_particle::{Id, Sequence};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use super::candidates::{Candidates, Order};
use super::ids::IdHash;
use super::key::Key;
use super::place::{self, Place};
use super::run::Run;
use super::shared::Shared;
use super::{TopicNumber, damaged, unavailable};
use crate::error::{Error, Result};
use crate::log::TopicLog;
use crate::query::Query;
use crate::table::{Table, read_point_value};

/// The index of one topic.
///
/// - It is only written on the thread of the index, and only while it is not retired.
/// - What is looked up is answered from the runs that are known at that moment; a look-up holds a
///   lock for as long as it reads, so that no run is merged away under it.
pub(crate) struct TopicIndex {
    pub(super) log: Arc<dyn TopicLog>,
    pub(super) shared: Arc<Shared>,
    pub(super) state: RwLock<State>,
    /// The sequence that someone waits for, and one; 0 when nobody does.
    pub(super) wanted: Mutex<Wanted>,
    pub(super) woken: Notify,
    pub(super) progress: watch::Sender<Progress>,
    /// The sequence after the last one that look-ups ever answered for.
    pub(super) answered: AtomicU64,
    /// Nothing is written any more: the topic was forgotten or is followed by another.
    pub(super) retired: AtomicBool,
}

/// What others ask of the one who follows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// Look-ups are made: the table is to be opened.
    pub(super) open: bool,
    /// Everything through here is to be indexed soon.
    pub(super) through: Option<Sequence>,
}

/// How far following is.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// The sequence after the last one that look-ups answer for.
    pub(super) end: u64,
    /// How often following failed.
    pub(super) failures: u64,
    /// What failed last.
    pub(super) failure: Option<Arc<str>>,
    /// Following has ended for good.
    pub(super) ended: bool,
}

/// How a topic stands to the table.
#[derive(Debug)]
pub(super) enum State {
    /// Nobody asked yet.
    Dormant,
    /// Look-ups are answered.
    Attached(Attached),
    /// The table is broken, or the topic retired.
    Detached,
}

/// The topic's place in the table, and its runs.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) table: Arc<dyn Table>,
    /// Which table this is: another one comes after it was found broken.
    pub(super) epoch: u64,
    pub(super) number: TopicNumber,
    /// What the hashes of its ids begin with.
    pub(super) seed: u64,
    pub(super) runs: Vec<Run>,
}

impl Attached {
    /// The sequence after the last one that look-ups answer for.
    pub(super) fn end(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }
}

impl TopicIndex {
    pub(super) fn new(log: Arc<dyn TopicLog>, shared: Arc<Shared>) -> Self {
        Self {
            log,
            shared,
            state: RwLock::new(State::Dormant),
            wanted: Mutex::default(),
            woken: Notify::new(),
            progress: watch::Sender::default(),
            answered: AtomicU64::new(0),
            retired: AtomicBool::new(false),
        }
    }

    /// The last sequence such that look-ups answer for everything through it; none when they
    /// answer for nothing, as before the table was opened or while it is built anew.
    pub(crate) fn through(&self) -> Option<Sequence> {
        match &*self.state.read() {
            State::Attached(attached) => attached.runs.last().map(|run| run.head().sequence),
            State::Dormant | State::Detached => None,
        }
    }

    /// How many of the newest particles look-ups do not answer for yet; none when they answer for
    /// nothing.
    pub(crate) fn behind(&self) -> Option<u64> {
        let through = self.through()?;
        Some(self.log.head().sequence.past(through))
    }

    /// Makes look-ups answer for everything through this sequence, which must not be past the head.
    ///
    /// # Errors
    /// `Unavailable` when the index or the log cannot be read or written just now, `Closed` when
    /// the topic was forgotten or the index closed.
    pub(crate) async fn wait_through(&self, sequence: Sequence) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let failures = progress.borrow_and_update().failures;
        {
            let mut wanted = self.wanted.lock();
            wanted.open = true;
            wanted.through = wanted.through.max(Some(sequence));
        }
        self.woken.notify_one();
        let done = progress
            .wait_for(|it| it.end > sequence.get() || it.failures > failures || it.ended)
            .await;
        let done = done.map_err(|_| self.closed())?;
        if done.end > sequence.get() {
            return Ok(());
        }
        if done.ended {
            return Err(self.closed());
        }
        let reason = done.failure.as_deref().unwrap_or("following failed");
        Err(unavailable(&format!(
            "the index of topic {}: {reason}",
            self.log.name()
        )))
    }

    /// Lets the table be opened, so that later look-ups find it.
    pub(crate) fn open(&self) {
        self.wanted.lock().open = true;
        self.woken.notify_one();
    }

    /// Where the particle with this id may be, within [`TopicIndex::through`]. Check what is there.
    ///
    /// # Errors
    /// `Unavailable` when the index was found broken. It is then built anew; wait for it.
    pub(crate) fn id(&self, id: &Id) -> Result<Vec<Sequence>> {
        let mut places = self.places_of(id, |_| false)?;
        places.sort_unstable();
        Ok(places)
    }

    /// Where the particle with this id is, but when another has an id of the same hash. It is found
    /// in half the time of all places.
    ///
    /// # Errors
    /// As for [`TopicIndex::id`].
    pub(crate) fn likely_id(&self, id: &Id) -> Result<Option<Sequence>> {
        Ok(self.places_of(id, |found| !found.is_empty())?.pop())
    }

    /// The places that an id may have, the newest run first, until that is enough.
    fn places_of(&self, id: &Id, is_enough: fn(&[Sequence]) -> bool) -> Result<Vec<Sequence>> {
        self.answer(|attached| {
            let hash = IdHash::of(id, attached.seed);
            let mut places = Vec::new();
            let filters = place::filters(attached, &self.shared.held)?;
            let runs = attached.runs.iter().rev().zip(filters.may_have(hash));
            let runs = runs.filter(|(run, may_have)| *may_have && run.ids.may_have(id));
            for (run, _) in runs {
                let place = Place::new(attached, run, &self.shared.held);
                let offsets = place.id_in_bucket(hash)?.into_iter();
                places.extend(offsets.map(|offset| Sequence::new(run.start + u64::from(offset))));
                if is_enough(&places) {
                    break;
                }
            }
            Ok(places)
        })
    }

    /// The last particle of a group within [`TopicIndex::through`].
    ///
    /// # Errors
    /// As for [`TopicIndex::id`].
    pub(crate) fn group_last(&self, group: &str) -> Result<Option<Sequence>> {
        self.answer(|attached| {
            let Some(value) = Key::Group(attached.number, group).get(&*attached.table)? else {
                return Ok(None);
            };
            let last = read_point_value(&value).ok_or_else(damaged)?;
            Ok(Some(Sequence::new(last)))
        })
    }

    /// Walks through the places that may match a query, within what is indexed by then.
    pub(crate) fn candidates(
        self: &Arc<Self>,
        query: &Arc<Query>,
        from: Sequence,
        until: Sequence,
        order: Order,
    ) -> Candidates {
        Candidates::new(Arc::clone(self), Arc::clone(query), from, until, order)
    }

    /// Answers from the runs that are known, from none when nobody asked before. An error of the
    /// table is its end.
    pub(super) fn look_up<T: Default>(
        &self,
        answer: impl FnOnce(&Attached) -> Result<T>,
    ) -> Result<T> {
        let state = self.state.read();
        let (answered, epoch) = match &*state {
            State::Attached(attached) => (answer(attached), attached.epoch),
            State::Dormant => {
                drop(state);
                self.open();
                return Ok(T::default());
            }
            State::Detached => {
                return Err(unavailable("the index is being built anew"));
            }
        };
        drop(state);
        answered.inspect_err(|_| self.shared.broken(epoch))
    }

    /// Answers a look-up of an id or a group. While the index is built anew and has not come as far
    /// as it once was, this fails: whoever asked how far it answers just before may still rely on
    /// that.
    fn answer<T: Default>(&self, answer: impl FnOnce(&Attached) -> Result<T>) -> Result<T> {
        let answered = self.answered.load(Ordering::Acquire);
        let (is_behind, found) =
            self.look_up(|attached| Ok((attached.end() < answered, answer(attached)?)))?;
        if is_behind {
            return Err(unavailable("the index is being built anew"));
        }
        Ok(found)
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Ends following for good.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.woken.notify_one();
    }

    fn closed(&self) -> Error {
        Error::closed(format!("the index of topic {} is closed", self.log.name()))
    }
}

impl fmt::Debug for TopicIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicIndex")
            .field("topic", self.log.name())
            .field("through", &self.through())
            .finish_non_exhaustive()
    }
}
