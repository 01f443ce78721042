//! Clients that are known by a certificate.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::bucket::Bucket;
use super::permission::Permission;

/// The names of hosts that a client's certificate is for, small letters only. Its authority was
/// checked when the connection began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Certified {
    pub(super) names: Vec<String>,
}

/// What the file of tokens says of a client with a certificate.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) form: CertificateForm,
    bucket: Bucket,
}

/// How it stands in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateForm {
    /// One of the names that the certificate is for.
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    pub(super) permissions: Vec<Permission>,
}

impl Certified {
    /// Those of a certificate in DER; none when it is for no host.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        let der = rustls::pki_types::CertificateDer::from(certificate);
        let names = match webpki::EndEntityCert::try_from(&der) {
            Ok(read) => read
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect(),
            Err(_) => Vec::new(),
        };
        Self { names }
    }
}

impl Certificate {
    pub(super) fn is_of(&self, certified: &Certified) -> bool {
        let mut names = certified.names.iter();
        names.any(|name| self.form.name.eq_ignore_ascii_case(name))
    }

    /// Whether its owner may send one request more.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.bucket.take(now)
    }

    /// Goes on counting requests where an earlier reading of the file stood.
    pub(super) fn keep_rate(&mut self, earlier: &[Self]) {
        let before = earlier.iter().find(|it| it.form.name == self.form.name);
        if let Some(before) = before {
            self.bucket = self.bucket.or_rest_of(before.bucket);
        }
    }
}

impl From<CertificateForm> for Certificate {
    fn from(form: CertificateForm) -> Self {
        let bucket = Bucket::new(form.requests_per_second);
        Self { form, bucket }
    }
}
