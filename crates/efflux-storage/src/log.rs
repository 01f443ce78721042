//! The seam: what every backend provides, and nothing that could be built upon it.
//!
//! ```text
//!  sequence   0      1      2      3      4      5      6      7
//!           root ─ p ──── p ──── p ──── p ──── p ──── p ──── p
//!                                       │      │             │
//!                        looked_up_through     head          linked, not yet durable
//!                        (the index answers)   (readable)    (waited for)
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::{ConsumerName, Drafts, Head, Particle, Sequence, TopicName};

use crate::error::Result;
use crate::expect::{Expect, Receipt};
use crate::frames::Frames;
use crate::limits::{
    READ_BYTES_DEFAULT, READ_BYTES_MAX, READ_PARTICLES_DEFAULT, READ_PARTICLES_MAX,
};
use crate::options::TopicOptions;
use crate::verify::{Progress, Verified};

/// How much one read returns at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Particles.
    pub particles: usize,
    /// Bytes of frames; a single particle may be larger.
    pub bytes: usize,
}

impl Default for ReadLimit {
    fn default() -> Self {
        Self {
            particles: READ_PARTICLES_DEFAULT,
            bytes: READ_BYTES_DEFAULT,
        }
    }
}

impl ReadLimit {
    /// At most that many particles, and the default of bytes.
    #[must_use]
    pub fn particles(particles: usize) -> Self {
        Self {
            particles,
            ..Self::default()
        }
    }

    /// The limit, brought within [`READ_PARTICLES_MAX`] and [`READ_BYTES_MAX`].
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            particles: self.particles.min(READ_PARTICLES_MAX),
            bytes: self.bytes.min(READ_BYTES_MAX),
        }
    }
}

/// Messages to append together, and what was found out about them beforehand.
#[derive(Debug)]
pub struct Batch {
    /// The messages, encoded. Never empty.
    pub drafts: Drafts,
    /// What must hold.
    pub expect: Expect,
    /// Whether every id was made for this very append, so that none can be there already.
    pub ids_are_new: bool,
    /// Whether the thread that asks may itself write and sync: it blocks anyway until that is done.
    pub may_block: bool,
    /// What a look at the log and its index found.
    pub looked_up: LookedUp,
}

/// What a look at the log and its index found about a batch. The sequencer adds what came later.
#[derive(Clone, Debug, Default)]
pub struct LookedUp {
    /// Ids and groups were looked up in all particles through this one.
    pub through: Sequence,
    /// For each draft, the particle through there that has the same id; empty when none has one.
    pub same_id: Vec<Option<Particle>>,
    /// The last particle through there of the group that is expected about.
    pub group_last: Option<Sequence>,
    /// The query that is expected about was judged in all particles through this one.
    pub matched_through: Sequence,
    /// The first particle through there that matches it.
    pub matching: Option<Sequence>,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Appended {
    /// It is durable, as the topic's sync policy defines it: one receipt a message, in order.
    Placed(Vec<Receipt>),
    /// Nothing was appended: too much has come since the look-ups. They must be made anew, through
    /// these sequences at least.
    LookUpAgain {
        /// The batch, as it was.
        batch: Box<Batch>,
        /// For ids and groups.
        through: Sequence,
        /// For the query.
        matched_through: Sequence,
    },
}

/// The log of one topic.
///
/// 1. `append` places the whole batch or nothing, after all that was placed before, with gapless
///    sequences, each particle linked to the one before it.
/// 2. A batch that `append` answered with [`Appended::Placed`] is never lost, within what the
///    topic's sync policy promises; `head` and `read` then show it.
/// 3. `head` and `read` show no particle that could still be lost within that promise.
/// 4. `append` judges the batch's expectation and the ids against all particles before it: those
///    that were looked up, and all later ones. If it cannot, it answers
///    [`Appended::LookUpAgain`] and changes nothing.
/// 5. Other writers may append in between; the log links after them, or looks again.
/// 6. Every particle that `read` returns was checked: its bytes are those that were sealed. So was
///    every frame that `read_frames` returns.
/// 7. After a failed write or sync every `append` fails with
///    [`ErrorKind::Closed`](crate::ErrorKind::Closed) until the log is opened anew; reading goes on.
#[async_trait]
pub trait TopicLog: Send + Sync + fmt::Debug {
    /// The topic's name.
    fn name(&self) -> &TopicName;

    /// The last readable particle.
    fn head(&self) -> Head;

    /// Appends a batch.
    ///
    /// # Errors
    /// `Conflict` when the expectation does not hold or an id is taken by another payload; `Closed`,
    /// `Full`, `Unavailable` when writing fails, with `may_have_applied` where it may have been.
    async fn append(&self, batch: Batch) -> Result<Appended>;

    /// Reads upwards from `from`, itself included. Empty past the head.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes do not check, `Unavailable` when reading fails.
    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>>;

    /// Reads upwards as `read` does, and gives the frames as they stand, their metadata not looked
    /// into.
    ///
    /// # Errors
    /// As for [`TopicLog::read`].
    async fn read_frames(&self, from: Sequence, limit: ReadLimit) -> Result<Frames>;

    /// Reads downwards from `from`, itself included, or from the head when that comes first.
    ///
    /// # Errors
    /// As for [`TopicLog::read`].
    async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>>;

