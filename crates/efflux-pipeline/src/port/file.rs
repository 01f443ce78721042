//! A port to files.

mod appender;
mod claims;
mod fault;
mod faults;
mod place;
mod record;
mod rotation;
mod single;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use efflux_storage::Clock;
use efflux_storage::particle::Timestamp;
use serde::Deserialize;

use self::appender::Appender;
use super::blocking::Threads;
use super::{Advance, Batch, Failed, Kept, Port, Reader};
use crate::limits::WRITTEN_AT_ONCE_MAX;
use crate::parcel::Parcel;
use crate::quantity::{ByteSize, Period};
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;

/// Writes messages into files.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct FilePortSettings {
    /// The folder beneath which all files lie. It must be there.
    pub folder: PathBuf,
    /// Which file of it a message goes to, as in `{properties.region}/{id}.json`. Folders on the way
    /// are made.
    pub path: Template,
    /// Whether files hold many messages, or one each.
    #[serde(default)]
    pub layout: FileLayout,
    /// What parts messages in a file that holds many.
    #[serde(default)]
    pub separator: FileSeparator,
    /// A file that has become so large is given a number (`orders.log.1`), and another one begun.
    #[serde(default)]
    pub rotate_bytes: Option<ByteSize>,
    /// A file that was begun so long ago is given a number, and another one begun.
    #[serde(default)]
    pub rotate_after: Option<Period>,
}

/// Whether files hold many messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileLayout {
    /// Messages are added at the file's end, each exactly once.
    #[default]
    Append,
    /// A file holds one message. It is there whole or not at all.
    Each,
}

/// What parts messages in a file that holds many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileSeparator {
    /// A line feed behind each; a message with one inside is refused.
    #[default]
    Lines,
    /// Nothing.
    None,
    /// The message's length before it, in four bytes, the lowest first.
    Length,
}

/// Writes messages into files beneath a folder.
///
/// Files that hold many messages get each exactly once: how long they are is kept beside the
/// position, in `.efflux-PIPELINE.json` of the folder, and what stands behind that is cut off at
/// opening. A file that holds one message gets its name when it is whole; when the message comes
/// again, the file is found there. All is synced to the disk before a batch counts as delivered.
#[derive(Clone)]
pub struct FilePort {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
    clock: Arc<dyn Clock>,
}

struct Shared {
    settings: FilePortSettings,
    reader: Mutex<Option<Reader>>,
    /// Only the thread whose turn it is takes the lock.
    appender: Mutex<Option<Appender>>,
}

impl FilePort {
    /// Writes as the settings say; the clock tells how old a file is.
    ///
    /// # Errors
    /// `Fatal` when the settings contradict each other.
    pub fn new(settings: FilePortSettings, clock: Arc<dyn Clock>) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        let at_once = match settings.layout {
            FileLayout::Append => 1,
            FileLayout::Each => WRITTEN_AT_ONCE_MAX,
        };
        let shared = Shared {
            settings,
            reader: Mutex::new(None),
            appender: Mutex::new(None),
        };
        Ok(Self {
            shared: Arc::new(shared),
            threads: Arc::new(Threads::new(at_once)),
            clock,
        })
    }
}

impl Shared {
    fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        if !self.settings.folder.is_dir() {
            let folder = self.settings.folder.display();
            return Err(StageError::fatal(format!("there is no folder {folder}")));
        }
        if self.settings.layout == FileLayout::Each {
            return Ok(Kept::Nothing);
        }
        let mut held = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        // Its lock on the folder goes first.
        *held = None;
        let appender = Appender::open(&self.settings, reader)?;
        let position = appender.position();
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader.clone());
        *held = Some(appender);
        Ok(Kept::Position(position))
    }

    fn append(
        &self,
        parcels: &[Parcel],
        advance: Option<Advance>,
        now: Timestamp,
    ) -> Result<(), Failed> {
        let mut held = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(appender) = held.as_mut() else {
            return Err(StageError::unavailable("the folder is not open").into());
        };
        let appended = appender.append(parcels, advance, now);
        if matches!(&appended, Err(Failed::Whole(error)) if error.kind() != "fatal") {
            // What was written of the batch is cut off at once, as far as the disk lets it.
            *held = None;
            let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            *held = reader
                .as_ref()
                .and_then(|reader| Appender::open(&self.settings, reader).ok());
        }
        appended
    }
}

#[async_trait]
impl Port for FilePort {
    async fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        let reader = reader.clone();
        let opening = move |shared: &Shared| shared.open(&reader);
        self.threads.run(&self.shared, opening).await
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let parcels = batch.parcels.to_vec();
        let advance = batch.position;
        let now = self.clock.now();
        let delivery = move |shared: &Shared| match shared.settings.layout {
            FileLayout::Append => shared.append(&parcels, advance, now),
            FileLayout::Each => single::deliver(&shared.settings, &parcels),
        };
        self.threads.run(&self.shared, delivery).await
    }

    fn keeps_position(&self) -> bool {
        self.shared.settings.layout == FileLayout::Append
    }

    async fn close(&self) -> Result<(), StageError> {
        let closing = |shared: &Shared| {
            let mut held = shared
                .appender
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *held = None;
            Ok(())
        };
        self.threads.run(&self.shared, closing).await
    }
}

impl fmt::Debug for FilePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePort")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
