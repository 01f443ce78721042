//! The connectors that a file can name.

use efflux_storage::particle::TopicName;
use efflux_storage::{Start, Topic};
use schemars::JsonSchema;
use serde::Deserialize;

use super::build_fault::BuildFault;
use super::stores::Stores;
use crate::connector::Connector;
use crate::secret::Secret;
use crate::stage_error::StageError;

/// Where messages come from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConnectorKind {
    /// A topic, here or on a node.
    Topic(TopicSettings),
}

/// A topic that is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct TopicSettings {
    /// The topic.
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
pub(super) enum Source {
    Topic(Topic),
    /// What brings messages from elsewhere.
    #[expect(
        dead_code,
        reason = "the connectors of other systems come with their features"
    )]
    Connector(Box<dyn Connector>),
}

impl TopicSettings {
    fn root() -> String {
        "root".to_owned()
    }

    /// Where a pipeline begins.
    pub(super) fn start(&self) -> Result<Start, BuildFault> {
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
            BuildFault::new(what).within("start")
        })
    }
}

impl ConnectorKind {
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Topic(_) => "topic",
        }
    }

    /// Tells what is wrong with the settings, without asking anything outside.
    pub(super) fn faults(&self) -> Vec<BuildFault> {
        match self {
            Self::Topic(topic) => {
                let name = topic.name.parse::<TopicName>().err();
                let name = name.map(|error| BuildFault::new(error.to_string()).within("name"));
                name.into_iter().chain(topic.start().err()).collect()
            }
        }
    }

    /// Where a pipeline begins that reads a topic for the first time.
    pub(super) fn start(&self) -> Start {
        match self {
            Self::Topic(topic) => topic.start().unwrap_or_default(),
        }
    }

    /// The topic that it reads in the store beside it; none for any other source.
    pub(super) fn topic_here(&self) -> Option<&str> {
        match self {
            Self::Topic(topic) if topic.store.is_none() => Some(&topic.name),
            Self::Topic(_) => None,
        }
    }

    pub(super) async fn open(&self, stores: &Stores) -> Result<Source, StageError> {
        match self {
            Self::Topic(settings) => {
                let store = stores.open(settings.store.as_deref(), settings.token.as_ref());
                let name = settings.name.parse().map_err(StageError::fatal)?;
                Ok(Source::Topic(store.await?.topic(&name).await?))
            }
        }
    }
}
