//! Particles written as text, a piece at a time. Text may be many times as long as what it shows:
//! escapes make six bytes of one, and what is compressed may be a thousand times as long.
//!
//! A piece that may be large waits until there is room for it, and is written on a thread that may
//! block, so that neither memory nor other requests depend on what payloads hold.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use efflux_flow::particle::Particle;
use efflux_flow::storage::{Error, ErrorKind, Result};

use crate::server::limits::{CONTENT_BYTES_MAX, LARGE_BYTES_MIN, PIECE_BYTES};
use crate::server::node::{Large, Node};
use crate::server::streamed::{Pieces, streamed};

/// Bytes of text for each byte of a payload, at most: a text that is JSON stands there twice, once
/// with escapes of six bytes.
const TEXT_PER_BYTE: usize = 8;

/// What is written one behind the other.
pub(crate) trait Written: Send + 'static {
    /// The particle that is shown.
    fn particle(&self) -> &Particle;
}

impl Written for Particle {
    fn particle(&self) -> &Particle {
        self
    }
}

/// How one of them is written.
pub(crate) type Write<T> = Arc<dyn Fn(&mut Vec<u8>, &T) + Send + Sync>;

/// Bytes of a piece with the room that is held for them.
struct Held {
    bytes: Vec<u8>,
    _large: Large,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Writes as many of `items` as one piece holds, one at least; the others stay.
///
/// # Errors
/// `Unavailable` when writing stopped at a defect.
pub(crate) async fn piece<T: Written>(
    node: &Node,
    items: &mut VecDeque<T>,
    write: &Write<T>,
) -> Result<Bytes> {
    let (taken, bytes_max) = take(items);
    let write = Arc::clone(write);
    let written = move || {
        let mut written = Vec::new();
        for item in &taken {
            write(&mut written, item);
        }
        written
    };
    if bytes_max < LARGE_BYTES_MIN {
        return Ok(written().into());
    }
    // What is given back is given back at once, so that nobody waits for room and holds some, but for
    // a client that has not yet taken the piece before, for which there is a time.
    let mut large = node.hold_large(bytes_max).await;
    let bytes = tokio::task::spawn_blocking(written).await;
    let bytes = bytes.map_err(|error| {
        let why = format!("an answer could not be written: {error}");
        Error::new(ErrorKind::Unavailable, why)
    })?;
    if bytes.len() < LARGE_BYTES_MIN {
        return Ok(bytes.into());
    }
    large.shrink(bytes.len());
    let held = Held {
        bytes,
        _large: large,
    };
    Ok(Bytes::from_owner(held))
}

/// Takes what one piece holds, and tells how long its text may be.
fn take<T: Written>(items: &mut VecDeque<T>) -> (Vec<T>, usize) {
    let (mut taken, mut stored, mut bytes_max) = (Vec::new(), 0, 0_usize);
    while let Some(item) = items.pop_front() {
        let particle = item.particle();
        stored += particle.frame().len();
        let text_max = text_bytes_max(particle);
        let is_over = stored > PIECE_BYTES || bytes_max.saturating_add(text_max) > LARGE_BYTES_MIN;
        if is_over && !taken.is_empty() {
            items.push_front(item);
            break;
        }
        bytes_max = bytes_max.saturating_add(text_max);
        taken.push(item);
    }
    (taken, bytes_max)
}

fn text_bytes_max(particle: &Particle) -> usize {
    let stored = particle.frame().len();
    let shown = match particle.metadata().content_encoding() {
        None => stored,
        Some(_) => stored.saturating_add(CONTENT_BYTES_MAX),
    };
    shown.saturating_mul(TEXT_PER_BYTE)
}

/// A body of pieces that were written before, one behind the other.
pub(crate) fn joined(pieces: VecDeque<Bytes>) -> Body {
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    if bytes >= LARGE_BYTES_MIN {
        return streamed(Joined(pieces));
    }
    let mut all = Vec::with_capacity(bytes);
    pieces.iter().for_each(|piece| all.extend_from_slice(piece));
    Body::from(all)
}

struct Joined(VecDeque<Bytes>);

#[async_trait]
impl Pieces for Joined {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(piece) = self.0.pop_front() {
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}
