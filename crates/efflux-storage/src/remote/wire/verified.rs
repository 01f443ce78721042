//! What a check covered.

use serde::{Deserialize, Serialize};

use super::appended::unreadable;
use crate::error::{Error, Result};
use crate::verify;

/// What to check. Without any of it, everything that is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Verify {
    /// A head that is known to be right, `SEQUENCE:FINGERPRINT`: the chain behind it is checked.
    pub after: Option<String>,
    /// The last sequence to check; the head when left out.
    #[serde(deserialize_with = "super::whole::or_null")]
    pub until: Option<u64>,
}

/// What a check covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verified {
    /// Particles checked.
    pub particles: u64,
    /// Bytes of frames checked.
    pub bytes: u64,
    /// Segment files checked; 0 when only the chain was.
    pub segments: u64,
    /// The head that the check arrived at: `SEQUENCE:FINGERPRINT`.
    pub head: String,
    /// What is damaged but does no harm, one line each.
    pub notes: Vec<String>,
}

impl From<&verify::Verified> for Verified {
    fn from(verified: &verify::Verified) -> Self {
        Self {
            particles: verified.particles,
            bytes: verified.bytes,
            segments: verified.segments,
            head: verified.head.to_string(),
            notes: verified.notes.clone(),
        }
    }
}

impl TryFrom<Verified> for verify::Verified {
    type Error = Error;

    fn try_from(verified: Verified) -> Result<Self> {
        Ok(Self {
            particles: verified.particles,
            bytes: verified.bytes,
            segments: verified.segments,
            head: verified.head.parse().map_err(|_| unreadable("a head"))?,
            notes: verified.notes,
        })
    }
}
