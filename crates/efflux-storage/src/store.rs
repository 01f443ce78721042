//! A store: topics under one URL.

mod count;
mod names;
mod open;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use efflux_particle::TopicName;
use parking_lot::Mutex;

use self::count::Count;
use self::names::Names;
use self::open::Opened;
use crate::clock::{Clock, SystemClock};
use crate::disk::{Disk, RealDisk};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::ids::IdSource;
use crate::index::Index;
use crate::log::{Backend, Restoring, TopicLog};
use crate::options::{StoreOptions, TopicOptions};
use crate::topic::{Topic, TopicState};

/// A store: topics under one URL, opened by one process for writing and by any number for reading.
///
/// Handles are cheap to clone. Dropping the last one closes the store; [`Store::close`] does so and
/// tells whether it went well.
///
/// # Examples
/// ```
/// use efflux_storage::{Store, TopicOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("file:{}", folder.path().join("data").display());
/// let store = Store::open(&url).await?;
/// let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
/// assert_eq!(store.topics().await?, ["orders".parse()?]);
/// store.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// The topics that are open.
type Topics = BTreeMap<TopicName, Arc<TopicState>>;

struct Inner {
    url: String,
    backend: Arc<dyn Backend>,
    /// The process that works on the topics, when it is another one.
    host: Option<Arc<dyn Host>>,
    ids: Arc<IdSource>,
    index: Option<Arc<Index>>,
    topics: Mutex<Topics>,
    /// Held while what they name is made, opened or deleted.
    names: Names,
    count: Count,
    is_closed: AtomicBool,
}

