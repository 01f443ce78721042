//! A connection that fails when its peer takes nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::patience::Patience;

/// A stream whose writes fail when the peer has taken no byte for some time. Reads are not timed:
/// what is slow there is told by requests and bodies.
#[derive(Debug)]
pub(crate) struct Stalling<S> {
    inner: S,
    patience: Patience,
    stalled: Option<Stalled>,
}

/// A write that waits.
#[derive(Debug)]
struct Stalled {
    since: Instant,
    /// Until it is asked again how long that may be.
    sleep: Pin<Box<Sleep>>,
}

impl<S> Stalling<S> {
    pub(crate) const fn new(inner: S, patience: Patience) -> Self {
        Self {
            inner,
            patience,
            stalled: None,
        }
    }

    /// What a write came to, or a failure when it waits for too long.
    fn hold<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let since = self
            .stalled
            .as_ref()
            .map_or_else(Instant::now, |it| it.since);
        while let Some(left) = self.patience.left(since) {
            let stalled = self.stalled.get_or_insert_with(|| Stalled {
                since,
                sleep: Box::pin(tokio::time::sleep(left)),
            });
            ready!(stalled.sleep.as_mut().poll(context));
            stalled.sleep.as_mut().reset(Instant::now() + left);
        }
        let why = "the client takes nothing of its answer";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.hold(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, buffers);
        self.hold(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.hold(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.inner).poll_shutdown(context);
        self.hold(context, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_noticed_and_a_slow_one_is_borne() {
        let patience = Patience::new(
            Duration::from_secs(1),
            tokio::sync::watch::Sender::new(false).subscribe(),
        );
        let (mut near, far) = tokio::io::duplex(4);
        let mut far = Stalling::new(far, patience.clone());
        let writing = tokio::spawn(async move { far.write_all(&[7; 12]).await });
        let mut taken = [0; 4];
        for _ in 0..2 {
            tokio::time::advance(Duration::from_millis(900)).await;
            near.read_exact(&mut taken).await.unwrap();
        }
        assert!(writing.await.unwrap().is_ok());

        let (_near, far) = tokio::io::duplex(4);
        let mut far = Stalling::new(far, patience);
        let failed = far.write_all(&[7; 12]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }
}
