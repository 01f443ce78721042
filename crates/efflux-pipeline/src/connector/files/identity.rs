//! What tells one version of a file from another.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use efflux_storage::particle::Timestamp;

/// What tells one version of a file from another, beside its path: its size and when it was modified.
///
/// A rename within a file system keeps both; writing changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) bytes: u64,
    pub(super) modified: Timestamp,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self::new(metadata.len(), metadata.mtime(), metadata.mtime_nsec())
    }

    pub(super) fn new(bytes: u64, seconds: i64, nanos: i64) -> Self {
        let nanos = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Self {
            bytes,
            modified: Timestamp::from_nanos(nanos),
        }
    }

    /// The text of a mark.
    pub(super) fn told(self) -> String {
        format!("{} {}\n", self.bytes, self.modified.nanos())
    }

    /// Reads the text of a mark; none when it is torn.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (bytes, nanos) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Self {
            bytes: bytes.parse().ok()?,
            modified: Timestamp::from_nanos(nanos.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_an_identity_and_a_torn_one_none() {
        let identity = Identity::new(7, -1, 5);
        let told = identity.told();
        assert_eq!(Identity::read(&told), Some(identity));
        for end in 0..told.len() {
            assert_eq!(Identity::read(told.get(..end).unwrap()), None);
        }
    }
}
