//! What a user says about a URL that is asked from time to time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::quantity::{ByteSize, Period};
use crate::secret::Secret;
use crate::template::Template;

/// What a user says about a URL that is asked from time to time.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct HttpPollSettings {
    /// What is asked: `https://HOST/PATH`, or `http://` for a service that is spoken to in the clear.
    pub url: String,
    /// Headers to send, such as `authorization`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How often it is asked; at least every 100 ms.
    #[serde(default = "every_default")]
    pub every: Period,
    /// How long an answer may take, from the connection to its last byte.
    #[serde(default = "timeout_default")]
    pub timeout: Period,
    /// How large an answer may be; at most 64 MiB.
    #[serde(default = "body_max_default")]
    pub body_max: ByteSize,
    /// Makes a message of each element of a JSON array, in place of one of the whole answer.
    #[serde(default)]
    pub elements: Option<HttpElements>,
    /// A file of authorities (PEM) that the service's certificate is believed by. Without it, those
    /// of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// Where the elements are, and what tells them apart.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct HttpElements {
    /// The path of the array in the answer, as in `data.items`; the answer itself when it is empty.
    #[serde(default)]
    pub path: String,
    /// What tells an element from the others, and from what it was before it changed, as in
    /// `{data.id}-{data.updated_at}`. Without it, its bytes do.
    #[serde(default)]
    pub id: Option<Template>,
}

const fn every_default() -> Period {
    Period(Duration::from_secs(60))
}

const fn timeout_default() -> Period {
    Period(Duration::from_secs(30))
}

const fn body_max_default() -> ByteSize {
    ByteSize(16 * 1024 * 1024)
}

impl HttpPollSettings {
    /// Asks this URL every minute, and makes one message of each new answer.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: BTreeMap::new(),
            every: every_default(),
            timeout: timeout_default(),
            body_max: body_max_default(),
            elements: None,
            ca_file: None,
        }
    }
}
