//! STUB
use crate::workers::Workers;
use crate::*;
use async_trait::async_trait;
use efflux_particle::*;
use std::path::*;
use std::sync::Arc;
#[derive(Debug, Default)]
pub(crate) struct MemoryJournal;
impl MemoryJournal {
    pub(crate) fn is_kept(&self) -> bool {
        false
    }
}
#[derive(Debug)]
pub(crate) struct FileJournal;
impl FileJournal {
    pub(crate) fn open(
        _: Arc<dyn Disk>,
        _: PathBuf,
        _: &TopicName,
        _: Arc<Workers>,
        _: bool,
    ) -> Result<Self> {
        Ok(Self)
    }
}
#[async_trait]
impl Journal for MemoryJournal {
    async fn load(&self) -> Result<Vec<Vec<u8>>> {
        Ok(vec![])
    }
    async fn append(&self, _: Vec<u8>, _: bool) -> Result<()> {
        Ok(())
    }
    async fn replace(&self, _: Vec<u8>) -> Result<()> {
        Ok(())
    }
    async fn delete(&self) -> Result<()> {
        Ok(())
    }
}
#[async_trait]
impl Journal for FileJournal {
    async fn load(&self) -> Result<Vec<Vec<u8>>> {
        Ok(vec![])
    }
    async fn append(&self, _: Vec<u8>, _: bool) -> Result<()> {
        Ok(())
    }
    async fn replace(&self, _: Vec<u8>) -> Result<()> {
        Ok(())
    }
    async fn delete(&self) -> Result<()> {
        Ok(())
    }
}
pub(crate) fn check(_: &dyn Disk, _: &Path, _: &TopicName) -> Result<()> {
    Ok(())
}
