//! Answers that are made piece by piece, each when the one before was taken.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use efflux_flow::storage::Result;
use http_body::{Frame, SizeHint};

/// What makes the pieces of an answer.
#[async_trait]
pub(crate) trait Pieces: Send + 'static {
    /// The next piece, never empty; none at the end. Dropped when the client goes away.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}

type Making<P> = Pin<Box<dyn Future<Output = (P, Result<Option<Bytes>>)> + Send>>;

/// A body of pieces. At most one piece is in memory, besides what the connection has taken.
enum Streamed<P> {
    Making(Making<P>),
    Ended,
}

/// A body of pieces.
pub(crate) fn streamed(pieces: impl Pieces + Unpin) -> Body {
    Body::new(Streamed::Making(make(pieces)))
}

fn make<P: Pieces>(mut pieces: P) -> Making<P> {
    Box::pin(async move {
        let piece = pieces.next().await;
        (pieces, piece)
    })
}

impl<P: Pieces + Unpin> http_body::Body for Streamed<P> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self::Making(making) = &mut *self else {
            return Poll::Ready(None);
        };
        let (pieces, piece) = ready!(making.as_mut().poll(context));
        *self = Self::Ended;
        Poll::Ready(match piece {
            Ok(None) => None,
            Ok(Some(piece)) => {
                *self = Self::Making(make(pieces));
                Some(Ok(Frame::data(piece)))
            }
            // The answer has begun, so all that can be said is that it is not whole.
            Err(error) => {
                tracing::warn!(%error, "an answer was cut off");
                Some(Err(io::Error::other(error)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl<P> fmt::Debug for Streamed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Streamed")
    }
}

/// A body with something that is let go when the body was sent or given up.
pub(crate) struct Holding<H> {
    body: Body,
    held: Option<H>,
}

impl<H: Send + Unpin + 'static> Holding<H> {
    pub(crate) fn body(body: Body, held: H) -> Body {
        let held = Some(held);
        Body::new(Self { body, held })
    }
}

impl<H: Unpin> http_body::Body for Holding<H> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() {
            self.held = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
