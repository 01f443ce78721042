//! A pipeline: a line from a connector through steps to a port.

mod delivery;
mod line;
mod load;
mod options;
mod outage;
mod pace;
mod run;
mod source;
#[cfg(test)]
mod tests;
mod trace;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use efflux_storage::particle::{ConsumerName, TopicName};
use efflux_storage::{Store, Topic};
use thiserror::Error;

use self::line::Line;
pub use self::options::{Order, PipelineOptions};
use self::pace::Pace;
pub(crate) use self::source::Source;
use crate::aggregate::Aggregate;
use crate::chain::Chain;
use crate::connector::Connector;
use crate::counters::Counters;
use crate::dead_letter::DeadLetters;
use crate::limits::{SLICE_BYTES, STEPS_MAX};
use crate::policy::Then;
use crate::port::Port;
use crate::stage::Stage;
use crate::stage_error::StageError;
use crate::step::{Step, StepWork};
use crate::step_name::StepName;

/// A pipeline: a line from a connector through steps to a port.
///
/// - A message is acknowledged in its source when everything that became of it is delivered, was
///   filtered out, or lies in the dead-letter topic; never before. A crash at any point loses
///   nothing: what was not acknowledged comes again, with the same ids.
/// - Messages of one message group are delivered in order.
/// - A port that keeps the position gets each effect exactly once.
/// - Memory is bounded by what is under way: `in_flight` intakes, and what they become.
///
/// ```
/// use efflux_pipeline::particle::Message;
/// use efflux_pipeline::storage::{Store, TopicOptions};
/// use efflux_pipeline::{Pipeline, PipelineOptions, QueryFilter, Step, TopicsPort};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::open("mem:").await?;
/// let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
/// orders.append(Message::new("{\"total\":120}")).await?;
/// orders.append(Message::new("{\"total\":7}")).await?;
///
/// let large = QueryFilter::new("data.total > 100".parse()?);
/// let into = "large-orders".parse::<efflux_pipeline::particle::TopicName>()?;
/// let port = TopicsPort::new(store.clone(), into.clone(), Some(TopicOptions::default()));
/// let options = PipelineOptions {
///     ends_when_idle: Some(std::time::Duration::from_millis(100)),
///     ..PipelineOptions::default()
/// };
/// let pipeline = Pipeline::from_topic("large".parse()?, orders, port)
///     .with_step(Step::filter("large".parse()?, large))
///     .with_options(options);
/// let counters = pipeline.counters();
/// pipeline.run(std::future::pending()).await?;
///
/// assert_eq!(counters.counts().filtered, 1);
/// assert_eq!(store.topic(&into).await?.head().sequence.get(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pipeline {
    name: ConsumerName,
    source: Source,
    steps: Vec<Step>,
    port: Arc<dyn Port>,
    options: PipelineOptions,
    dead_letters: Option<(Store, TopicName)>,
    counters: Arc<Counters>,
}

/// Why a pipeline cannot run, or cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// It is put together wrongly. Nothing was done.
    #[error("pipeline {pipeline}: {what}")]
    Invalid {
        /// The pipeline.
        pipeline: ConsumerName,
        /// What is wrong.
        what: String,
    },
    /// It stopped. What was not delivered stays in its source.
    #[error("pipeline {pipeline} stopped at its {stage}: {error}")]
    Stopped {
        /// The pipeline.
        pipeline: ConsumerName,
        /// Where it stopped.
        stage: Stage,
        /// Why.
        #[source]
        error: StageError,
    },
}

impl PipelineError {
    /// Whether the same pipeline may run when it is put together again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Invalid { .. } => false,
            Self::Stopped { error, .. } => error.is_retryable(),
        }
    }
}

impl Pipeline {
    /// A pipeline that brings messages in from elsewhere.
    #[must_use]
    pub fn from_connector(
        name: ConsumerName,
        connector: impl Connector + 'static,
        port: impl Port + 'static,
    ) -> Self {
        Self::new(name, Source::Connector(Arc::new(connector)), Arc::new(port))
    }

