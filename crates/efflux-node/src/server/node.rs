//! What all requests share: the store, its open topics and consumers, permits and metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use efflux_flow::particle::TopicName;
use efflux_flow::storage::remote::wire::{Durability, ProblemKind};
use efflux_flow::storage::{Error, ErrorKind, Result, Store, Topic, TopicOptions};
use parking_lot::RwLock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::access::Access;
use super::activity::Activity;
use super::audit::Refusals;
use super::consumers::OpenConsumers;
use super::hosting::Hosting;
use super::limits::{ADMINISTERING_TIME, LARGE_BYTES_MAX, METRIC_OPENINGS_MAX};
use super::metrics::Metrics;
use super::options::ServerOptions;
use super::patience::Patience;
use super::refusal::{Answer, Refusal};

/// Bodies are counted in pieces of this many bytes.
const BODY_UNIT_BYTES: usize = 1024;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Node {
    store: Store,
    options: ServerOptions,
    access: Access,
    /// Whether only programs of this machine reach the node, and need no token.
    is_local: bool,
    stop: watch::Receiver<bool>,
    /// Whether places are wanted by others than those that have them.
    is_hurried: watch::Sender<bool>,
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    large: Arc<Semaphore>,
    metrics: Metrics,
    refusals: Refusals,
    /// Administrative actions, which go on when their clients have gone.
    administering: Activity,
    topics: RwLock<Topics>,
    consumers: OpenConsumers,
    hosting: Option<Arc<Hosting>>,
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BODY_UNIT_BYTES)).unwrap_or(u32::MAX)
}

/// Room for a large piece of an answer, until it is dropped.
#[derive(Debug)]
pub(crate) struct Large(Option<OwnedSemaphorePermit>);

impl Large {
    /// Gives back what so many bytes do not need.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.0 {
            let spare = permit
                .num_permits()
                .saturating_sub(bytes.div_ceil(BODY_UNIT_BYTES));
            drop(permit.split(spare));
        }
    }
}

/// The topics that were asked for since the node started.
#[derive(Debug, Default)]
struct Topics {
    open: BTreeMap<TopicName, Hosted>,
    /// How many were deleted, or opened anew.
    deletions: u64,
}

impl Topics {
    /// Lets go of a topic; how many were let go of in this way.
    fn forget(&mut self, name: &TopicName) -> u64 {
        self.open.remove(name);
        self.deletions += 1;
        self.deletions
    }
}

/// Does what makes, opens or deletes a topic on a thread that may block: it writes and syncs files.
async fn blocking<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = tokio::runtime::Handle::current();
    let done = tokio::task::spawn_blocking(move || runtime.block_on(work)).await;
    done.unwrap_or_else(|error| {
        let why = format!("it was given up: {error}");
        Err(Error::new(ErrorKind::Unavailable, why).with_may_have_applied())
    })
}

/// A topic that was asked for since the node started.
#[derive(Clone, Debug)]
pub(crate) struct Hosted {
    pub(crate) topic: Topic,
    /// What an append to it survives.
    pub(crate) durability: Durability,
}

impl Node {
    pub(crate) fn new(
        store: Store,
        options: ServerOptions,
        access: Access,
        address: SocketAddr,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let is_local = address.ip().is_loopback() && !access.is_guarded();
        let requests = Arc::new(Semaphore::new(options.requests_max));
        let body_units = options.bodies_bytes_max.div_ceil(BODY_UNIT_BYTES);
        Self {
            store,
            options,
            access,
            is_local,
            stop,
            is_hurried: watch::Sender::new(false),
            requests,
            bodies: Arc::new(Semaphore::new(body_units)),
            large: Arc::new(Semaphore::new(LARGE_BYTES_MAX / BODY_UNIT_BYTES)),
            metrics: Metrics::new(),
            refusals: Refusals::default(),
            administering: Activity::new(),
            topics: RwLock::default(),
            consumers: OpenConsumers::default(),
            hosting: None,
        }
    }

    /// The node, running pipelines.
    pub(crate) fn with_hosting(mut self, hosting: Option<Hosting>) -> Self {
        self.hosting = hosting.map(Arc::new);
        self
    }

    /// The pipelines that it runs; none when its settings name no folder.
    pub(crate) const fn hosting(&self) -> Option<&Arc<Hosting>> {
        self.hosting.as_ref()
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) const fn options(&self) -> &ServerOptions {
        &self.options
    }

    pub(crate) const fn access(&self) -> &Access {
        &self.access
    }

    /// Whether only programs of this machine reach the node, and need no token.
    pub(crate) const fn is_local(&self) -> bool {
        self.is_local
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) const fn consumers(&self) -> &OpenConsumers {
        &self.consumers
    }

    pub(crate) const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Administrative actions, which go on when their clients have gone.
    pub(crate) const fn administering(&self) -> &Activity {
        &self.administering
    }

