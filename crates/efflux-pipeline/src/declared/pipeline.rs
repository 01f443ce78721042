//! One pipeline of a file.

use efflux_storage::Start;
use efflux_storage::particle::{ConsumerName, TopicName};
use schemars::JsonSchema;
use serde::Deserialize;

use super::connectors::{ConnectorKind, Opened};
use super::ports::{PortKind, TopicsSettings};
use super::schema::NAME;
use super::steps::{self, StepEntry};
use super::stores::Stores;
use crate::connector::IntakeMax;
use crate::limits::{BATCH_MESSAGES_MAX, IN_FLIGHT_MAX};
use crate::pipeline::{Order, Pipeline, PipelineError, PipelineOptions, Source, fault_of_steps};
use crate::policy::{Policy, Retry, Then};
use crate::quantity::{ByteSize, Period};
use crate::router::RouterSettings;
use crate::setting_fault::SettingFault;
use crate::stage::Stage;
use crate::step::Step;

/// A pipeline: where messages come from, what becomes of them, and where they go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[schemars(extend("oneOf" = [{ "required": ["port"] }, { "required": ["router"] }]))]
pub struct PipelineSettings {
    /// Where messages come from.
    #[schemars(required)]
    pub connector: Option<ConnectorKind>,
    /// What becomes of them, one step after the other.
    #[serde(default)]
    pub steps: Vec<StepEntry>,
    /// Where they go. Either this or `router`.
    pub port: Option<PortKind>,
    /// The topics that they go to. Short for `port = { topics = { router = … } }`.
    pub router: Option<RouterSettings>,
    /// How much is taken in at once.
    #[serde(default)]
    pub batch: BatchSettings,
    /// How many batches are under way at once: 1 to 64.
    #[serde(default = "PipelineSettings::in_flight")]
    #[schemars(range(min = 1, max = IN_FLIGHT_MAX))]
    pub in_flight: usize,
    /// In which order messages are delivered.
    #[serde(default)]
    pub order: OrderSetting,
    /// How many messages a second are delivered at most.
    #[schemars(range(min = 1))]
    pub rate_max: Option<u32>,
    /// How long a message of a topic is leased: 90 s when it is left out.
    #[serde(default = "PipelineSettings::lease")]
    pub lease: Period,
    /// How long what is under way may take when the pipeline is stopped: 30 s when it is left out.
    #[serde(default = "PipelineSettings::drain")]
    pub drain: Period,
    /// What follows when something fails.
    #[serde(default)]
    pub on_error: ErrorSettings,
}

/// How much is taken in at once.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct BatchSettings {
    /// Messages: 500 when it is left out, at most 65,536.
    #[schemars(range(min = 1, max = BATCH_MESSAGES_MAX))]
    pub messages: usize,
    /// Bytes of payload: 4 MiB when it is left out. A message that is larger comes alone.
    pub bytes: ByteSize,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            messages: 500,
            bytes: ByteSize(4 * 1024 * 1024),
        }
    }
}

/// In which order messages are delivered.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderSetting {
    /// Messages of one message group in order.
    #[default]
    ByGroup,
    /// All messages in the order of their source, one batch at a time.
    Strict,
    /// In any order.
    None,
}

/// What follows when something fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct ErrorSettings {
    /// How often a message that fails by itself is tried: 10 when it is left out.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// The first wait before a retry; the waits double.
    pub initial: Period,
    /// The longest wait before a retry.
    pub max: Period,
    /// How long the target may be away before the pipeline stops; without end when it is left out.
    pub outage: Option<Period>,
    /// What becomes of what is rejected or failed too often.
    pub then: ThenSetting,
    /// The dead-letter topic: `<topic>.dead` for a pipeline that reads a topic, else
    /// `<pipeline>.dead`.
    #[schemars(regex(pattern = NAME))]
    pub dead_letter: Option<String>,
    /// How long a step may take for one message: 30 s when it is left out.
    pub step_timeout: Period,
    /// How long a delivery may take: 60 s when it is left out.
    pub delivery_timeout: Period,
}

/// What becomes of what is rejected or failed too often.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThenSetting {
    /// It goes to the dead-letter topic.
    #[default]
    DeadLetter,
    /// It is left out.
    Skip,
    /// The pipeline stops.
    Stop,
}

