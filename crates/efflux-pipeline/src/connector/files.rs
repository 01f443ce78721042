//! The files of a folder.

mod disposal;
mod feed;
mod finder;
mod identity;
mod limits;
mod pattern;
mod place;
mod reading;
mod records;
mod root;
mod rows;
mod scan;
mod settings;
mod taken;
mod waiting;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use self::feed::{Feed, Step};
pub use self::settings::{FilesDone, FilesForm, FilesSettings};
use super::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::stage_error::StageError;

/// The files of a folder, each taken when it rests and put away when all of it is delivered.
///
/// - **The version of a file** is its path in the folder, its size and its time of modification. A
///   version is taken once: ids follow from the folder as the settings name it, the version, and each
///   record's number and bytes, so that what was delivered before a crash and is read again after it
///   adds nothing to a topic. A file that is written anew is another version, even with the same
///   content. One that is renamed or copied within the folder is another file.
/// - **A file that is being written is not taken** as long as its size or time of modification change
///   at least once in the settle time. A writer that makes longer breaks has its file taken early;
///   when it goes on before the file is put away, all of the file comes again as another version.
///   Who writes elsewhere in the same file system, or under a name that begins with a dot, and renames
///   the file when it is complete, is safe whatever the times.
/// - **One process takes files from a folder**; a second with the same patterns waits as its stand-in
///   (a lock file, which falls with its process). Patterns of different pipelines should not overlap.
/// - **Memory** is bounded: at most 65,536 files are waited for, one is read at a time, and a million
///   of them are looked through in parts.
/// - Symbolic links, pipes, devices and names that begin with a dot are left alone. What is refused, a
///   file that cannot be read or a record that is too large or malformed, goes where the pipeline's
///   policy sends it, and the others go on.
///
/// Each message has the properties `file.name`, `file.path`, `file.modified` and, where a file holds
/// several, `file.record`; its time is the file's.
#[derive(Debug)]
pub struct FilesConnector {
    feed: Arc<Mutex<Feed>>,
    /// An intake that nobody waited for any more when it was made.
    made: Arc<Mutex<Option<Intake>>>,
    wake: Arc<Notify>,
}

impl FilesConnector {
    /// The files of the folder that the settings name. It is opened by the first `poll`.
    ///
    /// # Errors
    /// `Fatal` when the settings are wrong.
    pub fn new(settings: FilesSettings) -> Result<Self, StageError> {
        let patterns = settings.check()?;
        let wake = Arc::new(Notify::new());
        Ok(Self {
            feed: Arc::new(Mutex::new(Feed::new(settings, patterns, Arc::clone(&wake)))),
            made: Arc::default(),
            wake,
        })
    }

    /// Does something with the files on a thread that may wait for the disk.
    async fn with_feed<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Feed) -> Result<T, StageError> + Send + 'static,
    ) -> Result<T, StageError> {
        let feed = Arc::clone(&self.feed);
        let done = spawn_blocking(move || work(&mut feed.lock())).await;
        done.unwrap_or_else(|error| Err(StageError::unavailable(error)))
    }
}

#[async_trait]
impl Connector for FilesConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        loop {
            let made = Arc::clone(&self.made);
            let now = Instant::now();
            let waits = self
                .with_feed(move |feed| {
                    if made.lock().is_some() {
                        return Ok(None);
                    }
                    Ok(match feed.step(max, now)? {
                        // Kept where the next `poll` finds it when this one is dropped.
                        Step::Intake(intake) => {
                            *made.lock() = Some(intake);
                            None
                        }
                        Step::More => None,
                        Step::Wait(until) => Some(until),
                    })
                })
                .await?;
            if let Some(intake) = self.made.lock().take() {
                return Ok(Some(intake));
            }
            if let Some(until) = waits {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = sleep_until(until) => {}
                }
            }
        }
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        let now = Instant::now();
        let answered = self.with_feed(move |feed| feed.ack(receipt, now)).await;
        self.wake.notify_one();
        answered
    }

    async fn nack(&self, receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        let now = Instant::now();
        let answered = self.with_feed(move |feed| feed.nack(receipt, now)).await;
        self.wake.notify_one();
        answered
    }

    async fn close(&self) -> Result<(), StageError> {
        self.with_feed(|feed| {
            feed.close();
            Ok(())
        })
        .await
    }
}
