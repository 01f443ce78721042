//! Every bound of the storage engine, with its unit and its reason.

use std::time::Duration;

/// Default size in bytes at which a segment is sealed: 64 MiB.
///
/// Small enough that what is done once a segment (offsets, sealing, a walk after a crash) takes
/// milliseconds, large enough that a topic of 1 TB has 16,000 files.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// Smallest size in bytes a segment may be given. Tests use it to see many segments.
pub const SEGMENT_BYTES_MIN: u64 = 4 * 1024;

/// Largest size in bytes a segment may be given: offsets are kept as 32-bit numbers.
pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Most bytes of one batch: 64 MiB. A batch is in memory until it is durable.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most bytes of a topic that are linked but not yet durable: 8 MiB, about 10 ms of a fast disk.
/// Appends beyond it wait.
pub const PENDING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most particles whose ids and groups are kept in memory because the index has not seen them yet.
/// Appends beyond it wait for the index.
pub const WINDOW_PARTICLES_MAX: usize = 512 * 1024;

/// Bytes of metadata kept of the newest particles, so that an expectation that was judged a moment
/// ago needs no second look at the log.
pub const RECENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most particles one read returns.
pub const READ_PARTICLES_MAX: usize = 65_536;

/// Most bytes one read returns, unless a single particle is larger: 32 MiB.
pub const READ_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Default of particles a read returns.
pub const READ_PARTICLES_DEFAULT: usize = 1024;

/// Default of bytes a read returns: 1 MiB.
pub const READ_BYTES_DEFAULT: usize = 1024 * 1024;

/// Fewest bytes of a read whose memory is used again: 64 KiB. The allocator keeps smaller pieces
/// itself.
pub const BUFFER_BYTES_MIN: usize = 64 * 1024;

/// Most bytes of a read whose memory is used again: 2 MiB, twice the default of a read.
pub const BUFFER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of memory for reads that a store keeps while nobody uses them: 8 MiB, which serves eight
/// readers that go on one after the other, each with the default of a read.
pub const IDLE_BUFFERS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most bytes that a check of a topic has in memory to be hashed, and one frame more: 64 MiB, so
/// that cores have work and large payloads do not add up.
pub const VERIFY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of offset tables of sealed segments kept in memory for a store: 32 MiB, enough for
/// 4 million particles; other tables are read again when they are needed.
pub const OFFSETS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Sealed segments of a store whose files are open at the same time: a quarter of the 1,024
/// descriptors that a process usually may have.
pub const OPEN_SEGMENTS_MAX: usize = 256;

/// Topics whose files are open for writing hold two descriptors each, and together at most a quarter
/// of those that the process may have: this is the divisor. Others are opened when they are written.
pub const OPEN_TOPICS_PART: usize = 8;

/// As many topics may have their files open at least, however few descriptors there are.
pub const OPEN_TOPICS_MIN: usize = 16;

/// As many topics may have their files open at most, however many descriptors there are.
pub const OPEN_TOPICS_MAX: usize = 4096;

/// Most bytes of zeros that a store holds ready for what is to be appended: 256 MiB, the segment
/// that is written to and the next one of two busy topics with segments of the default size.
pub const SPARE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Most threads that write and sync, shared by all topics of a store and started when they are
/// needed. Syncs of different topics overlap: with 4 at a time a disk with a queue makes half as many
/// as with 32.
pub const WORKER_THREADS: usize = 32;

/// Most topics of one store.
pub const TOPICS_MAX: usize = 100_000;

/// Most consumers of one topic.
pub const CONSUMERS_MAX: usize = 1024;

/// How often a reader in another process looks whether the head has moved.
pub const HEAD_POLL: Duration = Duration::from_millis(20);

/// Shortest interval for [`Sync::Interval`](crate::Sync::Interval).
pub const SYNC_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Longest interval for [`Sync::Interval`](crate::Sync::Interval): more is `os`.
pub const SYNC_INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// Most bytes of the small text files of a store.
pub const TEXT_FILE_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of a file that holds a segment's offsets: the smallest frames in the largest segment.
pub const OFFSETS_FILE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most bytes of one answer of a node: the largest read, and the largest frame beside it.
pub const REMOTE_ANSWER_BYTES_MAX: usize = READ_BYTES_MAX + 2 * 16 * 1024 * 1024 + 64 * 1024;

/// How often a request is sent to a node at most, where sending it again is safe.
pub const REMOTE_ATTEMPTS_MAX: usize = 4;

/// Pause before a request is sent to a node again: 50 ms, and twice as long each time.
pub const REMOTE_PAUSE: Duration = Duration::from_millis(50);

/// Longest time to connect to a node.
pub const REMOTE_CONNECT_TIME: Duration = Duration::from_secs(5);

/// Longest time for a node to answer, beyond the time it was asked to wait.
pub const REMOTE_TIME: Duration = Duration::from_secs(60);

/// How long a connection to a node is kept while it is not used: less than the node keeps it, so
/// that no request meets a connection that is just being closed.
pub const REMOTE_IDLE_TIME: Duration = Duration::from_secs(30);

/// Most requests of one client that a node is asked to answer at once: those beyond it wait here,
/// where they cost no connection. Requests that wait at the node are not counted.
pub const REMOTE_REQUESTS_MAX: usize = 64;

/// Most requests with appends to one topic that are under way at once: enough for the node to place
/// some while others are on their way. What comes meanwhile goes together in the next.
pub const REMOTE_APPENDS_MAX: usize = 4;

/// Bytes of frames of several batches that go into one request: 1 MiB, which the node handles in a
/// few milliseconds. A larger batch goes alone.
pub const REMOTE_APPENDS_BYTES: usize = 1024 * 1024;

/// Most bytes of one read that are read ahead for whoever reads on: 4 MiB, which each topic that is
/// read holds in memory.
pub const REMOTE_AHEAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest time that a node may take to check a topic.
pub const REMOTE_VERIFY_TIME: Duration = Duration::from_secs(24 * 3600);

/// Most particles of one receive from a node.
pub const REMOTE_RECEIVE_MAX: usize = 10_000;
