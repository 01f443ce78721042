//! Making, opening and deleting topics side by side.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use efflux_storage::particle::{Message, TopicName};
use efflux_storage::{
    Disk, DiskFile, ErrorKind, LockGuard, RealDisk, Store, StoreOptions, SystemClock, TopicOptions,
};
use tokio::sync::Notify;

/// A disk on which making the topic `slow` takes until it is told to go on.
#[derive(Debug)]
struct SlowDisk {
    has_begun: Arc<Notify>,
    go_on: Mutex<Receiver<()>>,
}

impl SlowDisk {
    fn new() -> (Arc<Self>, Arc<Notify>, SyncSender<()>) {
        let ((sender, receiver), begun) = (sync_channel(1), Arc::new(Notify::new()));
        let disk = Self {
            has_begun: Arc::clone(&begun),
            go_on: Mutex::new(receiver),
        };
        (Arc::new(disk), begun, sender)
    }
}

impl Disk for SlowDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.create(path)
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
        if path.to_string_lossy().contains("slow") {
            self.has_begun.notify_one();
            self.go_on.lock().unwrap().recv().unwrap();
        }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_a_topic_is_made_others_are_opened_and_the_store_closes_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("data").display());
    let (other, slow): (TopicName, TopicName) = ("other".parse().unwrap(), "slow".parse().unwrap());
    let store = Store::open(&url).await.unwrap();
    let options = TopicOptions::default();
    store.create_topic(&other, options.clone()).await.unwrap();
    store.close().await.unwrap();

    let (disk, has_begun, go_on) = SlowDisk::new();
    let clock = Arc::new(SystemClock);
    let store = Store::open_in(&url, StoreOptions::default(), clock, disk);
    let store = store.await.unwrap();
    let making = tokio::spawn({
        let (store, slow) = (store.clone(), slow.clone());
        async move { store.create_topic(&slow, options).await }
    });
    has_begun.notified().await;
    let opened = async {
        let topic = store.topic(&other).await.unwrap();
        topic.append(Message::new("x")).await.unwrap()
    };
    let opened = tokio::time::timeout(Duration::from_secs(20), opened);
    assert_eq!(opened.await.unwrap().sequence.get(), 1);

    let closing = tokio::spawn({
        let store = store.clone();
        async move { store.close().await }
    });
    go_on.send(()).unwrap();
    let made = making.await.unwrap();
    closing.await.unwrap().unwrap();
    // It was made before the store let go of its lock, whether or not it is open by then.
    assert!(made.is_ok() || made.is_err_and(|error| error.kind() == ErrorKind::Closed));
    let store = Store::open(&url).await.unwrap();
    assert_eq!(store.topics().await.unwrap(), [other, slow]);
}
