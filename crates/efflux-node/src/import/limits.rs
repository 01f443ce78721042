//! Every bound of the import readers, with its unit and its reason.

/// Longest record in bytes of its file: 64 MiB.
///
/// A payload has at most 16 MiB, and white space in pretty-printed JSON may well be as much again.
/// Past it the record is refused without being held in memory.
pub const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a file's beginning that are looked at to tell its format.
pub(super) const SNIFF_BYTES: usize = 64 * 1024;

/// Longest excerpt of a malformed record in bytes, in messages and in the file of rejects.
pub(super) const EXCERPT_BYTES_MAX: usize = 4096;

/// Most steps of a field's path. Nobody writes deeper paths by hand.
pub(super) const PATH_STEPS_MAX: usize = 32;
