//! What a backup holds of a topic.

use std::collections::BTreeMap;

use efflux_flow::particle::{ConsumerName, Fingerprint, Head, Sequence, Timestamp, TopicName};
use efflux_flow::storage::{ConsumerState, TopicOptions};

use super::digest::Digest;

/// What a backup holds of a topic.
///
/// - `files` follow each other without a gap, from the root through the head
/// - no batch spans two files
/// - consumers stand no further than behind the head
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TopicEntry {
    pub(super) name: TopicName,
    pub(super) options: TopicOptions,
    /// The fingerprint of the root: another one is another topic of the same name.
    pub(super) root: Fingerprint,
    pub(super) head: Head,
    /// When the topic was last backed up to its end; none when that was cut off the first time.
    pub(super) at: Option<Timestamp>,
    pub(super) files: Vec<FileEntry>,
    pub(super) consumers: BTreeMap<ConsumerName, ConsumerState>,
}

/// One file of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileEntry {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
}

impl TopicEntry {
    /// Bytes of all its files.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.files.iter().map(|file| file.bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// How many particles there are, the root included.
    pub(super) const fn particles(&self) -> u64 {
        self.head.sequence.get() + 1
    }
}

impl FileEntry {
    /// The file's name within its topic's folder.
    pub(super) fn name(&self) -> String {
        file_name(self.first, self.last)
    }
}

/// What the name of a file of frames ends with.
pub(super) const FRAMES_SUFFIX: &str = ".frames";

/// The name of the file with the frames from `first` through `last`.
pub(super) fn file_name(first: Sequence, last: Sequence) -> String {
    format!("{:020}-{:020}{FRAMES_SUFFIX}", first.get(), last.get())
}
