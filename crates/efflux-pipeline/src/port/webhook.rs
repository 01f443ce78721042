//! A port that sends messages to an HTTP service.

mod answer;
mod call;
mod faults;
mod lanes;
mod signature;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use efflux_storage::Clock;
use futures_util::{StreamExt, stream};
use serde::Deserialize;

use self::call::Call;
use self::lanes::lanes;
use super::shortfall::shortfall;
use super::{Batch, Failed, Port};
use crate::parcel::Parcel;
use crate::quantity::Period;
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;

/// Sends messages to an HTTP service, each as the body of a POST.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct WebhookPortSettings {
    /// Where the service is: `https://HOST/PATH`, or `http://` for one that is spoken to in the clear.
    pub url: String,
    /// Headers to send, beside those that tell the message's id, type and signature.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// The value of the header `authorization`, as in `Bearer TOKEN`.
    #[serde(default)]
    pub authorization: Option<Secret>,
    /// What messages are signed with, as Standard Webhooks has it: `whsec_` and the key in Base64.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// How long the service may take for an answer.
    #[serde(default = "half_a_minute")]
    pub timeout: Period,
    /// How many messages may be on their way at once. Those of one message group go one after the
    /// other.
    #[serde(default = "eight")]
    #[cfg_attr(feature = "file", schemars(range(min = 1)))]
    pub concurrency: usize,
    /// A file of authorities (PEM) that the service's certificate is believed by. Without it, those
    /// of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn half_a_minute() -> Period {
    Period(Duration::from_secs(30))
}

const fn eight() -> usize {
    8
}

/// Sends each message to an HTTP service, as the body of a POST.
///
/// A message is delivered when the service answers 2xx. One that comes again has the same
/// `webhook-id` and `idempotency-key`, by which the service knows it. Redirects are not followed.
pub struct WebhookPort {
    call: Call,
    concurrency: usize,
    clock: Arc<dyn Clock>,
}

impl WebhookPort {
    /// Sends to where the settings say; the clock gives the time that messages are signed with.
    ///
    /// # Errors
    /// `Fatal` when the URL, a header or the key is none, or the file of authorities cannot be read.
    pub fn new(settings: &WebhookPortSettings, clock: Arc<dyn Clock>) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        Ok(Self {
            call: Call::new(settings)?,
            concurrency: settings.concurrency,
            clock,
        })
    }

    /// Sends the messages of one group, one after the other. What comes behind one that may be
    /// taken later waits for it. Nothing more is sent to a service that takes nothing from us.
    async fn follow(
        &self,
        lane: Vec<usize>,
        parcels: &[Parcel],
        has_ended: &AtomicBool,
    ) -> Vec<(usize, StageError)> {
        let mut failed = Vec::new();
        let mut is_held = false;
        for at in lane {
            let Some(parcel) = parcels.get(at) else {
                continue;
            };
            if is_held || has_ended.load(Ordering::Relaxed) {
                let told = "a message before it was not delivered";
                failed.push((at, StageError::untried(told)));
                continue;
            }
            if let Err(error) = self.call.send(parcel, self.clock.now()).await {
                is_held = !matches!(error, StageError::Rejected(_));
                has_ended.fetch_or(matches!(error, StageError::Fatal(_)), Ordering::Relaxed);
                failed.push((at, error));
            }
        }
        failed
    }
}

#[async_trait]
impl Port for WebhookPort {
    fn times_each_message(&self) -> bool {
        true
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let has_ended = AtomicBool::new(false);
        let work = lanes(batch.parcels)
            .into_iter()
            .map(|lane| self.follow(lane, batch.parcels, &has_ended));
        let failed = stream::iter(work).buffer_unordered(self.concurrency);
        let failed: Vec<_> = failed.collect().await;
        shortfall(failed.into_iter().flatten().collect(), batch.parcels.len())
    }
}

impl fmt::Debug for WebhookPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookPort")
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
