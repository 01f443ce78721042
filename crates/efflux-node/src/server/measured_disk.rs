//! A disk whose syncs are measured.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use efflux_flow::storage::{Disk, DiskFile, LockGuard};
use prometheus_client::metrics::histogram::Histogram;

/// A disk whose syncs are measured, for `efflux_sync_duration_seconds`: open the store on it, and
/// give it to [`Server::with_disk`].
///
/// [`Server::with_disk`]: crate::server::Server::with_disk
#[derive(Clone, Debug)]
pub struct MeasuredDisk {
    disk: Arc<dyn Disk>,
    seconds: SyncSeconds,
}

/// Where the times go, once somebody wants them.
#[derive(Clone, Default)]
struct SyncSeconds(Arc<OnceLock<Histogram>>);

#[derive(Debug)]
struct MeasuredFile {
    file: Arc<dyn DiskFile>,
    seconds: SyncSeconds,
}

impl MeasuredDisk {
    /// Measures the syncs of this disk.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        let seconds = SyncSeconds::default();
        Self { disk, seconds }
    }

    /// Tells the times from here on. The first who asks gets them.
    pub(super) fn tell(&self, seconds: Histogram) {
        let _ = self.seconds.0.set(seconds);
    }

    fn file(&self, file: io::Result<Arc<dyn DiskFile>>) -> io::Result<Arc<dyn DiskFile>> {
        let seconds = self.seconds.clone();
        file.map(|file| -> Arc<dyn DiskFile> { Arc::new(MeasuredFile { file, seconds }) })
    }
}

impl SyncSeconds {
    fn measure<T>(&self, sync: impl FnOnce() -> T) -> T {
        let Some(seconds) = self.0.get() else {
            return sync();
        };
        let start = Instant::now();
        let synced = sync();
        seconds.observe(start.elapsed().as_secs_f64());
        synced
    }
}

#[deny(clippy::missing_trait_methods)]
impl Disk for MeasuredDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.disk.open(path))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.disk.create(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_folder(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.seconds.measure(|| self.disk.sync_folder(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(path)
    }

    fn lock(&self, path: &Path, note: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.disk.lock(path, note)
    }

    fn room(&self, folder: &Path) -> io::Result<u64> {
        self.disk.room(folder)
    }

    fn boot(&self) -> Option<[u8; 16]> {
        self.disk.boot()
    }

    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        self.disk.real_path(path)
    }
}

#[deny(clippy::missing_trait_methods)]
impl DiskFile for MeasuredFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.seconds.measure(|| self.file.sync())
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn is_empty(&self) -> io::Result<bool> {
        self.file.is_empty()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
}

impl fmt::Debug for SyncSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncSeconds")
    }
}
