//! What an append is answered with.

use efflux_particle::Head;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::error::{Error, ErrorKind, Result};
use crate::expect;
use crate::options::Sync;

/// What an append is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Appended {
    /// Where each message came to stand, in the order in which they were sent.
    pub receipts: Vec<Receipt>,
    /// A head of the topic that has all of them: `SEQUENCE:FINGERPRINT`.
    pub head: String,
    /// What they survive.
    pub durability: Durability,
}

/// What appends that were sent together, each by itself, are answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppendedEach {
    /// What became of each, in the order in which they were sent.
    pub outcomes: Vec<Outcome>,
    /// A head of the topic that has all that was appended: `SEQUENCE:FINGERPRINT`.
    pub head: String,
    /// What it survives.
    pub durability: Durability,
}

/// What became of one of several appends: receipts, or a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outcome {
    /// Where each message came to stand; none where there is a problem.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// Why nothing of it was appended, or nobody knows whether it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Where a message came to stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The particle's place.
    pub sequence: u64,
    /// The particle's fingerprint: 64 hexadecimal digits.
    pub fingerprint: String,
    /// Whether the message was there before: the same id with the same payload.
    pub duplicate: bool,
}

/// What an append that was answered survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A power cut: it was synced.
    Synced,
    /// A crash of the node: it was written, and is synced later.
    Written,
    /// Nothing: the store is kept in memory.
    Memory,
}

impl Durability {
    /// What an append to a topic with this policy survives, in a store that has files.
    #[must_use]
    pub const fn of(sync: Sync) -> Self {
        match sync {
            Sync::Always => Self::Synced,
            Sync::Interval(_) | Sync::Os => Self::Written,
        }
    }
}

impl From<&expect::Receipt> for Receipt {
    fn from(receipt: &expect::Receipt) -> Self {
        Self {
            sequence: receipt.sequence.get(),
            fingerprint: receipt.fingerprint.to_string(),
            duplicate: receipt.duplicate,
        }
    }
}

impl TryFrom<&Receipt> for expect::Receipt {
    type Error = Error;

    fn try_from(receipt: &Receipt) -> Result<Self> {
        let fingerprint = receipt.fingerprint.parse();
        Ok(Self {
            sequence: efflux_particle::Sequence::new(receipt.sequence),
            fingerprint: fingerprint.map_err(|_| unreadable("a fingerprint"))?,
            duplicate: receipt.duplicate,
        })
    }
}

impl Appended {
    /// The head that the answer tells.
    ///
    /// # Errors
    /// `Unavailable` when it is none.
    pub fn head(&self) -> Result<Head> {
        self.head.parse().map_err(|_| unreadable("a head"))
    }
}

impl AppendedEach {
    /// The head that the answer tells.
    ///
    /// # Errors
    /// `Unavailable` when it is none.
    pub fn head(&self) -> Result<Head> {
        self.head.parse().map_err(|_| unreadable("a head"))
    }
}

/// The node answered with something that cannot be read.
pub(super) fn unreadable(what: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the node answered with something else than {what}"),
    )
}
