//! The bounds of the reader of files, each with its unit and reason.

use std::time::Duration;

/// Patterns of one connector: 64. Each file's path is held against all of them.
pub(super) const PATTERNS_MAX: usize = 64;

/// Files that are waited for at once, until they rest: 65,536, about 10 MB. A scan goes on when some
/// of them were taken.
pub(super) const WAITING_FILES_MAX: usize = 65_536;

/// Entries of folders that one step of a scan looks at: 4,096, some milliseconds, so that
/// acknowledgements do not wait behind a scan of millions.
pub(super) const SCAN_STEP_ENTRIES: usize = 4096;

/// Folders that lie within each other: 32. Each of them is open while a scan is in it.
pub(super) const FOLDER_DEPTH_MAX: usize = 32;

/// Paths that notifications may tell of at once: 4,096. When there are more, a scan finds them.
pub(super) const ARRIVALS_MAX: usize = 4096;

/// How often a file that cannot be read is tried, before it is refused: 5 times, for a network file
/// system may be away for a moment.
pub(super) const READ_ATTEMPTS_MAX: u32 = 5;

/// The shortest time until a file that could not be read is tried again: 1 s.
pub(super) const READ_AGAIN_MIN: Duration = Duration::from_secs(1);

/// The shortest time between two scans: 100 ms.
pub(super) const RESCAN_MIN: Duration = Duration::from_millis(100);

/// The columns of a CSV file: 4,096.
pub(super) const COLUMNS_MAX: usize = 4096;

/// Bytes that are read from a file at once: 64 KiB.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Files of one name that may lie where they go when they are done: 2^30, told apart by numbers. One
/// of that name each second fills 34 years.
pub(super) const NAME_NUMBERS_MAX: u32 = 1 << 30;

/// Bytes of a file's name: 255, as file systems have it.
pub(super) const NAME_BYTES_MAX: usize = 255;

/// Files that are delivered and cannot be put away, before nothing more is read: 1,024. After a crash
/// they are read again.
pub(super) const LEFT_FILES_MAX: usize = 1024;

/// Bytes of a mark: 256. It holds two numbers.
pub(super) const MARK_BYTES_MAX: u64 = 256;

/// Bytes of a file's name that still get a suffix: 240 of the 255 that file systems allow.
pub(super) const SUFFIXED_NAME_BYTES_MAX: usize = 240;

/// Turns without a record that one step makes: 8,192. A file without a record takes two, it is opened
/// and put away.
pub(super) const EMPTY_TURNS_MAX: usize = 8192;
