//! The ports that a file can name.

use std::sync::Arc;

use efflux_storage::{Clock, SystemClock, TopicOptions};
use schemars::JsonSchema;
use serde::Deserialize;

use super::stores::Stores;
use crate::port::{
    EmailPort, EmailPortSettings, FileLayout, FilePort, FilePortSettings, MqttPort,
    MqttPortSettings, Port, PostgresPort, PostgresPortSettings, RabbitMqPort, RabbitMqPortSettings,
    SqlitePort, SqlitePortSettings, StdoutPort, StdoutPortSettings, TopicsPort, WebhookPort,
    WebhookPortSettings,
};
use crate::router::{RouterSettings, Routes};
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;

/// Where messages leave.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PortKind {
    /// Topics, here or on a node.
    Topics(TopicsSettings),
    /// A table of a PostgreSQL database.
    Postgres(PostgresPortSettings),
    /// A table of an SQLite database.
    Sqlite(SqlitePortSettings),
    /// Files beneath a folder.
    File(FilePortSettings),
    /// An HTTP service.
    Webhook(WebhookPortSettings),
    /// Mails.
    Email(Box<EmailPortSettings>),
    /// An exchange of RabbitMQ.
    Rabbitmq(RabbitMqPortSettings),
    /// Topics of an MQTT broker.
    Mqtt(MqttPortSettings),
    /// The standard output.
    Stdout(StdoutPortSettings),
}

/// Topics that are appended to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[schemars(extend("dependentRequired" = { "token": ["store"] }))]
pub struct TopicsSettings {
    /// How the topic of a message is chosen.
    pub router: RouterSettings,
    /// The store that they are in: `file:FOLDER` or `https://HOST:PORT`; the one that the pipeline
    /// runs beside when it is left out.
    pub store: Option<String>,
    /// The token for a store on a node.
    pub token: Option<Secret>,
}

impl TopicsSettings {
    fn faults(&self) -> Vec<SettingFault> {
        let of_router = self.router.faults().into_iter();
        let of_router = of_router.map(|fault| fault.within("router"));
        let of_store = Stores::faults(self.store.as_deref(), self.token.as_ref());
        of_router.chain(of_store).collect()
    }
}

impl PortKind {
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Topics(_) => "topics",
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
            Self::File(_) => "file",
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Rabbitmq(_) => "rabbitmq",
            Self::Mqtt(_) => "mqtt",
            Self::Stdout(_) => "stdout",
        }
    }

    /// Whether it keeps the position of the topic that a pipeline reads.
    ///
    /// # Errors
    /// All that is wrong with the settings, without asking anything outside.
    pub(super) fn check(&self) -> Result<bool, Vec<SettingFault>> {
        let faults = self.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let port = self.build(&clock).map_err(|error| {
            let fault = SettingFault::lack(error.reason());
            vec![fault]
        })?;
        Ok(port.is_some_and(|port| port.keeps_position()))
    }

    /// Whether ports of this kind keep the position, whatever else is wrong with the settings.
    pub(super) fn may_keep_position(&self) -> bool {
        match self {
            Self::Postgres(_) | Self::Sqlite(_) => true,
            Self::File(settings) => settings.layout == FileLayout::Append,
            _ => false,
        }
    }

    fn faults(&self) -> Vec<SettingFault> {
        match self {
            Self::Topics(settings) => settings.faults(),
            Self::Postgres(settings) => settings.faults(),
            Self::Sqlite(settings) => settings.faults(),
            Self::File(settings) => settings.faults(),
            Self::Webhook(settings) => settings.faults(),
            Self::Email(settings) => settings.faults(),
            Self::Rabbitmq(settings) => settings.faults(),
            Self::Mqtt(settings) => settings.faults(),
            Self::Stdout(_) => Vec::new(),
        }
    }

    /// The port, which has asked nothing outside yet.
    pub(super) async fn open(&self, stores: &Stores) -> Result<Arc<dyn Port>, StageError> {
        if let Self::Topics(settings) = self {
            return topics(settings, stores).await;
        }
        self.build(stores.here().clock())?
            .ok_or_else(|| StageError::fatal("the port cannot be put together"))
    }

    /// The port; none for topics, which need their store.
    fn build(&self, clock: &Arc<dyn Clock>) -> Result<Option<Arc<dyn Port>>, StageError> {
        let clock = Arc::clone(clock);
        Ok(Some(match self {
            Self::Topics(_) => return Ok(None),
            Self::Postgres(settings) => Arc::new(PostgresPort::new(settings.clone())?),
            Self::Sqlite(settings) => Arc::new(SqlitePort::new(settings.clone())?),
            Self::File(settings) => Arc::new(FilePort::new(settings.clone(), clock)?),
            Self::Webhook(settings) => Arc::new(WebhookPort::new(settings, clock)?),
            Self::Email(settings) => Arc::new(EmailPort::new((**settings).clone())?),
            Self::Rabbitmq(settings) => Arc::new(RabbitMqPort::new(settings.clone())?),
            Self::Mqtt(settings) => Arc::new(MqttPort::new(settings.clone())?),
            Self::Stdout(settings) => Arc::new(StdoutPort::new(settings)),
        }))
    }

    /// The router, when the port is topics.
    pub(super) const fn router(&self) -> Option<&RouterSettings> {
        match self {
            Self::Topics(settings) => Some(&settings.router),
            _ => None,
        }
    }
}

async fn topics(settings: &TopicsSettings, stores: &Stores) -> Result<Arc<dyn Port>, StageError> {
    let routes = Routes::new(&settings.router).map_err(StageError::fatal)?;
    let store = stores.open(settings.store.as_deref(), settings.token.as_ref());
    let options = settings.router.make_topics.then(TopicOptions::default);
    Ok(Arc::new(TopicsPort::new(store.await?, routes, options)))
}
