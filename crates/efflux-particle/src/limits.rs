//! Every bound of the particle format, with its unit and its reason.

/// Largest payload in bytes: 16 MiB.
///
/// A reader may have to hold one whole frame in memory, and several readers run side by side within
/// a node's memory budget of 256 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Largest metadata in bytes: 64 KiB.
///
/// The metadata hash is the only serial work of an append, so one message must not hold up the others.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a frame that are neither metadata nor payload.
pub const FRAME_OVERHEAD_BYTES: usize = 6 + 4 + 4 + 32 + 4 + 4;

/// Largest frame in bytes, the sum of the three above.
pub const FRAME_BYTES_MAX: usize = FRAME_OVERHEAD_BYTES + METADATA_BYTES_MAX + PAYLOAD_BYTES_MAX;

/// Longest text id in bytes: one byte of length, as in most brokers.
pub const ID_BYTES_MAX: usize = 255;

/// Longest `data_type`, `content_type` and `message_group` in bytes.
///
/// They are index terms: long ones would cost more than they find.
pub const TERM_BYTES_MAX: usize = 255;

/// Most properties of one message. Checking and indexing a message stays cheap.
pub const PROPERTIES_MAX: usize = 64;

/// Longest property name in bytes.
pub const PROPERTY_NAME_BYTES_MAX: usize = 128;

/// Longest property value in bytes. Larger data belongs into the payload.
pub const PROPERTY_VALUE_BYTES_MAX: usize = 4096;

/// Longest topic or consumer name in bytes: fits a file name with a suffix on every file system.
pub const NAME_BYTES_MAX: usize = 200;

/// Most nested levels of an unknown metadata value. Deeper nesting is only made to exhaust a stack.
pub const UNKNOWN_VALUE_DEPTH_MAX: usize = 8;

/// Most particles of one batch: a batch is held in memory until it is durable.
pub const BATCH_PARTICLES_MAX: usize = 65_536;

/// Default bound in bytes for a decoded payload: 64 MiB. A decompression bomb stops here.
pub const CONTENT_BYTES_DEFAULT_MAX: usize = 64 * 1024 * 1024;
