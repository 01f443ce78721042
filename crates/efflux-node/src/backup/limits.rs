//! Every bound of backups, with its unit and its reason.

/// Bytes of a file of frames after which the next one is begun: 256 MiB, so that a copy of the
/// backup elsewhere goes on in pieces, and a topic of 1 TB has 4,000 files. After so many bytes of all
/// topics the manifest is replaced: no more is read again when a run that was cut off is made again.
pub(super) const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Fewest bytes a backup may be told to begin the next file after: 1 KiB, for tests.
pub(super) const FILE_BYTES_MIN: u64 = 1024;

/// A last file that has less than this part of a full one is written anew together with what is
/// new: 8 MiB of 256, so that a backup that is taken each minute does not end with a file for each.
pub(super) const MERGED_PART: u64 = 32;

/// Most bytes of a manifest: 256 MiB, four times that of 100,000 topics.
pub(super) const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes that are read or written at a time: 1 MiB.
pub(super) const PIECE_BYTES: usize = 1024 * 1024;
