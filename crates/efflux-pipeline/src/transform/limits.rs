//! The bounds of the transforms, each with its unit and reason.

use std::time::Duration;

/// Bytes of a program in jq's language: 64 KiB. Longer ones are data.
pub const JQ_BYTES_MAX: usize = 64 * 1024;

/// Names in a path to a value, as in `data.orders.0`: 64.
pub const PATH_NAMES_MAX: usize = 64;

/// Columns of a table in CSV: 16,384, as many as spreadsheets have.
pub const COLUMNS_MAX: usize = 16_384;

/// XML elements within elements: 256, as libxml2 has it.
pub const XML_DEPTH_MAX: usize = 256;

/// XML namespaces that an element and those around it declare: 1,024. Each of them is written to
/// each part that is cut out.
pub const XML_NAMESPACES_MAX: usize = 1_024;

/// Entries of an archive by default: 10,000.
pub const ENTRIES_DEFAULT_MAX: usize = 10_000;

/// Bytes of an archive's contents by default, all entries together: 256 MiB.
pub const UNPACKED_BYTES_DEFAULT_MAX: usize = 256 * 1024 * 1024;

/// How many times its packed size an entry may become by default: 200. Text that repeats itself
/// reaches 50; an archive that is made to fill memory reaches 1,000.
pub const UNPACKED_RATIO_DEFAULT_MAX: u64 = 200;

/// Bytes that an entry may always become, whatever its ratio: 1 MiB.
pub const UNPACKED_BYTES_ALWAYS: u64 = 1024 * 1024;

/// Steps of a program in jq's language for one message by default: ten million, about a second.
pub const JQ_STEPS_DEFAULT_MAX: u64 = 10_000_000;

/// Outputs of a program in jq's language that are held before they go on: 1,000,000.
pub const JQ_OUTPUTS_MAX: usize = 1_000_000;

/// Bytes of the texts that a jq program makes of one message and keeps: 512 MiB. Each of them is at
/// most [`JQ_TEXT_BYTES_MAX`] large, and a program may keep them all.
pub const JQ_MADE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Bytes of a text that a program in jq's language makes: 64 MiB.
pub const JQ_TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Elements of an array or object that a program in jq's language makes: four million.
pub const JQ_ELEMENTS_MAX: usize = 4 * 1024 * 1024;

/// Bits of a whole number that a program in jq's language makes: 65,536, some 20,000 digits.
pub const JQ_NUMBER_BITS_MAX: u64 = 65_536;

/// Values within values in JSON: 512. Deeper ones are walked by functions that call themselves.
pub const JSON_DEPTH_MAX: usize = 512;

/// Bytes of stack that a program in jq's language may take on a thread of others: 512 KiB of the
/// 2 MiB that such a thread has.
pub const JQ_STACK_BYTES: usize = 512 * 1024;

/// Bytes of stack of the thread on which a program that goes deeper runs once more: 256 MiB, of
/// which what is not touched takes no memory.
pub const JQ_DEEP_STACK_BYTES: usize = 256 * 1024 * 1024;

/// Bytes of a module in WebAssembly: 16 MiB.
pub const WASM_MODULE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Units of fuel that a module may take for one message by default: a thousand million, some
/// seconds.
pub const WASM_FUEL_DEFAULT_MAX: u64 = 1_000_000_000;

/// Bytes of memory that a module may have by default: 256 MiB.
pub const WASM_MEMORY_DEFAULT_MAX: u64 = 256 * 1024 * 1024;

/// Elements of the tables of a module: 100,000.
pub const WASM_TABLE_ELEMENTS_MAX: usize = 100_000;

/// Messages that a module may make of one: 1,000,000.
pub const WASM_OUTPUTS_MAX: usize = 1_000_000;

/// Bytes of the reason for which a module rejects a message: 1,024.
pub const WASM_REASON_BYTES_MAX: i32 = 1_024;

/// Bytes of an answer that is fetched by default: 16 MiB, as a payload may have.
pub const FETCH_BYTES_DEFAULT_MAX: u64 = 16 * 1024 * 1024;

/// How long an answer may take by default: 30 seconds, a third of a lease.
pub const FETCH_TIME_DEFAULT_MAX: Duration = Duration::from_secs(30);

/// Bytes of an answer's head: 64 KiB.
pub const FETCH_HEAD_BYTES_MAX: usize = 64 * 1024;
