//! Topics and heads as they are told.

use serde::{Deserialize, Serialize};

use super::time::{parse_sync, print_sync};
use crate::error::Result;
use crate::limits::SEGMENT_BYTES_DEFAULT;
use crate::options::TopicOptions;

/// Settings of a topic, as they are sent to make one. What is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TopicSettings {
    /// When an append counts as done: `always`, `os`, or a time as `250ms`.
    pub sync: String,
    /// Bytes at which a segment file is sealed and the next one begun.
    #[serde(deserialize_with = "super::whole::number")]
    pub segment_bytes: u64,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            sync: "always".to_owned(),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
        }
    }
}

impl From<&TopicOptions> for TopicSettings {
    fn from(options: &TopicOptions) -> Self {
        Self {
            sync: print_sync(options.sync),
            segment_bytes: options.segment_bytes,
        }
    }
}

impl TopicSettings {
    /// The settings as the store takes them, not yet held against their bounds.
    ///
    /// # Errors
    /// `Invalid` when the sync policy is none.
    pub fn options(&self) -> Result<TopicOptions> {
        let options = TopicOptions::default().with_sync(parse_sync(&self.sync)?);
        Ok(options.with_segment_bytes(self.segment_bytes))
    }
}

/// How a topic stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopicShown {
    /// Its name.
    pub name: String,
    /// The settings it was made with.
    pub settings: TopicSettings,
    /// Its last readable particle: `SEQUENCE:FINGERPRINT`.
    pub head: String,
    /// How many of the newest particles the index has not seen; none while it is not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_lag: Option<u64>,
}

/// Names of topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopicNames {
    /// In ascending order.
    pub topics: Vec<String>,
}

/// Where a topic's chain stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeadShown {
    /// The topic's last readable particle: `SEQUENCE:FINGERPRINT`.
    pub head: String,
}
