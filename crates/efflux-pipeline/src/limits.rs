//! The bounds of this crate, each with its unit and reason.

/// Messages that one message may become in one step by default: 1,000,000. A file of that many
/// lines is still split; a loop that never ends is ended.
pub const OUTPUTS_DEFAULT_MAX: usize = 1_000_000;

/// Bytes of payload that one message may become in one step by default: 256 MiB. All of it is held
/// in memory until it is delivered.
pub const OUTPUT_BYTES_DEFAULT_MAX: usize = 256 * 1024 * 1024;

/// Bytes of a step's name: 64. It stands in the ids of what comes out, and in dead letters.
pub const STEP_NAME_BYTES_MAX: usize = 64;

/// Bytes of a template: 64 KiB, room for the body of a mail.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// Bytes that a template may become: 1 MiB.
pub const RENDERED_BYTES_MAX: usize = 1024 * 1024;

/// Statements that a port to a database keeps prepared: 64. Messages with other sets of columns are
/// written by statements of their own.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub const STATEMENTS_MAX: usize = 64;
