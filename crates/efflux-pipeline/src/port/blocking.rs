//! Work of a port on a thread that may wait for the disk.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::stage_error::StageError;

/// Does something with what a port shares, on a thread that may wait. It goes on when this is dropped.
pub(super) async fn blocking<S, T, E>(
    shared: &Arc<S>,
    work: impl FnOnce(&S) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    S: Send + Sync + 'static,
    T: Send + 'static,
    E: From<StageError> + Send + 'static,
{
    let shared = Arc::clone(shared);
    match spawn_blocking(move || work(&shared)).await {
        Ok(done) => done,
        Err(error) => Err(StageError::unavailable(error).into()),
    }
}
