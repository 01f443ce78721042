//! The bounds of this crate, each with its unit and reason.

use std::time::Duration;

/// Messages that one message may become in one step by default: 1,000,000, which ends a loop that
/// never ends. Counted with [`MESSAGE_BYTES`], half as many small ones reach the bound of bytes.
pub const OUTPUTS_DEFAULT_MAX: usize = 1_000_000;

/// Bytes that one message may become by default, in one step and in all of them: 256 MiB. All of it
/// is held in memory until it is delivered, so each output is counted with [`MESSAGE_BYTES`] besides.
pub const OUTPUT_BYTES_DEFAULT_MAX: usize = 256 * 1024 * 1024;

/// Bytes that a message is counted with beside its payload, wherever memory is bounded: 512, about
/// what its metadata take.
pub const MESSAGE_BYTES: usize = 512;

/// Bytes that the messages of one intake become before those that are made so far are delivered: 8
/// MiB. The rest of the intake is taken through the steps behind that.
pub const SLICE_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of messages that wait for delivery before nothing more is taken in: 64 MiB.
pub const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a step's name: 64. It stands in the ids of what comes out, and in dead letters.
pub const STEP_NAME_BYTES_MAX: usize = 64;

/// Bytes of a template: 64 KiB, room for the body of a mail.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// Bytes that a template may become: 1 MiB.
pub const RENDERED_BYTES_MAX: usize = 1024 * 1024;

/// Steps of a pipeline: 64. Longer lines are easier to follow as two pipelines with a topic between
/// them.
pub const STEPS_MAX: usize = 64;

/// Intakes that may be under way at once: 64. Each holds its messages in memory.
pub const IN_FLIGHT_MAX: usize = 64;

/// Messages of one intake: 65,536, as many as one append takes.
pub const BATCH_MESSAGES_MAX: usize = 65_536;

/// Messages that one awaiting step works on at once: 16, so that a slow server is not flooded.
pub const AWAITED_MAX: usize = 16;

/// Threads that a pipeline may leave behind in steps that hang: 4. With one more it stops, for each
/// of them holds memory and perhaps a core.
pub const HUNG_THREADS_MAX: usize = 4;

/// Bytes of the text that tells in a dead letter why it is one: 2 KiB of the 4 KiB that a property
/// may have, however the bytes are counted.
pub const ERROR_TEXT_BYTES_MAX: usize = 2048;

/// Messages that an aggregate holds at most, of all keys together: 65,536. Each holds its ticket.
pub const AGGREGATED_MESSAGES_MAX: usize = 65_536;

/// Bytes that the parts of all aggregates take at most: 64 MiB. Behind that the oldest is made, though
/// it is not full.
pub const AGGREGATED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Keys that a step remembers to leave out duplicates: 1,000,000 at most, about 100 MB.
pub const REMEMBERED_KEYS_MAX: usize = 1_000_000;

/// Statements that a port to a database keeps prepared: 64. Messages with other sets of columns are
/// written by statements of their own.
pub const STATEMENTS_MAX: usize = 64;

/// Rows that a port to PostgreSQL looks for in one batch when the server refuses it: 1,000. The
/// others are found when the batch comes again without them; the search costs a statement or two for
/// each row that is refused.
pub const REFUSED_ROWS_MAX: usize = 1_000;

/// Bytes that a port to PostgreSQL sends at once in a COPY: 64 KiB.
pub const COPY_BYTES: usize = 64 * 1024;

/// Bytes of a webhook's answer that are read to tell why it refused: 1 KiB.
pub const ANSWER_BYTES_MAX: usize = 1024;

/// How long an HTTP service may ask to be left alone: an hour. Longer is a mistake of its clock.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Recipients of one mail: 100, as many as every mail server takes (RFC 5321).
pub const RECIPIENTS_MAX: usize = 100;

/// Connections to a mail server that are lost one after the other, each with a mail under way, before
/// the server counts as away: 2. With one the mail may be to blame.
pub const CONNECTIONS_LOST_MAX: u32 = 2;

/// Bytes of a path that a port to files makes: 1,024; of each name in it 255, as file systems have it.
pub const PATH_BYTES_MAX: usize = 1024;

/// Files that a port to files keeps open: 64.
pub const OPEN_FILES_MAX: usize = 64;

/// Batches of files with one message each that a port writes at once: 8. Those that were given up on a
/// disk that hangs count until they are done.
pub const WRITTEN_AT_ONCE_MAX: usize = 8;
