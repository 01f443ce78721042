//! Settings of stores and topics. Settings are data; components such as the clock are arguments.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits::{
    SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SYNC_INTERVAL_MAX,
    SYNC_INTERVAL_MIN,
};

/// When an append counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// After fdatasync, shared by concurrent appends. What was acknowledged survives a crash of the
    /// process, of the machine and a power cut.
    #[default]
    Always,
    /// After the write; a sync follows within this time. What was acknowledged survives a crash of
    /// the process; a power cut takes at most this much time's worth.
    Interval(Duration),
    /// After the write; the operating system writes when it likes. What was acknowledged survives a
    /// crash of the process; a power cut takes what was not written yet, often half a minute's worth.
    Os,
}

impl Sync {
    /// Reads `always`, `os`, or an interval such as `250ms` or `1s`.
    ///
    /// # Errors
    /// `Invalid` for any other text.
    pub fn parse(text: &str) -> Result<Self> {
        let interval = |digits: &str, unit_ms: u64| {
            let count = digits.parse::<u64>().ok()?;
            Some(Self::Interval(Duration::from_millis(
                count.checked_mul(unit_ms)?,
            )))
        };
        let parsed = match text {
            "always" => Some(Self::Always),
            "os" => Some(Self::Os),
            _ => match text.strip_suffix("ms") {
                Some(digits) => interval(digits, 1),
                None => text
                    .strip_suffix('s')
                    .and_then(|digits| interval(digits, 1000)),
            },
        };
        parsed.ok_or_else(|| {
            Error::invalid(format!(
                "sync {text:?} is unknown: use always, os, or a time as 250ms"
            ))
        })
    }
}

impl std::fmt::Display for Sync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Interval(time) => write!(f, "{}ms", time.as_millis()),
            Self::Os => f.write_str("os"),
        }
    }
}

/// Settings of a topic, given when it is made and kept with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicOptions {
    /// When an append counts as done.
    pub sync: Sync,
    /// Bytes at which a segment file is sealed and the next one begun.
    pub segment_bytes: u64,
}

impl Default for TopicOptions {
    fn default() -> Self {
        Self {
            sync: Sync::default(),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
        }
    }
}

impl TopicOptions {
    /// Sets when an append counts as done.
    #[must_use]
    pub const fn with_sync(mut self, sync: Sync) -> Self {
        self.sync = sync;
        self
    }

    /// Sets the bytes at which a segment file is sealed.
    #[must_use]
    pub const fn with_segment_bytes(mut self, segment_bytes: u64) -> Self {
        self.segment_bytes = segment_bytes;
        self
    }

    /// Tells whether every setting is within its bounds.
    ///
    /// # Errors
    /// `Invalid` with the first that is not.
    pub fn check(&self) -> Result<()> {
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            return Err(Error::invalid(format!(
                "segments of {} bytes are not possible: use {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}",
                self.segment_bytes
            )));
        }
        match self.sync {
            Sync::Interval(time) if !(SYNC_INTERVAL_MIN..=SYNC_INTERVAL_MAX).contains(&time) => {
                Err(Error::invalid(format!(
                    "a sync interval of {} µs is not possible: use 1 ms to an hour, always or os",
                    time.as_micros()
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a store is opened to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// To read and write; one process at a time.
    #[default]
    Write,
    /// To read only, beside any number of readers and one writer. Nothing is ever written.
    Read,
}

/// Settings of a store, given each time it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Whether the store is opened to be written.
    pub access: Access,
    /// Whether a store that is not there is made.
    pub create: bool,
    /// What a node is shown that hosts the store, so that it lets this program in.
    pub token: Option<BearerToken>,
    /// Whether the token may cross a network that is not encrypted, where everyone can read it.
    pub token_in_clear: bool,
    /// A file, as PEM, with those whom a node behind TLS is believed; the system's when left out.
    pub ca_file: Option<PathBuf>,
    /// What a node behind TLS is shown, so that it knows this program.
    pub client_certificate: Option<ClientCertificate>,
}

/// Where the certificate is by which a node knows a program, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain of certificates, the program's own first, as PEM.
    pub cert: PathBuf,
    /// The key, as PEM.
    pub key: PathBuf,
}

/// The secret by which a node knows a program. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

impl BearerToken {
    /// A token, as `efflux token create` prints it.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret, to be sent.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            access: Access::Write,
            create: true,
            token: None,
            token_in_clear: false,
            ca_file: None,
            client_certificate: None,
        }
    }
}

impl StoreOptions {
    /// Opens the store for reading only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.access = Access::Read;
        self.create = false;
        self
    }

    /// Sets whether a store that is not there is made.
    #[must_use]
    pub fn with_create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Sets what a node is shown that hosts the store.
    #[must_use]
    pub fn with_token(mut self, token: BearerToken) -> Self {
        self.token = Some(token);
        self
    }

    /// Sets whether the token may cross a network that is not encrypted. Without it a token goes to
    /// `https://` only, and to this machine itself.
    #[must_use]
    pub fn with_token_in_clear(mut self, token_in_clear: bool) -> Self {
        self.token_in_clear = token_in_clear;
        self
    }

    /// Sets the file with those whom a node behind TLS is believed.
    #[must_use]
    pub fn with_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Sets what a node behind TLS is shown.
    #[must_use]
    pub fn with_client_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.client_certificate = Some(certificate);
        self
    }
}
