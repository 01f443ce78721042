//! What is wrong with the settings of a webhook.

use hyper::header::{HeaderName, HeaderValue};

use super::WebhookPortSettings;
use super::call::OWN;
use super::signature::Signer;
use crate::service::fault_of_service;
use crate::setting_fault::SettingFault;

impl WebhookPortSettings {
    /// All that is wrong, without asking the service.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let of_service = fault_of_service(&self.url, "set authorization", self.ca_file.as_deref());
        let mut faults: Vec<_> = of_service.into_iter().collect();
        for name in self.headers.keys() {
            let what = match name.parse::<HeaderName>() {
                Ok(parsed) if !OWN.contains(&parsed.as_str()) => continue,
                Ok(parsed) => format!("the port writes {parsed} itself"),
                Err(_) => format!("{name:?} is no name of a header"),
            };
            faults.push(SettingFault::of(name.as_str(), what).within("headers"));
        }
        if let Some(secret) = &self.authorization {
            let is_value = HeaderValue::from_str(secret.expose()).is_ok();
            let what = "authorization is no value of a header";
            faults.extend(SettingFault::unless(is_value, "authorization", what));
        }
        let signer = self.secret.as_ref().map(Signer::new);
        if let Some(Err(what)) = signer {
            faults.push(SettingFault::of("secret", what));
        }
        faults.extend(SettingFault::unless(
            !self.timeout.0.is_zero(),
            "timeout",
            "a timeout of 0: no service answers in it",
        ));
        faults.extend(SettingFault::unless(
            self.concurrency > 0,
            "concurrency",
            "concurrency must be at least 1",
        ));
        faults
    }
}
