//! What every command needs: the store, the way to print, and Ctrl-C.

use std::sync::Arc;

use efflux_node::particle::TopicName;
use efflux_node::storage::{Disk, ErrorKind, RealDisk, Store, StoreOptions, SystemClock, Topic};

use crate::arguments::{Command, Global};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Printer, Separator};

/// Topics that an error lists, at most.
const TOPICS_SHOWN_MAX: usize = 8;

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) interrupt: Interrupt,
}

impl Context {
    pub(crate) fn new(global: Global, command: &Command) -> Result<Self, Failure> {
        let interrupt = Interrupt::new();
        // SIGHUP asks other commands to end, and a node to read its certificate again.
        if !matches!(command, Command::Serve(_)) {
            interrupt.listen()?;
        }
        Ok(Self { global, interrupt })
    }

    /// A printer for standard output; what follows each payload is a line's end unless asked
    /// otherwise.
    pub(crate) fn printer(&self) -> Result<Printer, Failure> {
        self.printer_with("\n")
    }

    /// A printer with another text after each payload, unless asked otherwise.
    pub(crate) fn printer_with(&self, separator: &str) -> Result<Printer, Failure> {
        let separator = match &self.global.separator {
            Some(text) => Separator::parse(text)?,
            None => Separator::plain(separator),
        };
        Ok(Printer::new(self.global.output, separator))
    }

    /// Opens the store for reading; a writer may have it open.
    pub(crate) async fn open_to_read(&self) -> Result<Store, Failure> {
        self.open(StoreOptions::default().read_only()).await
    }

    /// Opens the store for writing if it is there.
    pub(crate) async fn open_to_change(&self) -> Result<Store, Failure> {
        self.open(StoreOptions::default().with_create(false)).await
    }

    /// Opens the store for writing and makes it when it is not there.
    pub(crate) async fn open_or_create(&self) -> Result<Store, Failure> {
        self.open(StoreOptions::default()).await
    }

    /// As [`Context::open_or_create`], with the store's files on this disk.
    pub(crate) async fn open_or_create_on(&self, disk: Arc<dyn Disk>) -> Result<Store, Failure> {
        self.open_on(StoreOptions::default(), disk).await
    }

    /// Opens the store so that its index can be used; when another process writes, or nothing can
    /// be written, for reading, and what is looked for is found by a scan.
    pub(crate) async fn open_to_look_up(&self, topic: &TopicName) -> Result<Topic, Failure> {
        if let Ok(store) = self.open_to_change().await
            && let Ok(topic) = store.topic(topic).await
        {
            return Ok(topic);
        }
        let store = self.open_to_read().await?;
        self.topic(&store, topic).await
    }

    async fn open(&self, options: StoreOptions) -> Result<Store, Failure> {
        self.open_on(options, Arc::new(RealDisk)).await
    }

    async fn open_on(&self, options: StoreOptions, disk: Arc<dyn Disk>) -> Result<Store, Failure> {
        let url = &self.global.store;
        let options = self.global.shown(options);
        let opened = Store::open_in(url, options, Arc::new(SystemClock), disk).await;
        opened.map_err(|error| {
            let kind = error.kind();
            let failure = Failure::from(error);
            match kind {
                ErrorKind::NotFound => failure.with_try(
                    "`efflux topic create NAME` or `efflux import NAME FILE` makes a store; \
                     --store URL or EFFLUX_STORE names another one",
                ),
                ErrorKind::Conflict => {
                    failure.with_try("wait until that process has ended; reading works meanwhile")
                }
                ErrorKind::Invalid if url.starts_with("http") => failure.with_try(
                    "--token or EFFLUX_TOKEN with a token of the node, --ca-file with whom it is \
                     believed: docs/node.md says who may do what",
                ),
                ErrorKind::Invalid => failure.with_try(
                    "--store file:PATH with an empty or new folder, or a folder that is a store",
                ),
                _ => failure,
            }
        })
    }

    /// Opens a topic, and says which ones there are when it is not there.
    pub(crate) async fn topic(&self, store: &Store, name: &TopicName) -> Result<Topic, Failure> {
        match store.topic(name).await {
            Ok(topic) => Ok(topic),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let failure = Failure::from(error).with_detail(format!("store: {}", store.url()));
                let topics = store.topics().await.unwrap_or_default();
                let shown: Vec<_> = topics
                    .iter()
                    .take(TOPICS_SHOWN_MAX)
                    .map(TopicName::as_str)
                    .collect();
                let more = if topics.len() > shown.len() {
                    ", …"
                } else {
                    ""
                };
                let failure = match topics.is_empty() {
                    true => failure.with_detail("it has no topics"),
                    false => failure.with_detail(format!("its topics: {}{more}", shown.join(", "))),
                };
                Err(failure.with_try(format!("efflux topic create {name}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the store for reading, and a topic in it.
    pub(crate) async fn topic_to_read(&self, name: &TopicName) -> Result<Topic, Failure> {
        let store = self.open_to_read().await?;
        self.topic(&store, name).await
    }
}
