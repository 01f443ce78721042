//! A topic's handle: appending, reading, following, finding.

mod append;
mod audit;
mod follow;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use efflux_particle::{Head, Id, Particle, Sequence, TopicName};

pub use self::audit::Audit;
pub use self::follow::Follower;
use crate::consumer::ConsumerRegistry;
use crate::error::{Error, Result};
use crate::find::{self, FindOptions, Finder};
use crate::frames::Frames;
use crate::index::TopicIndex;
use crate::log::{ReadLimit, TopicLog};
use crate::options::TopicOptions;
use crate::query::Query;
use crate::store::Store;
use crate::verify::{Progress, Verified};

/// A topic: one totally ordered, hash-chained stream of particles, and its index.
///
/// Handles are cheap to clone and may be used from any number of tasks. Appends of concurrent
/// callers share one write and one sync.
///
/// # Examples
/// ```
/// use efflux_storage::particle::{Message, Sequence};
/// use efflux_storage::{Query, ReadLimit, Store, TopicOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::open("mem:").await?;
/// let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
///
/// let message = Message::new("{\"total\":12}").with_data_type("order.placed");
/// let receipt = orders.append(message).await?;
/// assert_eq!(receipt.sequence, Sequence::FIRST);
///
/// let query: Query = "data_type = 'order.placed'".parse()?;
/// let found = orders.find(&query, Default::default()).await?.next_batch().await?;
/// assert_eq!(found, orders.read(Sequence::FIRST, ReadLimit::default()).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Topic {
    store: Store,
    state: Arc<TopicState>,
}

/// What all handles of a topic share.
pub(crate) struct TopicState {
    pub(crate) log: Arc<dyn TopicLog>,
    pub(crate) index: Option<Arc<TopicIndex>>,
    consumers: ConsumerRegistry,
    /// Whether an append needed the index to answer for what the log no longer remembers.
    needs_look_ups: AtomicBool,
}

impl TopicState {
    pub(crate) fn new(log: Arc<dyn TopicLog>, index: Option<Arc<TopicIndex>>) -> Self {
        Self {
            log,
            index,
            consumers: ConsumerRegistry::default(),
            needs_look_ups: AtomicBool::new(false),
        }
    }

    pub(crate) const fn consumers(&self) -> &ConsumerRegistry {
        &self.consumers
    }
}

impl Topic {
    pub(crate) const fn new(store: Store, state: Arc<TopicState>) -> Self {
        Self { store, state }
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &TopicName {
        self.state.log.name()
    }

    /// The store that the topic is in.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The last readable particle's sequence and fingerprint.
    #[must_use]
    pub fn head(&self) -> Head {
        self.state.log.head()
    }

    /// The options the topic was made with.
    ///
    /// # Errors
    /// `NotFound` when the topic was deleted meanwhile.
    pub async fn options(&self) -> Result<TopicOptions> {
        self.store.backend().options(self.name()).await
    }

    pub(crate) fn consumers(&self) -> &ConsumerRegistry {
        self.state.consumers()
    }

    pub(crate) fn log(&self) -> &dyn TopicLog {
        &*self.state.log
    }

    /// The particle at this place, none past the head.
    ///
    /// # Errors
    /// `Corrupt` when its bytes do not check, `Unavailable` when reading fails.
    pub async fn get(&self, sequence: Sequence) -> Result<Option<Particle>> {
        let read = self
            .state
            .log
            .read(sequence, ReadLimit::particles(1))
            .await?;
        Ok(read.into_iter().next())
    }

    /// The particle with this id.
    ///
    /// # Errors
    /// As for [`Topic::get`].
    pub async fn get_id(&self, id: &Id) -> Result<Option<Particle>> {
        if let Some(host) = self.store.host() {
            return host.by_id(self.name(), id).await;
        }
        find::by_id(&self.state.log, self.state.index.as_ref(), id).await
    }

    /// Reads upwards from `from`, itself included; empty past the head.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes do not check, `Unavailable` when reading fails.
    pub async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        self.state.log.read(from, limit).await
    }

