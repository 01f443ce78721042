//! SHA-256 of files.

use std::fmt;

use efflux_flow::particle::PayloadHash;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(PayloadHash);

/// A file that is being hashed.
#[derive(Clone, Debug, Default)]
pub(super) struct Hasher(Sha256);

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> Digest {
        Digest(PayloadHash::from_bytes(self.0.finalize().into()))
    }
}

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(PayloadHash::of(bytes))
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hash: PayloadHash = text.parse().ok()?;
        // Upper case would be a second form of the same.
        (hash.to_string() == text).then_some(Self(hash))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_and_nothing_else_is_one() {
        let digest = Digest::of(b"abc");
        let text = digest.to_string();
        assert!(text.starts_with("ba7816bf") && text.ends_with("f20015ad"));
        assert_eq!(Digest::parse(&text), Some(digest));
        for wrong in [&text.to_uppercase(), &text.replace("ba", "+a"), "ba78", ""] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }
}
