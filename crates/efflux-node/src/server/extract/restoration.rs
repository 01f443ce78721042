//! A topic that comes to be restored: lines of JSON, and frames behind those that announce them.

use axum::body::Body;
use bytes::BytesMut;
use efflux_flow::storage::remote::wire::{ProblemKind, RestorationLine};
use http_body_util::BodyExt;
use tokio::time::timeout_at;

use super::body::{Pace, Received, Room};
use crate::server::limits::{RESTORATION_FRAMES_BYTES_MAX, RESTORATION_LINE_BYTES_MAX};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// The parts of a topic that comes to be restored. No more than one is in memory.
pub(crate) struct RestorationParts<'a> {
    node: &'a Node,
    body: Body,
    /// What came and was not given out.
    rest: BytesMut,
    has_ended: bool,
}

impl<'a> RestorationParts<'a> {
    pub(crate) fn new(node: &'a Node, body: Body) -> Self {
        Self {
            node,
            body,
            rest: BytesMut::new(),
            has_ended: false,
        }
    }

    /// The next line.
    pub(crate) async fn line(&mut self) -> Answer<RestorationLine> {
        let mut pace = self.pace();
        let mut seen = 0;
        loop {
            let unseen = self.rest.get(seen..).unwrap_or_default();
            if let Some(at) = unseen.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(seen + at + 1);
                return Ok(RestorationLine::parse(line.trim_ascii_end())?);
            }
            seen = self.rest.len();
            if seen > RESTORATION_LINE_BYTES_MAX {
                let why = format!("a line has more than {RESTORATION_LINE_BYTES_MAX} bytes");
                return Err(Refusal::invalid(why));
            }
            self.receive(&mut pace).await?;
        }
    }

    /// The frames that a line announced.
    pub(crate) async fn frames(&mut self, bytes: usize) -> Answer<Received> {
        if bytes > RESTORATION_FRAMES_BYTES_MAX {
            return Err(Refusal::new(
                ProblemKind::TooLarge,
                format!(
                    "{bytes} bytes of frames are announced: send at most \
                     {RESTORATION_FRAMES_BYTES_MAX} behind one line"
                ),
            ));
        }
        let (mut pace, mut room) = (self.pace(), Room::default());
        room.grow(self.node, self.rest.len().min(bytes))?;
        while self.rest.len() < bytes {
            self.receive(&mut pace).await?;
            room.grow(self.node, self.rest.len())?;
        }
        Ok(Received {
            bytes: self.rest.split_to(bytes).freeze(),
            _room: room,
        })
    }

    /// Demands that nothing follows.
    pub(crate) async fn end(&mut self) -> Answer<()> {
        let mut pace = self.pace();
        while !self.has_ended && self.rest.is_empty() {
            if let Err(error) = self.receive(&mut pace).await
                && !self.has_ended
            {
                return Err(error);
            }
        }
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(Refusal::invalid("something follows the line of the head")),
        }
    }

    /// The pace of one part: what the node does between parts is no fault of the client's.
    fn pace(&self) -> Pace {
        Pace::new(self.node.options().body_time)
    }

    /// Waits for more bytes.
    async fn receive(&mut self, pace: &mut Pace) -> Answer<()> {
        let frame = match timeout_at(pace.deadline, self.body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                let why = format!("the topic cannot be received, it is not restored: {error}");
                return Err(Refusal::invalid(why));
            }
            Ok(None) => {
                self.has_ended = true;
                let why = "the body ends before the line of the head: the topic is not restored";
                return Err(Refusal::invalid(why));
            }
            Err(_) => {
                let why = "the topic came too slowly, it is not restored: try again over a better \
                           connection";
                return Err(Refusal::new(ProblemKind::Timeout, why));
            }
        };
        let piece = frame.into_data().unwrap_or_default();
        pace.came(piece.len());
        self.rest.extend_from_slice(&piece);
        Ok(())
    }
}