impl Default for ErrorSettings {
    fn default() -> Self {
        let Policy {
            retry,
            step_timeout,
            delivery_timeout,
            ..
        } = Policy::default();
        Self {
            attempts: retry.attempts,
            initial: Period(retry.initial),
            max: Period(retry.max),
            outage: None,
            then: ThenSetting::DeadLetter,
            dead_letter: None,
            step_timeout: Period(step_timeout),
            delivery_timeout: Period(delivery_timeout),
        }
    }
}

impl ErrorSettings {
    fn policy(&self) -> Policy {
        Policy {
            retry: Retry {
                attempts: self.attempts,
                initial: self.initial.0,
                max: self.max.0,
                outage: self.outage.map(|outage| outage.0),
            },
            then: match self.then {
                ThenSetting::DeadLetter => Then::DeadLetter,
                ThenSetting::Skip => Then::Skip,
                ThenSetting::Stop => Then::Stop,
            },
            step_timeout: self.step_timeout.0,
            delivery_timeout: self.delivery_timeout.0,
        }
    }
}

impl PipelineSettings {
    fn in_flight() -> usize {
        PipelineOptions::default().in_flight
    }

    fn lease() -> Period {
        Period(PipelineOptions::default().lease)
    }

    fn drain() -> Period {
        Period(PipelineOptions::default().drain)
    }

    /// How it runs.
    pub(super) fn options(&self) -> PipelineOptions {
        PipelineOptions {
            batch: IntakeMax {
                messages: self.batch.messages,
                bytes: self.batch.bytes.bytes(),
            },
            in_flight: self.in_flight,
            order: match self.order {
                OrderSetting::ByGroup => Order::ByGroup,
                OrderSetting::Strict => Order::Strict,
                OrderSetting::None => Order::None,
            },
            policy: self.on_error.policy(),
            rate_max: self.rate_max,
            lease: self.lease.0,
            start: self
                .connector
                .as_ref()
                .map_or(Start::Root, ConnectorKind::start),
            drain: self.drain.0,
            ..PipelineOptions::default()
        }
    }

    /// Where it delivers.
    pub(super) fn port(&self) -> Result<PortKind, SettingFault> {
        match (&self.port, &self.router) {
            (Some(port), None) => Ok(port.clone()),
            (None, Some(router)) => Ok(PortKind::Topics(TopicsSettings {
                router: router.clone(),
                store: None,
                token: None,
            })),
            (Some(_), Some(_)) => Err(SettingFault::new(
                "the pipeline has a port and a router; a router stands inside a port of topics",
            )
            .within("router")),
            (None, None) => Err(SettingFault::lack(
                "the pipeline goes nowhere: give it a `port`, or a `router` to topics",
            )),
        }
    }

    /// The steps that it consists of.
    pub(super) fn steps(&self) -> Result<Vec<Step>, Vec<SettingFault>> {
        steps::build(&self.steps)
    }

    /// The dead-letter topic.
    fn dead_letter(&self, name: &str) -> Result<TopicName, SettingFault> {
        let told = |error| SettingFault::new(format!("{error}"));
        match (&self.on_error.dead_letter, self.topic_here()) {
            (Some(topic), _) => topic
                .parse()
                .map_err(|error| told(error).within("dead_letter").within("on_error")),
            (None, Some(topic)) => format!("{topic}.dead").parse().map_err(told),
            (None, None) => format!("{name}.dead").parse().map_err(told),
        }
    }

    /// The topic that it reads in the store beside it, if it does.
    fn topic_here(&self) -> Option<&str> {
        self.connector.as_ref()?.topic_here()
    }

