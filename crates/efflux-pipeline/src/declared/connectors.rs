//! The connectors that a file can name.

use std::sync::Arc;

use efflux_storage::particle::TopicName;
use efflux_storage::{Start, Topic, TopicOptions};
use schemars::JsonSchema;
use serde::Deserialize;

use super::schema::NAME;
use super::stores::Stores;
use crate::connector::{
    Connector, FilesConnector, FilesSettings, HttpPollConnector, HttpPollSettings, MqttConnector,
    MqttConnectorSettings, RabbitMqConnector, RabbitMqConnectorSettings, StdinConnector,
    StdinSettings,
};
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;

/// Where messages come from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConnectorKind {
    /// A topic, here or on a node.
    Topic(TopicSettings),
    /// The files of a folder.
    Files(FilesSettings),
    /// A queue of RabbitMQ.
    Rabbitmq(RabbitMqConnectorSettings),
    /// Topics of an MQTT broker.
    Mqtt(MqttConnectorSettings),
    /// What an HTTP service answers.
    HttpPoll(HttpPollSettings),
    /// The standard input.
    Stdin(StdinSettings),
}

/// A topic that is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[schemars(extend("dependentRequired" = { "token": ["store"] }))]
pub struct TopicSettings {
    /// The topic. It is made when it is not there.
    #[schemars(regex(pattern = NAME))]
    pub name: String,
    /// Where a pipeline begins that reads it for the first time: `root`, `head`, a sequence or a time
    /// by RFC 3339.
    #[serde(default = "TopicSettings::root")]
    pub start: String,
    /// The store that it is in: `file:FOLDER` or `https://HOST:PORT`; the one that the pipeline runs
    /// beside when it is left out.
    pub store: Option<String>,
    /// The token for a store on a node.
    pub token: Option<Secret>,
}

/// A source that is put together.
pub(super) enum Opened {
    Topic(Topic),
    /// What brings messages from elsewhere.
    Connector(Arc<dyn Connector>),
}

impl TopicSettings {
    fn root() -> String {
        "root".to_owned()
    }

    /// Where a pipeline begins.
    pub(super) fn start(&self) -> Result<Start, SettingFault> {
        match self.start.as_str() {
            "root" => return Ok(Start::Root),
            "head" => return Ok(Start::Head),
            _ => {}
        }
        let sequence = self.start.parse().map(Start::Sequence).ok();
        let start = sequence.or_else(|| self.start.parse().map(Start::Time).ok());
        start.ok_or_else(|| {
            let what = format!(
                "{:?} is no place to begin: root, head, a sequence, or a time as in \
                 2026-01-01T00:00:00Z",
                self.start
            );
            SettingFault::new(what).within("start")
        })
    }

    fn faults(&self) -> Vec<SettingFault> {
        let name = self.name.parse::<TopicName>().err();
        let name = name.map(|error| SettingFault::new(error.to_string()).within("name"));
        let of_store = Stores::faults(self.store.as_deref(), self.token.as_ref());
        let own = name.into_iter().chain(self.start().err());
        own.chain(of_store).collect()
    }

    async fn open(&self, stores: &Stores) -> Result<Topic, StageError> {
        let store = stores.open(self.store.as_deref(), self.token.as_ref());
        let name = self.name.parse().map_err(StageError::fatal)?;
        // Another pipeline may be about to fill it.
        let store = store.await?;
        Ok(store
            .topic_or_create(&name, TopicOptions::default())
            .await?)
    }
}

impl ConnectorKind {
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Topic(_) => "topic",
            Self::Files(_) => "files",
            Self::Rabbitmq(_) => "rabbitmq",
            Self::Mqtt(_) => "mqtt",
            Self::HttpPoll(_) => "http_poll",
            Self::Stdin(_) => "stdin",
        }
    }

    /// All that is wrong with the settings, without asking anything outside.
    pub(super) fn faults(&self) -> Vec<SettingFault> {
        let faults = match self {
            Self::Topic(topic) => topic.faults(),
            Self::Files(settings) => settings.faults(),
            Self::Rabbitmq(settings) => settings.faults(),
            Self::Mqtt(settings) => settings.faults(),
            Self::HttpPoll(settings) => settings.faults(),
            Self::Stdin(_) => Vec::new(),
        };
        match faults.is_empty() {
            true => {
                let fault = self.build("").err();
                let fault = fault.map(|error| SettingFault::lack(error.reason()));
                fault.into_iter().collect()
            }
            false => faults,
        }
    }

    /// Where a pipeline begins that reads a topic for the first time.
    pub(super) fn start(&self) -> Start {
        match self {
            Self::Topic(topic) => topic.start().unwrap_or_default(),
            _ => Start::Root,
        }
    }

    /// Whether it reads a topic, wherever that is.
    pub(super) const fn is_topic(&self) -> bool {
        matches!(self, Self::Topic(_))
    }

    /// The topic that it reads in the store beside it; none for any other source.
    pub(super) fn topic_here(&self) -> Option<&str> {
        match self {
            Self::Topic(topic) if topic.store.is_none() => Some(&topic.name),
            _ => None,
        }
    }

    pub(super) async fn open(&self, stores: &Stores) -> Result<Opened, StageError> {
        if let Self::Topic(settings) = self {
            return Ok(Opened::Topic(settings.open(stores).await?));
        }
        let connector = self.build(&stores.run())?;
        connector
            .map(Opened::Connector)
            .ok_or_else(|| StageError::fatal("the connector cannot be put together"))
    }

    /// What brings messages from elsewhere; it asks nothing outside yet. None for a topic.
    fn build(&self, run: &str) -> Result<Option<Arc<dyn Connector>>, StageError> {
        Ok(Some(match self {
            Self::Topic(_) => return Ok(None),
            Self::Files(settings) => Arc::new(FilesConnector::new(settings.clone())?),
            Self::Rabbitmq(settings) => Arc::new(RabbitMqConnector::new(settings.clone())?),
            Self::Mqtt(settings) => Arc::new(MqttConnector::new(settings.clone())?),
            Self::HttpPoll(settings) => Arc::new(HttpPollConnector::new(settings.clone())?),
            Self::Stdin(settings) => {
                let input = tokio::io::stdin();
                Arc::new(StdinConnector::new(settings.clone(), run, input))
            }
        }))
    }
}
