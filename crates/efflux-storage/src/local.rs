//! The local backend: a folder of segment files.
//!
//! ```text
//! STORE                                 format version of the store
//! LOCK                                  held by the writing process, which it names
//! index/                                derived: may be deleted at any time
//! topics/NAME/TOPIC                     the topic's options
//! topics/NAME/HEAD                      where the chain stands: two slots, each with a checksum
//! topics/NAME/00000000000000000000.seg  frames, from the sequence in its name on
//! topics/NAME/00000000000000000000.off  derived: offsets and checksums of that segment
//! topics/NAME/spare-N.new               zeros for a segment to come, while the topic is open
//! topics/NAME/consumers/NAME.journal    positions and commits of a consumer
//! ```

mod files;

mod buffers;
mod head_record;
mod heat;
mod offsets;
mod segment;
mod segments;
mod tables;

mod spare_bytes;

mod shared;

mod recovery;
mod spare;
mod tail;
mod write_out;
mod writer;

mod open_writers;

mod check;

mod log;
mod reader;

mod restoring;

mod backend;

pub(crate) use self::backend::LocalBackend;
