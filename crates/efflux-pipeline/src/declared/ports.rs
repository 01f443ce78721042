//! The ports that a file can name.

use std::sync::Arc;

use efflux_storage::TopicOptions;
use schemars::JsonSchema;
use serde::Deserialize;

use super::build_fault::BuildFault;
use super::stores::Stores;
use crate::port::{Port, TopicsPort};
use crate::router::{RouterSettings, Routes};
use crate::secret::Secret;
use crate::stage_error::StageError;

/// Where messages leave.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PortKind {
    /// Topics, here or on a node.
    Topics(TopicsSettings),
}

/// Topics that are appended to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct TopicsSettings {
    /// How the topic of a message is chosen.
    pub router: RouterSettings,
    /// The store that they are in: `file:FOLDER` or `https://HOST:PORT`; the one that the pipeline
    /// runs beside when it is left out.
    pub store: Option<String>,
    /// The token for a store on a node.
    pub token: Option<Secret>,
}

impl PortKind {
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Topics(_) => "topics",
        }
    }

    /// Tells what is wrong with the settings, without asking anything outside.
    pub(super) fn check(&self) -> Result<(), BuildFault> {
        match self {
            Self::Topics(settings) => {
                let routes = Routes::new(&settings.router);
                routes.map_err(|what| BuildFault::new(what).within("router"))?;
                Ok(())
            }
        }
    }

    /// The port, which has asked nothing outside yet.
    pub(super) async fn open(&self, stores: &Stores) -> Result<Arc<dyn Port>, StageError> {
        match self {
            Self::Topics(settings) => topics(settings, stores).await,
        }
    }

    /// The router, when the port is topics.
    pub(super) const fn router(&self) -> Option<&RouterSettings> {
        match self {
            Self::Topics(settings) => Some(&settings.router),
        }
    }
}

async fn topics(settings: &TopicsSettings, stores: &Stores) -> Result<Arc<dyn Port>, StageError> {
    let routes = Routes::new(&settings.router).map_err(StageError::fatal)?;
    let store = stores.open(settings.store.as_deref(), settings.token.as_ref());
    let options = settings.router.make_topics.then(TopicOptions::default);
    Ok(Arc::new(TopicsPort::new(store.await?, routes, options)))
}
