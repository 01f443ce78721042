//! From a thread that reads a file to the task that appends, with room for so much and no more.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Most items that wait, or are being appended.
const ITEMS_MAX: usize = 8192;
/// Most bytes that wait, or are being appended: 32 MiB, twice the largest payload.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Room is counted in units of this many bytes.
const UNIT_BYTES: usize = 256;

/// An item and the room it takes, which is free again when `room` is dropped.
#[derive(Debug)]
pub(crate) struct Fed<T> {
    pub(crate) item: T,
    /// To be kept for as long as the item is.
    pub(crate) room: OwnedSemaphorePermit,
}

/// The end of the task.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    items: mpsc::Receiver<Fed<T>>,
}

/// The end of the thread.
#[derive(Debug)]
pub(crate) struct Feeder<T> {
    items: mpsc::Sender<Fed<T>>,
    room: Arc<Semaphore>,
    runtime: Handle,
}

impl<T: Send + 'static> Feed<T> {
    /// Starts a thread that feeds. It ends with the program if it is still reading then.
    pub(crate) fn start(read: impl FnOnce(Feeder<T>) + Send + 'static) -> std::io::Result<Self> {
        let (sender, items) = mpsc::channel(ITEMS_MAX);
        let room = Arc::new(Semaphore::new(BYTES_MAX / UNIT_BYTES));
        let feeder = Feeder {
            items: sender,
            room,
            runtime: Handle::current(),
        };
        std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || read(feeder))?;
        Ok(Self { items })
    }

    /// What waits, at least one item; nothing when the thread has ended. Cancel-safe.
    pub(crate) async fn take(&mut self) -> Vec<Fed<T>> {
        let mut waiting = Vec::new();
        self.items.recv_many(&mut waiting, ITEMS_MAX).await;
        waiting
    }
}

impl<T> Feeder<T> {
    /// Hands an item on and waits while there is no room; false when nobody takes it any more.
    pub(crate) fn put(&self, item: T, bytes: usize) -> bool {
        let units = (bytes / UNIT_BYTES + 1).min(BYTES_MAX / UNIT_BYTES);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let room = match Arc::clone(&self.room).try_acquire_many_owned(units) {
            Ok(room) => Ok(room),
            Err(_) => self
                .runtime
                .block_on(Arc::clone(&self.room).acquire_many_owned(units)),
        };
        let Ok(room) = room else { return false };
        self.items.blocking_send(Fed { item, room }).is_ok()
    }
}
