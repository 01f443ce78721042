//! What a user says about a URL that is asked from time to time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::exchange::{FOR_PASSWORD, header};
use super::limits::{BODY_BYTES_MAX, EVERY_MIN, PATH_NAMES_MAX};
use crate::quantity::{ByteSize, Period};
use crate::secret::Secret;
use crate::service::fault_of_service;
use crate::setting_fault::SettingFault;
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

    /// All that is wrong, without asking the service.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let of_service = fault_of_service(&self.url, FOR_PASSWORD, self.ca_file.as_deref());
        let mut faults: Vec<_> = of_service.into_iter().collect();
        for (name, secret) in &self.headers {
            let fault = header(name, secret).err();
            faults
                .extend(fault.map(|what| SettingFault::of(name.as_str(), what).within("headers")));
        }
        let is_slow = self.every.0 >= EVERY_MIN;
        let what = format!(
            "a request every {}: at least {EVERY_MIN:?} is needed",
            self.every
        );
        faults.extend(SettingFault::unless(is_slow, "every", &what));
        let is_some = !self.timeout.0.is_zero();
        let what = "a timeout of 0: no service answers in it";
        faults.extend(SettingFault::unless(is_some, "timeout", what));
        let is_bounded = (1..=BODY_BYTES_MAX).contains(&self.body_max.0);
        let asked = self.body_max;
        let what = format!("an answer of {asked}: 1 to {BODY_BYTES_MAX} bytes are allowed");
        faults.extend(SettingFault::unless(is_bounded, "body_max", &what));
        if let Some(HttpElements { path, .. }) = &self.elements {
            let mut names = path.split_terminator('.');
            let count = names.clone().count();
            if count > PATH_NAMES_MAX || names.any(str::is_empty) {
                let what = format!(
                    "{path:?} is no path: at most {PATH_NAMES_MAX} names with dots between them"
                );
                faults.push(SettingFault::of("path", what).within("elements"));
            }
        }
        faults
    }
}
