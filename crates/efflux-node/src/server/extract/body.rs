//! Bodies: received within bounds of bytes, memory and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use efflux_flow::storage::remote::wire::ProblemKind;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::server::limits::BODY_BYTES_PER_SECOND_MIN;
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// A body that was received whole, and the memory that is counted for it until this is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _permits: Vec<OwnedSemaphorePermit>,
}

/// Receives a body of at most so many bytes.
pub(crate) async fn receive(node: &Node, mut body: Body, bytes_max: usize) -> Answer<Received> {
    let bytes_max = bytes_max.min(node.options().body_bytes_max);
    let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if said > bytes_max {
        return Err(too_large(bytes_max));
    }
    let mut permits = vec![node.hold_body(said)?];
    let pace = Pace {
        start: Instant::now(),
        time: node.options().body_time,
    };
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    let mut count = 0;
    while let Some(frame) = next_frame(&mut body, pace.deadline(count)).await? {
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let held = count.max(said);
        count += piece.len();
        if count > bytes_max {
            return Err(too_large(bytes_max));
        }
        if count > held {
            permits.push(node.hold_body(count - held)?);
        }
        if count == piece.len() {
            first = piece;
            continue;
        }
        if rest.is_empty() {
            rest.reserve(count.max(said));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&piece);
    }
    let bytes = match rest.is_empty() {
        true => first,
        false => rest.freeze(),
    };
    Ok(Received {
        bytes,
        _permits: permits,
    })
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

/// How long a body may take: a time for its beginning, and more for what has come.
struct Pace {
    start: Instant,
    time: Duration,
}

impl Pace {
    fn deadline(&self, count: usize) -> Instant {
        let millis = count as u64 * 1000 / BODY_BYTES_PER_SECOND_MIN;
        self.start + self.time + Duration::from_millis(millis)
    }
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(
        ProblemKind::TooLarge,
        format!("the body has more than {bytes_max} bytes: send it in parts"),
    )
}
