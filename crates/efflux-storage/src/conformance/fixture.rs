//! How a check gets at the stores of a backend.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::SystemClock;
use crate::disk::Disk;
use crate::error::Result;
use crate::options::StoreOptions;
use crate::store::Store;

/// One store of a backend, which a check opens and opens again.
#[async_trait]
pub trait Fixture: Send + Sync + fmt::Debug {
    /// Opens the store to read and write; makes it the first time.
    ///
    /// # Errors
    /// Those of [`Store::open_with`].
    async fn open(&self) -> Result<Store>;

    /// Closes the store and opens it again, as another process would. A backend whose stores end
    /// with their process hands the same one back.
    ///
    /// # Errors
    /// Those of [`Store::close`] and [`Store::open_with`].
    async fn reopen(&self, store: Store) -> Result<Store>;

    /// Opens the store beside a process that has it open; none when no other process can reach it.
    async fn open_beside(&self, options: StoreOptions) -> Option<Result<Store>>;
}

/// A store in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFixture;

#[async_trait]
impl Fixture for MemoryFixture {
    async fn open(&self) -> Result<Store> {
        Store::open("mem:").await
    }

    async fn reopen(&self, store: Store) -> Result<Store> {
        Ok(store)
    }

    async fn open_beside(&self, _options: StoreOptions) -> Option<Result<Store>> {
        None
    }
}

/// A store in the files of a disk.
#[derive(Clone, Debug)]
pub struct FileFixture {
    url: String,
    disk: Arc<dyn Disk>,
}

impl FileFixture {
    /// The store at `url` on that disk.
    #[must_use]
    pub fn new(url: impl Into<String>, disk: Arc<dyn Disk>) -> Self {
        let url = url.into();
        Self { url, disk }
    }

    async fn open_with(&self, options: StoreOptions) -> Result<Store> {
        Store::open_in(
            &self.url,
            options,
            Arc::new(SystemClock),
            Arc::clone(&self.disk),
        )
        .await
    }
}

#[async_trait]
impl Fixture for FileFixture {
    async fn open(&self) -> Result<Store> {
        self.open_with(StoreOptions::default()).await
    }

    async fn reopen(&self, store: Store) -> Result<Store> {
        store.close().await?;
        drop(store);
        self.open().await
    }

    async fn open_beside(&self, options: StoreOptions) -> Option<Result<Store>> {
        Some(self.open_with(options).await)
    }
}
