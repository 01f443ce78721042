//! What opening a topic costs: the same whatever the topic's size.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use efflux_storage::particle::{Message, Sequence, TopicName};
use efflux_storage::{
    Disk, DiskFile, LockGuard, RealDisk, Store, StoreOptions, SystemClock, TopicOptions,
};

/// The real disk, counting the bytes that are read from it.
#[derive(Clone, Debug, Default)]
struct Counting {
    bytes: Arc<AtomicU64>,
}

#[derive(Debug)]
struct CountingFile {
    file: Arc<dyn DiskFile>,
    bytes: Arc<AtomicU64>,
}

impl Counting {
    fn wrap(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let bytes = Arc::clone(&self.bytes);
        Arc::new(CountingFile { file, bytes })
    }
}

#[deny(clippy::missing_trait_methods)]
impl Disk for Counting {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(RealDisk.open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(RealDisk.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_folder(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn lock(&self, path: &Path, note: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        RealDisk.lock(path, note)
    }

    fn room(&self, folder: &Path) -> io::Result<u64> {
        RealDisk.room(folder)
    }

    fn boot(&self) -> Option<[u8; 16]> {
        RealDisk.boot()
    }

    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        RealDisk.real_path(path)
    }
}

#[deny(clippy::missing_trait_methods)]
impl DiskFile for CountingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
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

async fn append(store: &Store, name: &TopicName, batches: usize) {
    let options = TopicOptions::default().with_segment_bytes(1024 * 1024);
    let topic = store.topic_or_create(name, options).await.unwrap();
    for _ in 0..batches {
        let messages = (0..1000).map(|at| Message::new(format!("{at:0100}")));
        topic.append_batch(messages.collect()).await.unwrap();
    }
}

/// Bytes that are read when the store and its topic are opened.
async fn bytes_to_open(url: &str, name: &TopicName) -> u64 {
    let (store, disk) = counted(url).await;
    store.topic(name).await.unwrap();
    let bytes = disk.bytes.load(Ordering::Relaxed);
    store.close().await.unwrap();
    bytes
}

/// A folder with a topic `t` of so many batches; its store's address, and the topic's name.
async fn stored(batches: usize) -> (tempfile::TempDir, String, TopicName) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("data").display());
    let name: TopicName = "t".parse().unwrap();
    let store = Store::open(&url).await.unwrap();
    append(&store, &name, batches).await;
    store.close().await.unwrap();
    (folder, url, name)
}

/// Opens a store on a disk that counts.
async fn counted(url: &str) -> (Store, Counting) {
    let disk = Counting::default();
    let clock = Arc::new(SystemClock);
    let options = StoreOptions::default();
    let store = Store::open_in(url, options, clock, Arc::new(disk.clone()));
    (store.await.unwrap(), disk)
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_reads_as_much_of_a_large_topic_as_of_a_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("data").display());
    let name: TopicName = "t".parse().unwrap();
    let mut read = Vec::new();
    for batches in [10, 30] {
        let store = Store::open(&url).await.unwrap();
        append(&store, &name, batches).await;
        store.close().await.unwrap();
        drop(store);
        read.push(bytes_to_open(&url, &name).await);
    }
    // At most the last batch, a table of offsets of one segment, and the small files.
    let most = 1024 * 1024;
    assert!(read.iter().all(|bytes| *bytes < most), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn getting_one_particle_of_a_sealed_segment_reads_little_more_than_it() {
    let (_folder, url, name) = stored(30).await;
    let (store, disk) = counted(&url).await;
    let topic = store.topic(&name).await.unwrap();
    let before = disk.bytes.load(Ordering::Relaxed);
    for sequence in [1, 2, 3000, 9999, 1] {
        let particle = topic.get(Sequence::new(sequence)).await.unwrap().unwrap();
        assert_eq!(particle.sequence().get(), sequence);
    }
    let read = disk.bytes.load(Ordering::Relaxed) - before;
    assert!(read < 5 * 1000, "{read} bytes");
    // The last particle of each segment too: where it ends stands nowhere but in the file's length.
    for sequence in 1..=30_000 {
        let particle = topic.get(Sequence::new(sequence)).await.unwrap().unwrap();
        assert_eq!(particle.sequence().get(), sequence);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_read_often_has_its_table_in_memory() {
    let (_folder, url, name) = stored(30).await;
    let (store, disk) = counted(&url).await;
    let topic = store.topic(&name).await.unwrap();
    let mut read = Vec::new();
    let mut frame_bytes = 0;
    for _ in 0..200 {
        let before = disk.bytes.load(Ordering::Relaxed);
        let particle = topic.get(Sequence::new(1)).await.unwrap().unwrap();
        frame_bytes = particle.frame().len() as u64;
        read.push(disk.bytes.load(Ordering::Relaxed) - before);
    }
    assert!(read[0] > frame_bytes, "the frame's place is read first");
    assert_eq!(read[199], frame_bytes, "its place is known");
    let larger = read.iter().filter(|bytes| **bytes > 1000 + frame_bytes);
    assert_eq!(larger.count(), 1, "the table is read once");
}
