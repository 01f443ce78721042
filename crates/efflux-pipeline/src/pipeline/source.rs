//! Where a pipeline's messages come from, and how that is opened.

use std::sync::Arc;

use efflux_storage::particle::{ConsumerName, Sequence, TopicName};
use efflux_storage::{Consumer, ConsumerOptions, ReadLimit, Store, Topic};
use tokio::time::timeout;

use super::options::{Order, PipelineOptions};
use crate::connector::Connector;
use crate::connector::TopicConnector;
use crate::connector::positioned::PositionedConnector;
use crate::counters::Counters;
use crate::port::{Kept, Port, Reader};
use crate::stage::Stage;
use crate::stage_error::StageError;

/// What the dead-letter topic of a topic is called, unless another is named.
const DEAD_LETTER_SUFFIX: &str = ".dead";
/// What the consumer that replays is called behind the pipeline's name.
const REPLAY_SUFFIX: &str = ".replay";

#[derive(Debug)]
pub(crate) enum Source {
    Connector(Arc<dyn Connector>),
    Topic(Box<Topic>),
    /// The dead letters of the pipeline with this name.
    DeadLetters(Box<Topic>, ConsumerName),
}

/// A source that is open, and what the port said.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) reader: Reader,
    pub(super) position: Kept,
    /// The sequence before the first message, when the port does not know it yet and it is not the
    /// topic's root.
    pub(super) begins: Option<u64>,
}

impl Source {
    pub(crate) fn topic(topic: Topic) -> Self {
        Self::Topic(Box::new(topic))
    }

    pub(crate) fn dead_letters(topic: Topic, pipeline: ConsumerName) -> Self {
        Self::DeadLetters(Box::new(topic), pipeline)
    }

    pub(super) fn is_topic(&self, name: &TopicName) -> bool {
        matches!(self, Self::Topic(topic) if topic.name() == name)
    }

    /// Whether what comes from it has positions that a port can keep.
    pub(super) const fn has_positions(&self) -> bool {
        matches!(self, Self::Topic(_) | Self::DeadLetters(..))
    }

    pub(super) fn dead_letter_topic(&self) -> Option<(Store, TopicName)> {
        let Self::Topic(topic) = self else {
            return None;
        };
        let name = format!("{}{DEAD_LETTER_SUFFIX}", topic.name());
        Some((topic.store().clone(), name.parse().ok()?))
    }

    /// Opens the port and the source: which way a topic is read, the port decides.
    pub(super) async fn open(
        self,
        name: &ConsumerName,
        port: &dyn Port,
        options: &PipelineOptions,
        needs_order: bool,
        counters: &Counters,
        dead_letters: Option<&(Store, TopicName)>,
    ) -> Result<Opened, (Stage, StageError)> {
        let of_source = |error: efflux_storage::Error| (Stage::Connector, StageError::from(error));
        let source = match &self {
            Self::Connector(_) => String::new(),
            Self::Topic(topic) | Self::DeadLetters(topic, _) => {
                root_of(topic).await.map_err(of_source)?
            }
        };
        let reader = Reader {
            pipeline: name.clone(),
            source,
        };
        let opened = open_port(port, &reader, options, counters).await;
        let position = opened.map_err(|error| (Stage::Port, error))?;
        let mut begins = None;
        let connector: Arc<dyn Connector> = match (self, position) {
            (Self::Connector(connector), _) => connector,
            (Self::Topic(topic), Kept::Position(done)) => {
                let begin = match done {
                    Some(done) => Sequence::new(done).next(),
                    None => {
                        let begin = begin_of(&topic, name, options).await.map_err(of_source)?;
                        let before = begin.previous().map(Sequence::get);
                        begins = before.filter(|before| *before > Sequence::ROOT.get());
                        begin
                    }
                };
                Arc::new(PositionedConnector::new(*topic, None, begin))
            }
            (Self::Topic(topic), Kept::Nothing) => {
                let settings = consumer_options(options, dead_letters, topic.name());
                let opened = Consumer::open(&topic, name, settings).await;
                let consumer = opened.map_err(of_source)?;
                if options.order == Order::Strict || needs_order {
                    let status = consumer.status().await.map_err(of_source)?;
                    let begin = status.position.max(Sequence::FIRST);
                    Arc::new(PositionedConnector::new(*topic, Some(consumer), begin))
                } else {
                    tell_of_leases(&consumer, name).await.map_err(of_source)?;
                    let connector = TopicConnector::new(consumer).await;
                    Arc::new(connector.map_err(|error| (Stage::Connector, error))?)
                }
            }
            (Self::DeadLetters(topic, pipeline), Kept::Position(done)) => {
                let begin = done.map_or(Sequence::FIRST, |done| Sequence::new(done).next());
                Arc::new(letters(*topic, None, begin, pipeline))
            }
            (Self::DeadLetters(topic, pipeline), Kept::Nothing) => {
                let consumer = format!("{pipeline}{REPLAY_SUFFIX}").parse();
                let consumer: ConsumerName =
                    consumer.map_err(|error| (Stage::Connector, StageError::fatal(error)))?;
                let settings = consumer_options(options, None, topic.name());
                let opened = Consumer::open(&topic, &consumer, settings).await;
                let consumer = opened.map_err(of_source)?;
                let status = consumer.status().await.map_err(of_source)?;
                let begin = status.position.max(Sequence::FIRST);
                Arc::new(letters(*topic, Some(consumer), begin, pipeline))
            }
        };
        Ok(Opened {
            connector,
            reader,
            position,
            begins,
        })
    }
}

