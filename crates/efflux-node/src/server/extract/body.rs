//! Bodies: received within bounds of bytes, memory and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use efflux_flow::storage::remote::wire::ProblemKind;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::server::limits::{BODY_BYTES_PER_SECOND_MIN, BODY_FREE_BYTES};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// A body that was received whole, and the memory that is counted for it until this is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    pub(super) _room: Room,
}

/// Memory that is counted for a body. It is taken as bytes come: what a head says will come costs
/// nobody anything. When there is none the request is refused, so no two wait for each other.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: usize,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Room {
    /// Takes what is missing to so many bytes. The first of them are not counted.
    pub(super) fn grow(&mut self, node: &Node, bytes: usize) -> Answer<()> {
        let counted = bytes.saturating_sub(BODY_FREE_BYTES);
        if counted > self.bytes {
            self.permits.push(node.hold_body(counted - self.bytes)?);
            self.bytes = counted;
        }
        Ok(())
    }
}

/// Receives a body of at most so many bytes.
pub(crate) async fn receive(node: &Node, mut body: Body, bytes_max: usize) -> Answer<Received> {
    let bytes_max = bytes_max.min(node.options().body_bytes_max);
    let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if said > bytes_max {
        return Err(too_large(bytes_max));
    }
    let mut pace = Pace::new(node.options().body_time);
    let mut room = Room::default();
    let (mut first, mut rest) = (Bytes::new(), Vec::new());
    let mut count = 0;
    while let Some(frame) = next_frame(&mut body, pace.deadline).await? {
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        count += piece.len();
        if count > bytes_max {
            return Err(too_large(bytes_max));
        }
        pace.came(piece.len());
        if count == piece.len() {
            room.grow(node, count)?;
            first = piece;
            continue;
        }
        if rest.capacity() < count {
            // Twice as much each time, and never more than is to come where that is known.
            let most = if said >= count { said } else { bytes_max };
            let capacity = count.max(2 * rest.len()).max(BODY_FREE_BYTES).min(most);
            room.grow(node, capacity)?;
            rest.reserve_exact(capacity - rest.len());
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&piece);
    }
    let bytes = match rest.is_empty() {
        true => first,
        false => Bytes::from(rest),
    };
    Ok(Received { bytes, _room: room })
}

async fn next_frame(body: &mut Body, deadline: Instant) -> Answer<Option<http_body::Frame<Bytes>>> {
    match timeout_at(deadline, body.frame()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame)),
        Ok(Some(Err(error))) => Err(Refusal::invalid(format!(
            "the body cannot be received: {error}"
        ))),
        Err(_) => Err(Refusal::new(
            ProblemKind::Timeout,
            "the body came too slowly, nothing was done: try again over a better connection",
        )),
    }
}

/// How long the rest of a body is waited for: it may be behind its pace by so much time, however
/// fast its beginning came.
pub(super) struct Pace {
    time: Duration,
    pub(super) deadline: Instant,
}

impl Pace {
    pub(super) fn new(time: Duration) -> Self {
        let deadline = Instant::now() + time;
        Self { time, deadline }
    }

    /// So many bytes came.
    pub(super) fn came(&mut self, bytes: usize) {
        let micros = bytes as u64 * 1_000_000 / BODY_BYTES_PER_SECOND_MIN;
        let later = self.deadline + Duration::from_micros(micros);
        self.deadline = later.min(Instant::now() + self.time);
    }
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(
        ProblemKind::TooLarge,
        format!("the body has more than {bytes_max} bytes: send it in parts"),
    )
}
