//! The body of a request that is made while it is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

/// Pieces that wait to be sent: one can be made while another is under way.
const WAITING_MAX: usize = 2;

/// What fills a body. The body ends when this is dropped.
#[derive(Debug)]
pub(super) struct PieceSender {
    pieces: mpsc::Sender<Bytes>,
    counts: Arc<Counts>,
}

/// The body of a request that is made while it is sent.
#[derive(Debug)]
pub(super) struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    counts: Arc<Counts>,
}

/// How far the body got.
#[derive(Debug, Default)]
pub(super) struct Counts {
    made: AtomicU64,
    taken: AtomicU64,
}

/// A body, and what fills it.
pub(super) fn pieces() -> (PieceSender, Pieces) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let counts = Arc::new(Counts::default());
    let filling = PieceSender {
        pieces: sender,
        counts: Arc::clone(&counts),
    };
    let pieces = receiver;
    (filling, Pieces { pieces, counts })
}

impl PieceSender {
    /// Hands in the next piece and waits until there is room for it. False when nobody takes the
    /// body any longer.
    pub(super) async fn send(&self, piece: Bytes) -> bool {
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        self.pieces.send(piece).await.is_ok()
    }
}

impl Pieces {
    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl Counts {
    /// How many pieces were taken, when there are some that were not.
    pub(super) fn taken_of_more(&self) -> Option<u64> {
        let taken = self.taken.load(Ordering::Relaxed);
        (taken < self.made.load(Ordering::Relaxed)).then_some(taken)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.poll_recv(context);
        piece.map(|piece| {
            let bytes = piece?;
            self.counts.taken.fetch_add(1, Ordering::Relaxed);
            Some(Ok(Frame::data(bytes)))
        })
    }
}
