//! Work of a port on a thread that may wait for the disk.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::stage_error::StageError;

/// Does the work of a port on threads that may wait, so many at once and no more.
///
/// Work goes on when nobody waits for it any more, and keeps its turn until it is done. Who has to
/// wait for a turn does so without a thread: however often a delivery is given up on a disk that
/// hangs, no threads pile up.
#[derive(Debug)]
pub(super) struct Threads {
    turns: Arc<Semaphore>,
}

impl Threads {
    pub(super) fn new(at_once: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Does something with what a port shares when it is its turn.
    pub(super) async fn run<S, T, E>(
        &self,
        shared: &Arc<S>,
        work: impl FnOnce(&S) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        S: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StageError> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(StageError::unavailable)?;
        let shared = Arc::clone(shared);
        let done = spawn_blocking(move || {
            let _turn = turn;
            work(&shared)
        });
        match done.await {
            Ok(done) => done,
            Err(error) => Err(StageError::unavailable(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures_util::FutureExt;

    #[tokio::test]
    async fn work_that_was_given_up_is_waited_for_without_a_thread() {
        let threads = Threads::new(1);
        let begun = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::sync_channel::<()>(1);
        let first = threads.run(&begun, move |begun| {
            begun.fetch_add(1, Ordering::SeqCst);
            released.recv().map_err(StageError::unavailable)
        });
        assert!(first.now_or_never().is_none(), "it hangs, and is given up");
        let next = || {
            threads.run(&begun, |begun| {
                Ok::<_, StageError>(begun.fetch_add(1, Ordering::SeqCst))
            })
        };
        for _ in 0..20 {
            assert!(next().now_or_never().is_none());
        }
        release.send(()).unwrap();
        assert_eq!(next().await.unwrap(), 1, "none of the others has begun");
    }
}