impl Store {
    /// Opens the store at `url` for reading and writing, and makes it when it is not there.
    ///
    /// `file:PATH` or a bare path is a folder on this machine; `mem:` is a store in memory, gone
    /// with its last handle; `http://HOST:PORT` is the store that a node hosts (feature `remote`),
    /// `https://HOST:PORT` one behind TLS (feature `remote-tls`).
    ///
    /// # Errors
    /// `Invalid` when the URL is none, the folder is no store or one of a newer version; `Conflict`
    /// when another process has it open for writing, naming that process.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, StoreOptions::default()).await
    }

    /// Tells whether a text is the URL of a store, without looking at what is there.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub fn check_url(url: &str) -> Result<()> {
        open::check(url)
    }

    /// Opens the store at `url` in the way that `options` say.
    ///
    /// # Errors
    /// As for [`Store::open`]; `NotFound` when it is not there and shall not be made.
    pub async fn open_with(url: &str, options: StoreOptions) -> Result<Self> {
        Self::open_in(url, options, Arc::new(SystemClock), Arc::new(RealDisk)).await
    }

    /// Opens a store that takes its time from `clock` and keeps its files on `disk`.
    ///
    /// # Errors
    /// As for [`Store::open_with`].
    pub async fn open_in(
        url: &str,
        options: StoreOptions,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self> {
        let ids = Arc::new(IdSource::new(clock));
        let Opened { backend, host } = open::backend(url, &options, disk, &ids).await?;
        let index = match backend.is_writable() && host.is_none() {
            true => Some(Index::new(backend.index_folder())?),
            false => None,
        };
        let topics = Mutex::default();
        Ok(Self {
            inner: Arc::new(Inner {
                url: url.to_owned(),
                backend,
                host,
                ids,
                index,
                topics,
                names: Names::default(),
                count: Count::default(),
                is_closed: AtomicBool::new(false),
            }),
        })
    }

    /// The URL the store was opened with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Whether the store was opened for writing.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.inner.backend.is_writable()
    }

    /// Where this store takes its time from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.inner.ids.clock()
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.inner.backend
    }

    /// The process that works on the topics, when it is another one.
    pub(crate) fn host(&self) -> Option<&Arc<dyn Host>> {
        self.inner.host.as_ref()
    }

    pub(crate) fn ids(&self) -> &IdSource {
        &self.inner.ids
    }

    /// Makes a topic, which holds its root from then on.
    ///
    /// # Errors
    /// `Conflict` when the name is taken, `Invalid` when an option is out of bounds or the store was
    /// opened for reading.
    pub async fn create_topic(&self, name: &TopicName, options: TopicOptions) -> Result<Topic> {
        let _name = self.inner.names.hold(name).await;
        self.refuse_closed()?;
        self.refuse_read_only("make a topic")?;
        let place = self.inner.count.place(&*self.inner.backend).await?;
        let made = self.inner.backend.create(name, &options).await;
        let is_unmade = |error: &Error| {
            let kinds = [ErrorKind::Conflict, ErrorKind::Invalid];
            kinds.contains(&error.kind())
        };
        if made.as_ref().is_err_and(|error| !is_unmade(error)) {
            // It may be there all the same.
            self.inner.count.forget();
        }
        let log = made?;
        place.take();
        self.hold(log).await
    }

    /// Begins a topic that is made of particles that were sealed before.
    pub(crate) async fn begin_restoring(
        &self,
        name: &TopicName,
        options: &TopicOptions,
    ) -> Result<Box<dyn Restoring>> {
        self.refuse_closed()?;
        self.refuse_read_only("restore a topic")?;
        drop(self.inner.count.place(&*self.inner.backend).await?);
        self.inner.backend.restore(name, options).await
    }

    /// Makes a topic of what was restored, and opens it.
    pub(crate) async fn finish_restoring(
        &self,
        name: &TopicName,
        restoring: Box<dyn Restoring>,
    ) -> Result<Topic> {
        let _name = self.inner.names.hold(name).await;
        self.refuse_closed()?;
        let _place = self.inner.count.place(&*self.inner.backend).await?;
        let finished = restoring.finish().await;
        // Counted anew the next time: when this failed, the topic may be there all the same.
        self.inner.count.forget();
        finished?;
        let log = self.inner.backend.open(name).await?;
        self.hold(log).await
    }

    /// Opens a topic.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name, `Corrupt` when its bytes are damaged so that it
    /// cannot be appended to safely.
    pub async fn topic(&self, name: &TopicName) -> Result<Topic> {
        self.refuse_closed()?;
        if let Some(state) = self.open_state(name) {
            return Ok(Topic::new(self.clone(), state));
        }
        let _name = self.inner.names.hold(name).await;
        self.refuse_closed()?;
        if let Some(state) = self.open_state(name) {
            return Ok(Topic::new(self.clone(), state));
        }
        let log = self.inner.backend.open(name).await?;
        self.hold(log).await
    }

    fn open_state(&self, name: &TopicName) -> Option<Arc<TopicState>> {
        self.inner.topics.lock().get(name).map(Arc::clone)
    }

    /// Opens a topic, and makes it with these options when it is not there.
    ///
    /// # Errors
    /// As for [`Store::topic`] and [`Store::create_topic`].
    pub async fn topic_or_create(&self, name: &TopicName, options: TopicOptions) -> Result<Topic> {
        match self.topic(name).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match self.create_topic(name, options).await {
                    Err(error) if error.kind() == ErrorKind::Conflict => self.topic(name).await,
                    made => made,
                }
            }
            opened => opened,
        }
    }

    /// Opens a topic anew after a failed write or sync closed it. Handles from before stay closed.
    ///
    /// # Errors
    /// As for [`Store::topic`].
    pub async fn reopen_topic(&self, name: &TopicName) -> Result<Topic> {
        let state = self.inner.topics.lock().remove(name);
        if let Some(state) = state {
            state.consumers().close("its topic was opened anew").await;
            if let Some(index) = &self.inner.index {
                index.unfollow(name);
            }
            // A topic that a failed write closed says so again; it is opened anew for that reason.
            let _ = state.log.close().await;
        }
        self.topic(name).await
    }

    /// The names of all topics in ascending order.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be listed.
    pub async fn topics(&self) -> Result<Vec<TopicName>> {
        self.inner.backend.list().await
    }

    /// Deletes a topic with all its particles and consumers. A crash leaves it whole or gone.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name, `Invalid` when the store was opened for reading.
    pub async fn delete_topic(&self, name: &TopicName) -> Result<()> {
        self.refuse_read_only("delete a topic")?;
        // Consumers may be about to open another topic, so they end before names are held.
        if let Some(state) = self.open_state(name) {
            state.consumers().close("its topic was deleted").await;
        }
        let _name = self.inner.names.hold(name).await;
        self.refuse_closed()?;
        let state = self.inner.topics.lock().remove(name);
        if let Some(state) = state {
            let _ = state.log.close().await;
        }
        // Counted anew the next time, because a failed deletion may have gone half the way.
        self.inner.count.forget();
        self.inner.backend.delete(name).await?;
        if let Some(index) = &self.inner.index {
            index.forget(name);
        }
        Ok(())
    }

    /// Makes everything durable and closes the store. Its topics then refuse to append.
    ///
    /// # Errors
    /// `Full`, `Unavailable` when a last write or sync fails; what was acknowledged is kept.
    pub async fn close(&self) -> Result<()> {
        self.inner.is_closed.store(true, Ordering::Release);
        // Whoever holds a name finishes, and whoever comes behind finds the store closed.
        self.inner.names.all_free().await;
        let topics = std::mem::take(&mut *self.inner.topics.lock());
        for state in topics.values() {
            state.consumers().close("the store was closed").await;
        }
        if let Some(index) = &self.inner.index {
            index.close();
        }
        let mut result = Ok(());
        for state in topics.values() {
            result = result.and(state.log.close().await);
        }
        self.inner.backend.close().await;
        result
    }

    /// Keeps an opened log with what stands upon it.
    async fn hold(&self, log: Arc<dyn TopicLog>) -> Result<Topic> {
        let name = log.name().clone();
        let state = {
            let mut topics = self.inner.topics.lock();
            self.refuse_closed().map(|()| {
                let index = self.inner.index.as_ref();
                let index = index.map(|index| index.follow(Arc::clone(&log)));
                let state = Arc::new(TopicState::new(Arc::clone(&log), index));
                topics.insert(name, Arc::clone(&state));
                state
            })
        };
        match state {
            Ok(state) => Ok(Topic::new(self.clone(), state)),
            Err(closed) => {
                let _ = log.close().await;
                Err(closed)
            }
        }
    }

    fn refuse_closed(&self) -> Result<()> {
        if self.inner.is_closed.load(Ordering::Acquire) {
            return Err(Error::closed(format!(
                "the store {} was closed",
                self.url()
            )));
        }
        Ok(())
    }

    pub(crate) fn refuse_read_only(&self, what: &str) -> Result<()> {
        if self.is_writable() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "cannot {what}: the store {} was opened for reading only",
            self.url()
        )))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(index) = &self.index {
            index.close();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}
