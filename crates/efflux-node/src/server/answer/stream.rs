//! Particles one behind the other, read as the client takes them.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use axum::response::Response;
use bytes::Bytes;
use efflux_flow::particle::{Particle, Sequence};
use efflux_flow::storage::remote::wire::{FRAMES, NDJSON};
use efflux_flow::storage::{ReadLimit, Result, Topic};

use super::form::Form;
use super::selection::{Selection, Wanted};
use crate::server::answer::{self, Write, piece};
use crate::server::limits::PIECE_BYTES;
use crate::server::node::Node;
use crate::server::streamed::{Pieces, streamed};

/// Streams the particles that are wanted, as lines or as frames.
///
/// # Errors
/// Those of [`Selection::new`].
pub(crate) async fn stream(
    node: Arc<Node>,
    topic: Topic,
    wanted: &Wanted,
    form: Form,
) -> Result<Response> {
    let head = topic.head();
    let media_type = if form == Form::Frames { FRAMES } else { NDJSON };
    let is_plain = wanted.query.is_none() && !wanted.reverse && wanted.limit.is_none();
    let body = if form == Form::Frames && is_plain {
        let until = wanted
            .until
            .map_or(head.sequence, |until| until.min(head.sequence));
        let next = wanted.from;
        streamed(Frames { topic, next, until })
    } else {
        let selection = Selection::new(topic, wanted).await?;
        let write = form.writing(selection.topic().name(), b"");
        streamed(Selected {
            node,
            selection,
            read: VecDeque::new(),
            write,
        })
    };
    Ok(answer::with_head(answer::body(media_type, body), head))
}

/// Particles in some form.
struct Selected {
    node: Arc<Node>,
    selection: Selection,
    /// Read and not yet written.
    read: VecDeque<Particle>,
    write: Write<Particle>,
}

#[async_trait]
impl Pieces for Selected {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.read.is_empty() {
            self.read = self.selection.next_batch().await?.into();
        }
        if self.read.is_empty() {
            return Ok(None);
        }
        piece(&self.node, &mut self.read, &self.write)
            .await
            .map(Some)
    }
}

/// Frames of a range, as they stand in the files: nothing is decoded or copied.
struct Frames {
    topic: Topic,
    next: Sequence,
    until: Sequence,
}

#[async_trait]
impl Pieces for Frames {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.next > self.until {
            return Ok(None);
        }
        let left = self.until.past(self.next).saturating_add(1);
        let limit = ReadLimit {
            particles: usize::try_from(left).unwrap_or(usize::MAX),
            bytes: PIECE_BYTES,
        };
        let frames = self.topic.read_frames(self.next, limit).await?;
        self.next = frames.next();
        Ok(Some(frames.bytes().clone()).filter(|bytes| !bytes.is_empty()))
    }
}
