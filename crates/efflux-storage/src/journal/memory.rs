//! A journal that is gone with the process.

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::error::Result;
use crate::log::Journal;

/// A journal that is gone with the process.
#[derive(Debug, Default)]
pub(crate) struct MemoryJournal {
    records: Mutex<Vec<Vec<u8>>>,
}

impl MemoryJournal {
    /// Whether anything is kept.
    pub(crate) fn is_kept(&self) -> bool {
        !self.records.lock().is_empty()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn load(&self) -> Result<Vec<Vec<u8>>> {
        Ok(self.records.lock().clone())
    }

    async fn append(&self, record: Vec<u8>) -> Result<()> {
        self.records.lock().push(record);
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }

    async fn replace(&self, record: Vec<u8>) -> Result<()> {
        *self.records.lock() = vec![record];
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        self.records.lock().clear();
        Ok(())
    }
}
