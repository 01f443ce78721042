//! The manifest: what a backup consists of, as JSON with a checksum.
//!
//! Its last member is `"sha256"`: the SHA-256 of all bytes of the file before the comma and line's
//! end that precede this member.

mod json;

use std::collections::BTreeMap;

use efflux_flow::particle::{Sequence, Timestamp, TopicName};
use efflux_flow::storage::{Error, ErrorKind, Result};

use super::digest::Digest;
use super::entry::TopicEntry;

/// The version of the format that this program writes and reads.
pub(super) const VERSION: u64 = 1;

/// What stands between the bytes that are hashed and their hash, and behind it.
const CHECKSUM_OPENS: &str = ",\n  \"sha256\": \"";
const CHECKSUM_ENDS: &str = "\"\n}\n";
const DIGEST_DIGITS: usize = 64;

/// What a backup consists of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Manifest {
    /// When the manifest was written; none before the first time.
    pub(super) written: Option<Timestamp>,
    pub(super) topics: BTreeMap<TopicName, TopicEntry>,
}

impl Manifest {
    /// The bytes of the file.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let failed = |error| Error::invalid(format!("the manifest cannot be written: {error}"));
        let shown = json::ManifestJson::from(self);
        let text = serde_json::to_string_pretty(&shown).map_err(failed)?;
        let above = text.strip_suffix("\n}").unwrap_or(&text);
        let digest = Digest::of(above.as_bytes());
        Ok(format!("{above}{CHECKSUM_OPENS}{digest}{CHECKSUM_ENDS}").into_bytes())
    }

    /// Reads and checks the bytes of the file.
    ///
    /// # Errors
    /// `Invalid` when it is of another version, `Corrupt` when it is damaged or contradicts itself.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        json::refuse_other_versions(bytes)?;
        let problem = "its checksum does not fit: bytes were altered or are missing";
        let above = checked(bytes).ok_or_else(|| damaged(problem))?;
        let shown = json::ManifestJson::parse(&above)?;
        let manifest = shown.manifest()?;
        for entry in manifest.topics.values() {
            entry
                .check()
                .map_err(|problem| damaged(&format!("topic {}: {problem}", entry.name)))?;
        }
        Ok(manifest)
    }
}

/// The bytes above the checksum, closed as an object, when they fit it.
fn checked(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    let rest = text.strip_suffix(CHECKSUM_ENDS)?;
    let (above, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST_DIGITS)?)?;
    let above = above.strip_suffix(CHECKSUM_OPENS)?;
    let fits = Digest::parse(digest)? == Digest::of(above.as_bytes());
    fits.then(|| format!("{above}\n}}"))
}

/// The manifest cannot be believed.
fn damaged(problem: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("MANIFEST.json of the backup: {problem}"),
    )
}

impl TopicEntry {
    fn check(&self) -> Result<(), String> {
        if self.head.sequence == Sequence::MAX {
            return Err("its head is at no place that a particle can take".to_owned());
        }
        let mut next = Sequence::ROOT;
        for file in &self.files {
            if file.first != next || file.last < file.first || file.bytes == 0 {
                return Err(format!(
                    "file {} does not follow, expected one from {next} on",
                    file.name()
                ));
            }
            next = file.last.next();
        }
        if next != self.head.sequence.next() || self.files.is_empty() {
            return Err(format!(
                "its files end before {next}, its head is {}",
                self.head
            ));
        }
        self.options.check().map_err(|error| error.to_string())?;
        for (name, state) in &self.consumers {
            let checked = state.check(self.head.sequence);
            checked.map_err(|error| format!("consumer {name}: {error}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
