//! Every bound of backups, with its unit and its reason.

/// Bytes of a file of frames after which the next one is begun: 256 MiB, so that a copy of the
/// backup elsewhere goes on in pieces, and a topic of 1 TB has 4,000 files.
pub(super) const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// A last file of fewer bytes is written anew together with what is new: 8 MiB, so that a backup
/// that is taken each minute does not end with a file for each.
pub(super) const MERGED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Bytes of frames after which the manifest is replaced while a backup is taken: 256 MiB. So much is
/// read again at most when one that was cut off is taken again.
pub(super) const CHECKPOINT_BYTES: u64 = 256 * 1024 * 1024;

/// Most bytes of a manifest: 256 MiB, four times that of 100,000 topics.
pub(super) const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes that are read or written at a time: 1 MiB.
pub(super) const PIECE_BYTES: usize = 1024 * 1024;