    /// Reads the particles at these places, which must ascend or descend and be readable.
    ///
    /// # Errors
    /// As for [`TopicLog::read`]; `NotFound` when one is not there.
    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>>;

    /// Waits until the head is past `sequence`, and returns it. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` when the log is closed meanwhile.
    async fn wait_past(&self, sequence: Sequence) -> Result<Head>;

    /// Tells the log that look-ups of ids and groups answer for all particles through this one, so
    /// that it need not remember them itself.
    fn indexed_through(&self, sequence: Sequence);

    /// Reads and checks everything that is stored, and writes nothing.
    ///
    /// # Errors
    /// `Corrupt` with the first damaged place, `Unavailable` when reading fails.
    async fn verify(&self, progress: Progress) -> Result<Verified>;

    /// Finishes what was begun and makes it durable; every later append fails with `Closed`.
    ///
    /// # Errors
    /// As for [`TopicLog::append`].
    async fn close(&self) -> Result<()>;
}

/// Where topics are kept.
#[async_trait]
pub trait Backend: Send + Sync + fmt::Debug {
    /// Makes a topic: its log, holding its root.
    ///
    /// # Errors
    /// `Conflict` when the name is taken.
    async fn create(&self, name: &TopicName, options: &TopicOptions) -> Result<Arc<dyn TopicLog>>;

    /// Opens a topic's log.
    ///
    /// # Errors
    /// `NotFound` when there is no such topic, `Corrupt` when it cannot be appended to safely.
    async fn open(&self, name: &TopicName) -> Result<Arc<dyn TopicLog>>;

    /// The options a topic was made with.
    ///
    /// # Errors
    /// `NotFound` when there is no such topic.
    async fn options(&self, name: &TopicName) -> Result<TopicOptions>;

    /// Begins a topic that is made of particles that were sealed before.
    ///
    /// # Errors
    /// `Conflict` when the name is taken.
    async fn restore(&self, name: &TopicName, options: &TopicOptions)
    -> Result<Box<dyn Restoring>>;

    /// All topics in ascending order.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be listed.
    async fn list(&self) -> Result<Vec<TopicName>>;

    /// Deletes a topic with everything in it. A crash leaves it whole or gone.
    ///
    /// # Errors
    /// `NotFound` when there is no such topic.
    async fn delete(&self, name: &TopicName) -> Result<()>;

    /// The consumers of a topic in ascending order.
    ///
    /// # Errors
    /// `NotFound` when there is no such topic.
    async fn consumers(&self, topic: &TopicName) -> Result<Vec<ConsumerName>>;

    /// Opens what is kept of a consumer, new or not.
    ///
    /// # Errors
    /// `NotFound` when there is no such topic, `Corrupt` when its bytes are damaged.
    async fn journal(&self, topic: &TopicName, consumer: &ConsumerName)
    -> Result<Arc<dyn Journal>>;

    /// Lets go of the store, so that another may open it for writing. Its logs were closed before.
    async fn close(&self);

    /// A folder for the index; none when it is to be kept in memory.
    fn index_folder(&self) -> Option<PathBuf>;

    /// Whether appending is possible: false for a store that was opened for reading.
    fn is_writable(&self) -> bool;
}

/// A topic that is being made of particles that were sealed before.
///
/// 1. Nobody sees it before `finish` has returned; then it is whole and durable, as it was sealed.
/// 2. A crash before that, or dropping it, leaves nothing that anyone sees, and what is left is
///    removed when the store is next opened for writing.
/// 3. It does not check what it is given: whoever gives it has.
#[async_trait]
pub trait Restoring: Send + fmt::Debug {
    /// Adds particles, the root first.
    ///
    /// # Errors
    /// `Full`, `Unavailable` when writing fails.
    async fn append(&mut self, particles: &[Particle]) -> Result<()>;

    /// Puts what is kept of a consumer.
    ///
    /// # Errors
    /// As for [`Restoring::append`].
    async fn put_journal(&mut self, consumer: &ConsumerName, record: Vec<u8>) -> Result<()>;

    /// Makes it a topic, at once and durably.
    ///
    /// # Errors
    /// As for [`Restoring::append`]; `Conflict` when the name was taken meanwhile.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// What is kept of one consumer: records that are added one after the other, and replaced by a
/// short summary from time to time.
///
/// 1. A record whose `append` has returned is not lost when only the process ends.
/// 2. Records whose `append` had returned when `sync` was called are never lost once it has returned.
/// 3. Records come back in the order in which they were added; a record is whole or not there.
/// 4. `replace` is all or nothing, and durable.
/// 5. What a call that was given up still does is done before anything that is asked for later.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug {
    /// All records, oldest first; none for a new consumer.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes do not check.
    async fn load(&self) -> Result<Vec<Vec<u8>>>;

    /// Adds a record. It does not wait for a sync that is under way.
    ///
    /// # Errors
    /// `Full`, `Unavailable`, `Closed` when writing fails.
    async fn append(&self, record: Vec<u8>) -> Result<()>;

    /// Makes durable what was added. Concurrent callers share one sync.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    async fn sync(&self) -> Result<()>;

    /// Puts one record, durably, in place of all there are.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    async fn replace(&self, record: Vec<u8>) -> Result<()>;

    /// Deletes everything that is kept, durably.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    async fn delete(&self) -> Result<()>;
}