/// The dead letters of a pipeline, up to the last that is there.
fn letters(
    topic: Topic,
    keeper: Option<Consumer>,
    begin: Sequence,
    pipeline: ConsumerName,
) -> PositionedConnector {
    let until = topic.head().sequence;
    PositionedConnector::new(topic, keeper, begin).returning_to(pipeline, until)
}

/// After a crash nothing seems to happen until the leases are over: that is said.
async fn tell_of_leases(
    consumer: &Consumer,
    pipeline: &ConsumerName,
) -> Result<(), efflux_storage::Error> {
    let status = consumer.status().await?;
    if status.in_flight > 0 {
        tracing::info!(
            %pipeline,
            particles = status.in_flight,
            lease = ?status.options.lease,
            "others have leased particles; should they be gone, these come when the leases are over"
        );
    }
    Ok(())
}

/// Opens a port, again and again while it is away.
async fn open_port(
    port: &dyn Port,
    reader: &Reader,
    options: &PipelineOptions,
    counters: &Counters,
) -> Result<Kept, StageError> {
    let mut outage = super::outage::Outage::new(&reader.pipeline, options);
    loop {
        let limit = options.policy.delivery_timeout;
        let opened = timeout(limit, port.open(reader)).await;
        let opened = opened.unwrap_or_else(|_| {
            let reason = format!("it did not open within {limit:?}");
            Err(StageError::unavailable(reason))
        });
        match opened {
            Err(error) if error.is_retryable() => outage.wait(error, counters).await?,
            opened => return opened,
        }
    }
}

/// The fingerprint of the topic's root, which no other topic has.
async fn root_of(topic: &Topic) -> Result<String, efflux_storage::Error> {
    let root = topic.read(Sequence::ROOT, ReadLimit::particles(1)).await?;
    let root = root.first().map(|root| root.fingerprint().to_string());
    root.ok_or_else(|| {
        efflux_storage::Error::not_found(format!("topic {} has no root", topic.name()))
    })
}

/// Where a pipeline begins whose port keeps no position yet. A consumer resolves the start and is
/// deleted, so that none stays behind that nobody moves.
async fn begin_of(
    topic: &Topic,
    name: &ConsumerName,
    options: &PipelineOptions,
) -> Result<Sequence, efflux_storage::Error> {
    if options.start == efflux_storage::Start::Root {
        return Ok(Sequence::FIRST);
    }
    let settings = ConsumerOptions::default().with_start(options.start);
    let consumer = Consumer::open(topic, name, settings).await?;
    let position = consumer.status().await?.position;
    Consumer::delete(topic, name).await?;
    Ok(position)
}

fn consumer_options(
    options: &PipelineOptions,
    dead_letters: Option<&(Store, TopicName)>,
    topic: &TopicName,
) -> ConsumerOptions {
    let most = options.batch.messages * options.in_flight;
    let settings = ConsumerOptions::default()
        .with_lease(options.lease)
        .with_max_in_flight(most.min(efflux_storage::consumer_limits::MAX_IN_FLIGHT_MAX))
        // Each stop during an outage gives everything back once more: no number of deliveries tells
        // that a message is to blame. What is to blame, the policy finds.
        .with_max_deliveries(None)
        .with_start(options.start);
    match dead_letters {
        Some((_, name)) if name != topic => settings.with_dead_letter(name.clone()),
        _ => settings,
    }
}
