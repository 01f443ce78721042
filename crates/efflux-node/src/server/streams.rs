//! Streams of HTTP/2 whose clients take their answers, or lose them.
//!
//! A client opens the window of each stream by itself, so one that takes nothing of an answer may go
//! on with others, and its connection never stalls. Each stream is a task of its own here: it ends,
//! which resets the stream, when the client has had a piece of the answer before it for too long.
//! Pieces are small, so that a slow client is told from one that takes nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::limits::{PIECE_BYTES, STALL_CHECK_TIME, STREAM_PIECE_BYTES};
use super::patience::Patience;

tokio::task_local! {
    /// Whose turn it is in the stream that is served by this task.
    static TURN: Arc<Turn>;
}

/// Whose turn it is: that of the node to make the next piece of an answer, or that of the client to
/// take it.
#[derive(Debug, Default)]
struct Turn {
    /// Since when it is that of the client.
    of_client: Mutex<Option<Instant>>,
}

impl Turn {
    fn is_of_node(&self) {
        *self.of_client.lock() = None;
    }

    fn is_of_client(&self) {
        *self.of_client.lock() = Some(Instant::now());
    }

    /// Returns when it was that of the client for too long.
    async fn is_over(&self, patience: &Patience) {
        loop {
            let since = *self.of_client.lock();
            let left = match since.map(|since| patience.left(since)) {
                Some(None) => return,
                Some(Some(left)) => left,
                None => STALL_CHECK_TIME,
            };
            tokio::time::sleep(left).await;
        }
    }
}

/// Serves each stream of a connection in a task of its own, as long as its client takes something.
#[derive(Clone, Debug)]
pub(crate) struct Streams(Patience);

impl Streams {
    pub(crate) const fn new(patience: Patience) -> Self {
        Self(patience)
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (turn, patience) = (Arc::new(Turn::default()), self.0.clone());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = TURN.scope(Arc::clone(&turn), stream) => {}
                () = turn.is_over(&patience) => tracing::debug!("a stream's client takes nothing"),
            }
        });
    }
}

/// The same body in pieces of which it is known when they are taken. A connection of HTTP/1.1 is told
/// by its writes; its pieces are larger, and asked for when little is left to be written.
pub(crate) fn taken(body: Body) -> Body {
    Body::new(Taken {
        body,
        turn: TURN.try_with(Arc::clone).ok(),
        rest: Bytes::new(),
    })
}

/// A body that tells whose turn it is: the next piece is asked for when the one before was taken.
struct Taken {
    body: Body,
    /// None in HTTP/1.1.
    turn: Option<Arc<Turn>>,
    /// What is left of the piece that was made last.
    rest: Bytes,
}

impl Taken {
    fn cut(&mut self) -> Bytes {
        let most = match self.turn {
            Some(_) => STREAM_PIECE_BYTES,
            None => PIECE_BYTES,
        };
        if self.rest.len() > most {
            return self.rest.split_to(most);
        }
        let last = std::mem::take(&mut self.rest);
        match self.turn {
            // It may lie with the connection for long, and the memory that it is a part of shall not.
            Some(_) => Bytes::copy_from_slice(&last),
            None => last,
        }
    }
}

impl http_body::Body for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(turn) = &self.turn {
            turn.is_of_node();
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let piece = self.cut();
        if let Some(turn) = &self.turn {
            turn.is_of_client();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut all = SizeHint::new();
        all.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper() {
            all.set_upper(upper.saturating_add(rest));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn large_pieces_are_cut_and_nothing_of_them_is_lost() {
        let some = (0..251).cycle().take(STREAM_PIECE_BYTES * 2 + 5);
        let bytes: Vec<u8> = some.collect();
        let turn = Arc::new(Turn::default());
        let mut body = TURN.sync_scope(Arc::clone(&turn), || taken(Body::from(bytes.clone())));
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let (mut all, mut pieces) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= STREAM_PIECE_BYTES && turn.of_client.lock().is_some());
            all.extend_from_slice(&piece);
            pieces += 1;
        }
        assert_eq!((all, pieces), (bytes, 3));
        assert!(turn.of_client.lock().is_none());
    }
}