    /// Whether the node was asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when the node is asked to stop.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // Without its sender the server is gone, which is the same.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// How long a client may take nothing of its answer.
    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.options.stall_time, self.is_hurried.subscribe())
    }

    /// Clients that take nothing of their answers lose them soon.
    pub(crate) fn hurry(&self) {
        self.is_hurried.send_replace(true);
    }

    /// A request more is under way until the permit is dropped.
    pub(crate) fn admit(&self) -> Answer<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.requests).try_acquire_owned();
        // Patience ends when a quarter is left, and comes back when half is.
        let (left, most) = (self.requests.available_permits(), self.options.requests_max);
        self.is_hurried.send_if_modified(|is_hurried| {
            let is_short = self.is_stopping() || left * if *is_hurried { 2 } else { 4 } < most;
            std::mem::replace(is_hurried, is_short) != is_short
        });
        permit.map_err(|_| {
            let most = self.options.requests_max;
            Refusal::new(
                ProblemKind::Busy,
                format!("{most} requests are under way, no more are taken: try again"),
            )
        })
    }

    /// Room for so many bytes of a body, until the permit is dropped.
    pub(crate) fn hold_body(&self, bytes: usize) -> Answer<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.bodies).try_acquire_many_owned(units(bytes));
        permit.map_err(|_| {
            Refusal::new(
                ProblemKind::Busy,
                "the bodies of other requests take all the memory there is for them: try again",
            )
        })
    }

    /// Waits for room for a large piece of an answer. What it needs less is given back with
    /// [`Large::shrink`].
    pub(crate) async fn hold_large(&self, bytes: usize) -> Large {
        let units = units(bytes.min(LARGE_BYTES_MAX));
        let permit = Arc::clone(&self.large).acquire_many_owned(units).await;
        Large(permit.ok())
    }

    /// Opens a topic, or gives out the one that is open.
    pub(crate) async fn topic(&self, name: &TopicName) -> Result<Hosted> {
        let deletions = {
            let topics = self.topics.read();
            if let Some(hosted) = topics.open.get(name) {
                return Ok(hosted.clone());
            }
            topics.deletions
        };
        let (store, wanted) = (self.store.clone(), name.clone());
        let topic = blocking(async move { store.topic(&wanted).await }).await?;
        self.host(topic, deletions).await
    }

    /// Makes a topic.
    pub(crate) async fn create_topic(
        &self,
        name: &TopicName,
        options: TopicOptions,
    ) -> Result<Hosted> {
        let deletions = self.topics.read().deletions;
        let (store, name) = (self.store.clone(), name.clone());
        let topic = blocking(async move { store.create_topic(&name, options).await }).await?;
        self.host(topic, deletions).await
    }

    /// Opens a topic anew. One in memory is left as it is: no write of it fails, and what is closed
    /// there is gone.
    pub(crate) async fn reopen_topic(&self, name: &TopicName) -> Result<Hosted> {
        if self.is_in_memory() {
            return self.topic(name).await;
        }
        let (store, wanted) = (self.store.clone(), name.clone());
        let topic = blocking(async move { store.reopen_topic(&wanted).await }).await?;
        let deletions = self.topics.write().forget(name);
        self.host(topic, deletions).await
    }

    /// Deletes a topic.
    pub(crate) async fn delete_topic(&self, name: &TopicName) -> Result<()> {
        let (store, wanted) = (self.store.clone(), name.clone());
        let deleted = blocking(async move { store.delete_topic(&wanted).await }).await;
        self.topics.write().forget(name);
        deleted
    }

    fn is_in_memory(&self) -> bool {
        self.store.url() == "mem:"
    }

    /// Keeps a topic at hand, unless one was deleted since `deletions` was told: it may be this one.
    async fn host(&self, topic: Topic, deletions: u64) -> Result<Hosted> {
        let durability = match self.is_in_memory() {
            true => Durability::Memory,
            false => Durability::of(topic.options().await?.sync),
        };
        let hosted = Hosted { topic, durability };
        let mut topics = self.topics.write();
        if topics.deletions == deletions {
            let name = hosted.topic.name().clone();
            topics.open.insert(name, hosted.clone());
        }
        Ok(hosted)
    }

    /// The topics that metrics tell of: those that were asked for since the node started, and as many
    /// others as may be opened at once; at most so many.
    pub(crate) async fn measured(&self, most: usize) -> Vec<Topic> {
        let open: BTreeMap<TopicName, Topic> = {
            let topics = self.topics.read();
            let open = topics.open.iter().take(most);
            open.map(|(name, it)| (name.clone(), it.topic.clone()))
                .collect()
        };
        let mut measured: Vec<Topic> = open.values().cloned().collect();
        let room = most.saturating_sub(measured.len()).min(METRIC_OPENINGS_MAX);
        if room == 0 {
            return measured;
        }
        // One that cannot be listed or opened is told of by whoever asks for it.
        let names = self.store.topics().await.unwrap_or_default();
        let others = names.iter().filter(|name| !open.contains_key(*name));
        for name in others.take(room) {
            measured.extend(self.topic(name).await.ok().map(|hosted| hosted.topic));
        }
        measured
    }

    /// Lets go of everything and closes the store.
    pub(crate) async fn close(&self) -> Result<()> {
        let noted = tokio::time::timeout(ADMINISTERING_TIME, self.administering.rests());
        if noted.await.is_err() {
            tracing::warn!("an administrative action did not finish in time");
        }
        if let Some(hosting) = &self.hosting {
            hosting.close().await;
        }
        self.consumers.clear().await;
        self.topics.write().open.clear();
        self.store.close().await
    }
}