    /// All that is wrong with it, as far as that can be told without asking anything outside.
    pub(super) fn faults(&self, name: &str) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if let Err(error) = name.parse::<ConsumerName>() {
            faults.push(SettingFault::new(format!(
                "{name:?} is no pipeline's name: {error}"
            )));
        }
        let of_connector = self.faults_of_connector();
        let has_source = of_connector.is_empty();
        faults.extend(of_connector);
        let (keeps_position, of_port) = self.checked_port();
        faults.extend(of_port);
        match self.steps() {
            Err(of_steps) => faults.extend(of_steps),
            Ok(steps) => {
                let fault = fault_of_steps(&steps, keeps_position);
                faults.extend(
                    fault.map(|(at, what)| SettingFault::new(what).within(at).within("steps")),
                );
            }
        }
        match self.dead_letter(name) {
            Err(fault) if has_source || self.on_error.dead_letter.is_some() => faults.push(fault),
            Ok(topic) if self.topic_here() == Some(topic.as_str()) => {
                let what = format!("the dead-letter topic {topic} is the topic that it reads");
                faults.push(SettingFault::of("dead_letter", what).within("on_error"));
            }
            _ => {}
        }
        let of_options = self.options().faults().into_iter();
        faults.extend(of_options.map(|(path, what)| {
            let fault = SettingFault::new(what);
            path.iter()
                .rev()
                .fold(fault, |fault, key| fault.within(*key))
        }));
        faults
    }

    fn faults_of_connector(&self) -> Vec<SettingFault> {
        let Some(connector) = &self.connector else {
            let what = "the pipeline has no source: give it a `connector`";
            return vec![SettingFault::lack(what)];
        };
        let within = |fault: SettingFault| fault.within(connector.key()).within("connector");
        connector.faults().into_iter().map(within).collect()
    }

    /// Whether the port keeps the position; what is wrong with it, with its place in the pipeline.
    fn checked_port(&self) -> (bool, Vec<SettingFault>) {
        let port = match self.port() {
            Ok(port) => port,
            Err(fault) => return (false, vec![fault]),
        };
        // The short form has the router where the others have the port.
        let within = |fault: SettingFault| match self.router {
            Some(_) => fault,
            None => fault.within(port.key()).within("port"),
        };
        let mut faults = self.faults_of_a_circle(&port);
        let keeps_position = port.check().unwrap_or_else(|found| {
            faults.extend(found.into_iter().map(within));
            port.may_keep_position()
        });
        let is_topic = self.connector.as_ref().is_none_or(ConnectorKind::is_topic);
        if keeps_position && !is_topic {
            let what = "this port keeps the position of a topic, and the messages come from \
                        elsewhere: bring them into a topic with one pipeline, and out of it with \
                        another";
            faults.push(within(SettingFault::new(what)));
        }
        (keeps_position, faults)
    }

    /// A pipeline that appends to the topic that it reads would never come to an end.
    fn faults_of_a_circle(&self, port: &PortKind) -> Vec<SettingFault> {
        let (PortKind::Topics(topics), Some(source)) = (port, self.topic_here()) else {
            return Vec::new();
        };
        if topics.store.is_some() {
            return Vec::new();
        }
        let here = topics.router.fixed().into_iter();
        let circles = here.filter(|(_, topic)| topic == source);
        circles
            .map(|(path, topic)| {
                let what = format!(
                    "the pipeline reads the topic {topic}: what it appends there it would read again, \
                     without end"
                );
                let fault = SettingFault::new(what);
                let fault = path.into_iter().rev().fold(fault, SettingFault::within);
                let fault = fault.within("router");
                match self.router {
                    Some(_) => fault,
                    None => fault.within("topics").within("port"),
                }
            })
            .collect()
    }

    /// The pipeline, put together; its sources in topics are opened.
    pub(super) async fn open(
        &self,
        pipeline: ConsumerName,
        stores: &Stores,
    ) -> Result<Pipeline, PipelineError> {
        let name = pipeline.as_str();
        let stopped = |stage, error| PipelineError::Stopped {
            pipeline: pipeline.clone(),
            stage,
            error,
        };
        let (Some(connector), Ok(port), Ok(steps), Ok(dead_letter)) = (
            &self.connector,
            self.port(),
            self.steps(),
            self.dead_letter(name),
        ) else {
            // What is read from a file was checked; settings from elsewhere may be wrong.
            let what = "its settings are wrong: read them with Document::read, which tells how";
            return Err(PipelineError::Invalid {
                pipeline,
                what: what.to_owned(),
            });
        };
        let port = port.open(stores).await;
        let port = port.map_err(|error| stopped(Stage::Port, error))?;
        let source = connector.open(stores).await;
        let source = match source.map_err(|error| stopped(Stage::Connector, error))? {
            Opened::Topic(topic) => Source::topic(topic),
            Opened::Connector(connector) => Source::Connector(connector),
        };
        let made = Pipeline::new(pipeline.clone(), source, port)
            .with_options(self.options())
            .with_dead_letters(stores.here().clone(), dead_letter);
        let made = steps.into_iter().fold(made, Pipeline::with_step);
        made.check()?;
        Ok(made)
    }
}
