//! A topic that is sent to a node, to be restored there.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use efflux_particle::{ConsumerName, Head, Particle};

use super::client::Running;
use super::pieces::PieceSender;
use super::wire::{ConsumerStateShown, RestorationLine};
use crate::consumer::ConsumerState;
use crate::error::{Error, Result};
use crate::host::HostedRestoring;

/// Bytes of frames that are sent together, unless one frame alone has more: 1 MiB.
const FRAMES_BYTES_MAX: usize = 1024 * 1024;

/// A topic that is sent to a node: one request, whose body goes on until the head is told. A body
/// that ends before that leaves no topic, so dropping this is giving it up.
#[derive(Debug)]
pub(super) struct RemoteRestoring {
    body: PieceSender,
    answer: Running,
    /// Frames that are not sent yet.
    frames: BytesMut,
}

impl RemoteRestoring {
    pub(super) fn new(body: PieceSender, answer: Running) -> Self {
        let frames = BytesMut::new();
        Self {
            body,
            answer,
            frames,
        }
    }

    /// Sends the frames that are not sent yet.
    async fn flush(&mut self) -> Result<()> {
        if self.frames.is_empty() {
            return Ok(());
        }
        let frames = self.frames.split().freeze();
        self.send(RestorationLine::Frames(frames.len()).print())
            .await?;
        self.send(frames).await
    }

    pub(super) async fn send(&mut self, piece: impl Into<Bytes> + Send) -> Result<()> {
        if self.body.send(piece.into()).await {
            return Ok(());
        }
        // The node has answered before the body's end, or is gone.
        match (&mut self.answer).await {
            Err(error) => Err(error),
            Ok(_) => Err(Error::closed("the node takes no more of the topic")),
        }
    }
}

#[async_trait]
impl HostedRestoring for RemoteRestoring {
    async fn append(&mut self, particles: &[Particle]) -> Result<()> {
        for particle in particles {
            let frame = particle.frame();
            if self.frames.len() + frame.len() > FRAMES_BYTES_MAX {
                self.flush().await?;
            }
            self.frames.extend_from_slice(frame);
        }
        Ok(())
    }

    async fn put_consumer(&mut self, name: &ConsumerName, state: &ConsumerState) -> Result<()> {
        self.flush().await?;
        let shown = ConsumerStateShown::new(name, state);
        self.send(RestorationLine::Consumer(shown).print()).await
    }

    async fn finish(mut self: Box<Self>, head: Head) -> Result<()> {
        self.flush().await?;
        self.send(RestorationLine::head(head).print()).await?;
        let Self { body, answer, .. } = *self;
        drop(body);
        answer.await.map(drop)
    }
}