    /// A pipeline that takes messages out of a topic, as the consumer of the pipeline's name.
    ///
    /// What fails goes to the topic `<topic>.dead`, unless another one is named.
    #[must_use]
    pub fn from_topic(name: ConsumerName, topic: Topic, port: impl Port + 'static) -> Self {
        Self::new(name, Source::topic(topic), Arc::new(port))
    }

    /// A pipeline from a topic whose dead letters of the pipeline `of` go into it again.
    pub(crate) fn new(name: ConsumerName, source: Source, port: Arc<dyn Port>) -> Self {
        Self {
            name,
            source,
            steps: Vec::new(),
            port,
            options: PipelineOptions::default(),
            dead_letters: None,
            counters: Arc::default(),
        }
    }

    /// Adds a step behind the others.
    #[must_use]
    pub fn with_step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Sets how it runs.
    #[must_use]
    pub fn with_options(mut self, options: PipelineOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets where messages go that fail for good.
    #[must_use]
    pub fn with_dead_letters(mut self, store: Store, topic: TopicName) -> Self {
        self.dead_letters = Some((store, topic));
        self
    }

    /// The same pipeline, fed with its own dead letters: each goes on with the stage that failed, and
    /// is committed in the dead-letter topic when it is delivered. It ends when there are no more,
    /// unless the options say otherwise.
    ///
    /// # Errors
    /// `Invalid` when the pipeline has no dead-letter topic; `Stopped` when that cannot be opened.
    pub async fn replaying(mut self) -> Result<Self, PipelineError> {
        let Some((store, name)) = self.dead_letter_topic() else {
            return Err(
                self.invalid("it has no dead-letter topic, so that nothing can be replayed")
            );
        };
        let opened = store.topic(&name).await;
        let topic = opened.map_err(|error| self.stopped(Stage::Connector, error.into()))?;
        self.source = Source::dead_letters(topic, self.name.clone());
        self.dead_letters = Some((store, name));
        Ok(self)
    }

    /// What it has done so far; to be read while it runs.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// How it runs.
    #[must_use]
    pub const fn options(&self) -> &PipelineOptions {
        &self.options
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ConsumerName {
        &self.name
    }

    /// Tells whether it is put together rightly.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong.
    pub fn check(&self) -> Result<(), PipelineError> {
        if let Some((_, what)) = self.options.faults().into_iter().next() {
            return Err(self.invalid(what));
        }
        if let Some((_, what)) = fault_of_steps(&self.steps, self.port.keeps_position()) {
            return Err(self.invalid(what));
        }
        let needs_letters = self.options.policy.then == Then::DeadLetter;
        match self.dead_letter_topic() {
            None if needs_letters => Err(self.invalid(
                "it has no dead-letter topic: name one, or say that what fails is skipped, or stops \
                 the pipeline",
            )),
            Some((_, name)) if self.source.is_topic(&name) => Err(self.invalid(format!(
                "its dead-letter topic {name} is the topic that it reads"
            ))),
            _ if self.port.keeps_position() && !self.source.has_positions() => Err(self.invalid(
                "its port keeps the position, which only messages of a topic have: bring them into \
                 a topic first",
            )),
            _ => Ok(()),
        }
    }

    /// Runs until the source ends, `until` is ready, or it cannot go on.
    ///
    /// When `until` is ready, nothing more is taken from the source; what is under way is delivered,
    /// as far as that goes within the time that the options give it. It runs on a tokio runtime with
    /// time enabled, whose blocking threads do the steps.
    ///
    /// # Errors
    /// [`PipelineError`]. What was not delivered stays in the source.
    pub async fn run(self, until: impl Future<Output = ()> + Send) -> Result<(), PipelineError> {
        self.check()?;
        let name = self.name.clone();
        let mut until = pin!(until);
        // A target that is away at the beginning is waited for, and no longer than it is wanted.
        let line = tokio::select! {
            biased;
            line = self.line() => line,
            () = &mut until => return Ok(()),
        };
        let ran = match line {
            Ok(line) => run::run(&line, until).await,
            Err(stopped) => Err(stopped),
        };
        ran.map_err(|(stage, error)| PipelineError::Stopped {
            pipeline: name,
            stage,
            error,
        })
    }

    async fn line(self) -> Result<Line, (Stage, StageError)> {
        let dead_letters = self.dead_letter_topic();
        let needs_order = self.steps.iter().any(Step::needs_order);
        let opened = self
            .source
            .open(
                &self.name,
                &*self.port,
                &self.options,
                needs_order,
                &self.counters,
                dead_letters.as_ref(),
            )
            .await?;
        let policy = self.options.policy;
        let (before, gather, behind) = parted(self.steps);
        let names = |steps: &[Step]| steps.iter().map(|step| step.name.clone()).collect();
        let (before_names, behind_names): (Vec<StepName>, Vec<StepName>) =
            (names(&before), names(&behind));
        let gather_name = gather.iter().map(|(name, _)| name.clone());
        let before_and_gather = before_names.into_iter().chain(gather_name).collect();
        let letters =
            dead_letters.map(|(store, topic)| DeadLetters::new(store, topic, self.name.clone()));
        Ok(Line {
            before: Chain::new(before, policy)
                .between(Vec::new(), behind_names)
                .in_slices_of(self.options.batch.bytes.max(SLICE_BYTES)),
            gather,
            behind: Chain::new(behind, policy).between(before_and_gather, Vec::new()),
            name: self.name,
            connector: opened.connector,
            reader: opened.reader,
            position: opened.position,
            begins: opened.begins,
            pace: self.options.rate_max.map(Pace::new),
            port: self.port,
            options: self.options,
            dead_letters: letters,
            counters: self.counters,
        })
    }

    fn dead_letter_topic(&self) -> Option<(Store, TopicName)> {
        self.dead_letters
            .clone()
            .or_else(|| self.source.dead_letter_topic())
    }

    fn invalid(&self, what: impl Into<String>) -> PipelineError {
        PipelineError::Invalid {
            pipeline: self.name.clone(),
            what: what.into(),
        }
    }

    fn stopped(&self, stage: Stage, error: StageError) -> PipelineError {
        PipelineError::Stopped {
            pipeline: self.name.clone(),
            stage,
            error,
        }
    }
}

/// What is wrong with steps before a port of this kind: the place of the step that is one too many,
/// and why.
pub(crate) fn fault_of_steps(steps: &[Step], port_keeps_position: bool) -> Option<(usize, String)> {
    if let Some(what) = too_many_steps(steps.len()) {
        return Some((STEPS_MAX, what));
    }
    for (at, step) in steps.iter().enumerate() {
        let before = steps.iter().take(at);
        if before.clone().any(|other| other.name == step.name) {
            let what = format!("two of its steps are called {}", step.name);
            return Some((at, what));
        }
        let is_aggregate = |step: &Step| matches!(step.work, StepWork::Aggregate(_));
        if !is_aggregate(step) {
            continue;
        }
        if before.clone().any(is_aggregate) {
            let what = "it has two aggregates: put a topic between them";
            return Some((at, what.to_owned()));
        }
        if port_keeps_position {
            let what = "an aggregate cannot go to a port that keeps the position, because the parts \
                        of one aggregate may be delivered at different times: put a topic between \
                        them";
            return Some((at, what.to_owned()));
        }
    }
    None
}

/// What is wrong with that many steps.
pub(crate) fn too_many_steps(count: usize) -> Option<String> {
    let is_wrong = count > STEPS_MAX;
    is_wrong.then(|| format!("it has {count} steps, at most {STEPS_MAX} are allowed"))
}

type Parted = (Vec<Step>, Option<(StepName, Aggregate)>, Vec<Step>);

/// The steps before the aggregate, the aggregate, and those behind it.
fn parted(steps: Vec<Step>) -> Parted {
    let (mut before, mut gather, mut behind) = (Vec::new(), None, Vec::new());
    for step in steps {
        match step.work {
            StepWork::Aggregate(aggregate) => gather = Some((step.name, aggregate)),
            _ if gather.is_some() => behind.push(step),
            _ => before.push(step),
        }
    }
    (before, gather, behind)
}
