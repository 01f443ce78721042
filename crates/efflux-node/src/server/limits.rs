//! Every bound of the server, with its unit and its reason. Most are defaults of [`ServerOptions`].
//!
//! [`ServerOptions`]: super::ServerOptions

use std::time::Duration;

/// Default of connections that are open at once: each costs a descriptor and some 20 KiB.
pub const CONNECTIONS_MAX: usize = 1024;

/// Default of requests under way at once, those that wait for something included.
pub const REQUESTS_MAX: usize = 512;

/// Default of bytes of one request's body: 64 MiB, as many as a batch may have.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Default of bytes of all bodies that are being received or handled, without the first
/// [`BODY_FREE_BYTES`] of each: 256 MiB, the memory that a small machine can spare.
pub const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of a body that are taken whatever others take: 64 KiB, so that small appends go on beside
/// any number of large ones. Requests under way bound them: to 32 MiB by default.
pub const BODY_FREE_BYTES: usize = 64 * 1024;

/// Bytes of a request's head that the node reads: 64 KiB. Beyond it the connection is ended.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a request's headers that are accepted: 48 KiB, which holds the longest query twice.
pub const HEADERS_BYTES_MAX: usize = 48 * 1024;

/// Headers of a request that are accepted: as many properties as a message can have, and some.
pub const HEADERS_MAX: usize = 100;

/// Default of the time from the first byte of a request's head to its last, and from the beginning of a
/// connection to its first request.
pub const HEAD_TIME: Duration = Duration::from_secs(10);

/// Default of the time after which a connection without a request under way is ended.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// Default of the time by which a body may be behind its pace.
pub const BODY_TIME: Duration = Duration::from_secs(30);

/// Bytes a second that are the pace of a body: 64 KiB, a slow mobile network.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 64 * 1024;

/// Default of the time after which a client that takes no byte of its answer is cut off.
pub const STALL_TIME: Duration = Duration::from_secs(30);

/// Default of the longest time that a request may wait for something to come: 8 s, below the 10 s
/// after which many HTTP clients give up an answer that has not begun. Who waits asks again.
pub const WAIT_MAX: Duration = Duration::from_secs(8);

/// Default of the time that shutting down may take: what systemd and Kubernetes allow.
pub const SHUTDOWN_TIME: Duration = Duration::from_secs(30);

/// How long a client may take nothing while others want its place, or while the node shuts down: 3 s,
/// in which a slow network repairs itself once.
pub const HURRIED_STALL_TIME: Duration = Duration::from_secs(3);

/// How often it is looked at whether a client takes something: each look costs a microsecond.
pub const STALL_CHECK_TIME: Duration = Duration::from_millis(500);

/// One connection has at most an eighth of the requests under way, so that it takes many to leave no
/// place for others.
pub const CONNECTION_SHARES: usize = 8;

/// Streams of one HTTP/2 connection that are open at once, where its share is more.
pub const STREAMS_MAX: u32 = 256;

/// Bytes of an answer that HTTP/2 is given at once: 16 KiB, a frame. A client takes as many within the
/// stall time, or nothing.
pub const STREAM_PIECE_BYTES: usize = 16 * 1024;

/// How long a connection without a request must have been idle to end for another one: 1 s, in which
/// its client sends what it made it for.
pub const GIVE_WAY_TIME: Duration = Duration::from_secs(1);

/// How long the end of an idle connection may take, which tells the client so.
pub const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// Bytes that a client may send ahead of the node in one HTTP/2 stream, and in one connection: 1 and
/// 4 MiB, so that a batch need not wait for a round trip.
pub const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// See [`STREAM_WINDOW_BYTES`].
pub const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Particles of one page of JSON.
pub const PAGE_PARTICLES_MAX: usize = 1000;

/// Particles of a page, when the request does not say.
pub const PAGE_PARTICLES_DEFAULT: usize = 100;

/// Bytes of JSON after which a page ends: 4 MiB, and one particle more.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of particles that are read for one piece of a stream, and of an answer that HTTP/1.1 is given
/// at once: 256 KiB. It is what a slow reader costs.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Bytes of a compressed payload's content that an answer of JSON shows: 16 MiB, as many as a payload
/// may have. A larger one is shown as it is stored.
pub const CONTENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of text beyond which a piece of an answer waits its turn, and is written on a thread that may
/// block: 4 MiB, which take some milliseconds.
pub const LARGE_BYTES_MIN: usize = 4 * 1024 * 1024;

/// Bytes of all such pieces together that are in memory: 256 MiB. Text may be eight times as long as
/// the payload that it shows.
pub const LARGE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Particles that are read for one piece of a stream.
pub const PIECE_PARTICLES: usize = 512;

/// How often an event stream without events sends a comment: below the idle time of proxies.
pub const EVENTS_BEAT: Duration = Duration::from_secs(15);

/// Particles of one receive: what one client can settle within a lease.
pub const RECEIVE_MAX: usize = 10_000;

/// Consumers whose handles the node keeps open: each costs up to a MiB of particles read ahead.
pub const OPEN_CONSUMERS_MAX: usize = 4096;

/// Topics, and consumers, that metrics tell about one by one; of more, only sums are told.
pub const METRIC_TOPICS_MAX: usize = 200;

/// Topics that one look at the metrics opens, because nobody asked for them since the node started:
/// 16, each of which takes some milliseconds.
pub const METRIC_OPENINGS_MAX: usize = 16;

/// For how long metrics believe what they read of a consumer that is not open: a minute, in which at
/// most its leases end.
pub const RESTING_TIME: Duration = Duration::from_secs(60);

/// After a connection could not be accepted, the node waits this long before it tries again.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a batch from which on it is encoded on a thread that may block: 128 KiB take about
/// 150 µs to hash, for which other requests need not wait.
pub const BLOCKING_BYTES_MIN: usize = 128 * 1024;

/// How often the file of tokens is looked at: a revoked token is valid for a second at most.
pub const TOKENS_CHECK_TIME: Duration = Duration::from_secs(1);

/// Most bytes of a line of a topic that comes to be restored: 8 MiB, a consumer with as many settled
/// ranges as there can be.
pub(crate) const RESTORATION_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most bytes of frames behind one line of it: 32 MiB, more than the largest frame has.
pub(crate) const RESTORATION_FRAMES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Refused administrative attempts with one status that are noted in the trail within
/// [`REFUSALS_TIME`]: 60, together some 6 MB a day at most. The others are counted.
pub const REFUSALS_NOTED_MAX: u32 = 60;

/// See [`REFUSALS_NOTED_MAX`].
pub const REFUSALS_TIME: Duration = Duration::from_secs(600);

/// How long shutting down waits for administrative actions that are under way, and their notes.
pub const ADMINISTERING_TIME: Duration = Duration::from_secs(5);
