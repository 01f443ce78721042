//! Frames of one bounded read, as the client of efflux-storage asks for them.

use axum::response::Response;
use bytes::Bytes;
use efflux_flow::particle::Particle;
use efflux_flow::storage::remote::wire::FRAMES;
use efflux_flow::storage::{ReadLimit, Result, Topic};

use super::selection::{Selection, Wanted};
use crate::server::answer;

/// Reads frames of at most so many bytes together, one at least when there is any.
///
/// # Errors
/// Those of reading.
pub(crate) async fn bounded(topic: Topic, wanted: &Wanted, bytes: usize) -> Result<Response> {
    let head = topic.head();
    let particles = wanted.limit.unwrap_or(usize::MAX);
    let limit = ReadLimit { particles, bytes }.bounded();
    let is_plain = wanted.query.is_none() && !wanted.reverse && wanted.until.is_none();
    let written = match is_plain && particles > 0 {
        true => topic.read_frames(wanted.from, limit).await?.bytes().clone(),
        false => selected(topic, wanted, limit).await?,
    };
    Ok(answer::with_head(answer::body(FRAMES, written), head))
}

async fn selected(topic: Topic, wanted: &Wanted, limit: ReadLimit) -> Result<Bytes> {
    let mut selection = Selection::new(topic, wanted).await?;
    let (mut written, mut count) = (Vec::new(), 0);
    loop {
        let batch = selection.next_batch().await?;
        if batch.is_empty() {
            return Ok(written.into());
        }
        for frame in batch.iter().map(Particle::frame) {
            let is_too_much = count > 0 && written.len() + frame.len() > limit.bytes;
            if is_too_much || count == limit.particles {
                return Ok(written.into());
            }
            written.extend_from_slice(frame);
            count += 1;
        }
    }
}
