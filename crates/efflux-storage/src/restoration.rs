//! Making a topic of particles that were sealed before.

use std::fmt;

use bytes::Bytes;
use efflux_particle::{Chain, ConsumerName, Head, Particle, Sequence, TopicName};

use crate::consumer::ConsumerState;
use crate::error::{Damage, Error, Result};
use crate::host::HostedRestoring;
use crate::log::Restoring;
use crate::options::TopicOptions;
use crate::store::Store;
use crate::topic::Topic;

/// A topic that is being made of particles that were sealed before, as a backup or an export has
/// them.
///
/// Frames go in as they are and are checked as they go: both hashes, the link, the batch. The topic
/// is not there for anyone until [`Restoration::finish`]; then it is whole, with the same head as the
/// one that the frames come from. A crash before that, or dropping it, leaves no topic.
///
/// # Examples
/// ```
/// use efflux_storage::particle::{Message, Sequence};
/// use efflux_storage::{ReadLimit, Restoration, Store, TopicOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (from, to) = (Store::open("mem:").await?, Store::open("mem:").await?);
/// let orders = from.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
/// orders.append(Message::new("first")).await?;
///
/// let mut restoration = Restoration::begin(&to, orders.name(), orders.options().await?).await?;
/// let frames = orders.read_frames(Sequence::ROOT, ReadLimit::default()).await?;
/// restoration.append(frames.bytes()).await?;
/// let restored = restoration.finish(orders.head()).await?;
/// assert_eq!(restored.head(), orders.head());
/// # Ok(())
/// # }
/// ```
pub struct Restoration {
    store: Store,
    name: TopicName,
    chain: Option<Chain>,
    consumers: Vec<(ConsumerName, ConsumerState)>,
    target: Target,
}

/// Where the topic is made.
enum Target {
    Here(Box<dyn Restoring>),
    Hosted(Box<dyn HostedRestoring>),
}

impl Restoration {
    /// Begins a topic of this name, which must be free.
    ///
    /// # Errors
    /// `Conflict` when the name is taken (a node says so with a later call), `Invalid` when an option is out of bounds or the store was
    /// opened for reading, `Full`, `Unavailable` when it cannot be written.
    pub async fn begin(store: &Store, name: &TopicName, options: TopicOptions) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            name: name.clone(),
            chain: None,
            consumers: Vec::new(),
            target: match store.host() {
                Some(host) => {
                    store.refuse_read_only("restore a topic")?;
                    Target::Hosted(host.restore(name, &options).await?)
                }
                None => Target::Here(store.begin_restoring(name, &options).await?),
            },
        })
    }

    /// The last particle so far; none before the root.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.chain.map(Chain::head)
    }

    /// Adds whole frames, one behind the other, that continue those before.
    ///
    /// # Errors
    /// `Corrupt` when a frame does not check or does not continue the chain; `Full`, `Unavailable`
    /// when writing fails. Drop the restoration then.
    pub async fn append(&mut self, frames: &Bytes) -> Result<()> {
        let mut rest = frames.clone();
        let mut particles = Vec::new();
        while !rest.is_empty() {
            let particle = self.check(&rest)?;
            rest = rest.split_off(particle.frame().len());
            particles.push(particle);
        }
        match &mut self.target {
            Target::Here(restoring) => restoring.append(&particles).await,
            Target::Hosted(restoring) => restoring.append(&particles).await,
        }
    }

    /// Adds a consumer, which stands where it stood.
    pub fn put_consumer(&mut self, name: ConsumerName, state: ConsumerState) {
        self.consumers.push((name, state));
    }

    /// Makes it a topic, at once and durably, if its last particle is the one that is expected.
    ///
    /// # Errors
    /// `Conflict` when the name was taken meanwhile; `Corrupt` when particles are missing; `Invalid`
    /// when a consumer cannot stand where it should; `Full`, `Unavailable` when writing fails.
    pub async fn finish(mut self, expected: Head) -> Result<Topic> {
        let end = self.chain.map(Chain::end).transpose();
        let end = end.map_err(|error| self.damage(error.to_string()))?;
        if end != Some(expected) {
            let found = end.map_or("nothing".to_owned(), |end| end.to_string());
            return Err(self.damage(format!("expected the head {expected}, found {found}")));
        }
        for (name, state) in &self.consumers {
            state.check(expected.sequence).map_err(|error| {
                Error::invalid(format!("consumer {name} of topic {}: {error}", self.name))
            })?;
            match &mut self.target {
                Target::Here(restoring) => restoring.put_journal(name, state.record()).await?,
                Target::Hosted(restoring) => restoring.put_consumer(name, state).await?,
            }
        }
        match self.target {
            Target::Here(restoring) => self.store.finish_restoring(&self.name, restoring).await,
            Target::Hosted(restoring) => {
                restoring.finish(expected).await?;
                self.store.topic(&self.name).await
            }
        }
    }

    fn check(&mut self, frames: &Bytes) -> Result<Particle> {
        let checked = match Particle::decode(frames) {
            Err(error) => Err(error.to_string()),
            Ok(particle) => match &mut self.chain {
                Some(chain) => chain.check_link(&particle).map(drop),
                None => Chain::root(&self.name, &particle).map(|root| self.chain = Some(root)),
            }
            .map(|()| particle)
            .map_err(|error| error.to_string()),
        };
        checked.map_err(|problem| self.damage(problem))
    }

    /// The frame behind those that were added does not continue them.
    fn damage(&self, problem: String) -> Error {
        let next = self
            .head()
            .map_or(Sequence::ROOT, |head| head.sequence.next());
        Error::corrupt(Damage {
            topic: self.name.clone(),
            file: "stream".to_owned(),
            offset: 0,
            sequence: Some(next),
            problem,
        })
    }
}

impl fmt::Debug for Restoration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restoration")
            .field("topic", &self.name)
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}