    /// Reads upwards from `from`, itself included, and gives the frames as they stand; none past the
    /// head.
    ///
    /// For whoever passes particles on and looks into none, as an export or a wire does: each frame
    /// is checked as for [`Topic::read`], and nothing is decoded.
    ///
    /// # Errors
    /// As for [`Topic::read`].
    ///
    /// # Examples
    /// ```
    /// use efflux_storage::particle::{Message, Particle, Sequence};
    /// use efflux_storage::{ReadLimit, Store, TopicOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = Store::open("mem:").await?;
    /// # let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
    /// orders.append_batch(vec![Message::new("one"), Message::new("two")]).await?;
    ///
    /// let (mut export, mut from) = (Vec::new(), Sequence::ROOT);
    /// loop {
    ///     let frames = orders.read_frames(from, ReadLimit::default()).await?;
    ///     if frames.is_empty() {
    ///         break;
    ///     }
    ///     export.extend_from_slice(frames.bytes());
    ///     from = frames.next();
    /// }
    ///
    /// assert_eq!(from, Sequence::new(3));
    /// assert_eq!(Particle::decode(&export.into())?.sequence(), Sequence::ROOT);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_frames(&self, from: Sequence, limit: ReadLimit) -> Result<Frames> {
        self.state.log.read_frames(from, limit).await
    }

    /// Reads downwards from `from`, itself included; from the head when that comes first.
    ///
    /// # Errors
    /// As for [`Topic::read`].
    pub async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        self.state.log.read_back(from, limit).await
    }

    /// The last sequence that the index answers for; a find scans what stands after it.
    ///
    /// None until the index was opened, while it is built anew, and in a store that was opened for
    /// reading.
    #[must_use]
    pub fn indexed_through(&self) -> Option<Sequence> {
        self.state.index.as_ref()?.through()
    }

    /// Waits until the head is past `sequence`, and returns it. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` when the topic is closed meanwhile.
    pub async fn wait_past(&self, sequence: Sequence) -> Result<Head> {
        self.state.log.wait_past(sequence).await
    }

    /// Reads upwards from `from` and goes on with what is appended later.
    #[must_use]
    pub fn follow(&self, from: Sequence) -> Follower {
        Follower::new(Arc::clone(&self.state.log), from)
    }

    /// Finds the particles that match a query, in the order of their sequences.
    ///
    /// Everything that was appended before the call is seen.
    ///
    /// # Errors
    /// `Invalid` when the query reads `data.…`, which only pipelines can.
    pub async fn find(&self, query: &Query, options: FindOptions) -> Result<Finder> {
        refuse_data(query)?;
        if let Some(host) = self.store.host() {
            let (host, topic) = (Arc::clone(host), self.name().clone());
            return Ok(Finder::hosted(host, topic, query.clone(), options));
        }
        let (log, index) = (Arc::clone(&self.state.log), self.state.index.clone());
        Ok(Finder::new(log, index, query.clone(), options))
    }

    /// Reads upwards, behind a head that is known to be right or from the root on, and checks each
    /// particle by its hashes and its link.
    ///
    /// # Examples
    /// ```
    /// # use efflux_storage::particle::Message;
    /// # use efflux_storage::{Store, TopicOptions};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = Store::open("mem:").await?;
    /// # let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
    /// let noted_down = orders.head();
    /// orders.append_batch(vec![Message::new("one"), Message::new("two")]).await?;
    ///
    /// let mut audit = orders.audit(Some(noted_down));
    /// let mut payloads = Vec::new();
    /// loop {
    ///     let batch = audit.next_batch().await?;
    ///     if batch.is_empty() {
    ///         break;
    ///     }
    ///     payloads.extend(batch.iter().map(|particle| particle.payload()));
    /// }
    /// assert_eq!(payloads, ["one", "two"]);
    /// assert_eq!(audit.head(), Some(orders.head()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn audit(&self, after: Option<Head>) -> Audit {
        Audit::new(Arc::clone(&self.state.log), after)
    }

    /// How many of the newest particles the index has not seen yet; they are scanned by finds.
    /// None while it has seen nothing: it is only opened when it is needed, and a store that was
    /// opened for reading has none.
    #[must_use]
    pub fn index_lag(&self) -> Option<u64> {
        self.state.index.as_ref()?.behind()
    }

    /// Reads and checks everything that is stored of the topic, and writes nothing.
    ///
    /// # Errors
    /// `Corrupt` with the first damaged place: see [`Error::damage`]. `Unavailable` when reading
    /// fails.
    pub async fn verify(&self, progress: Progress) -> Result<Verified> {
        self.state.log.verify(progress).await
    }
}

fn refuse_data(query: &Query) -> Result<()> {
    if query.reads_data() {
        return Err(Error::invalid(
            "a topic is searched by metadata; `data.…` works in pipeline filters only: \
             map the field to a property when you append",
        ));
    }
    Ok(())
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("name", self.name())
            .field("head", &self.head())
            .finish()
    }
}
