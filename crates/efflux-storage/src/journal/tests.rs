//! Journals in files: what lasts, what is noticed, what a failing disk does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};

use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

use super::format::encode_file;
use super::{FileJournal, MemoryJournal, check};
use crate::disk::{Disk, DiskFile, LockGuard, RealDisk};
use crate::error::{ErrorKind, Result};
use crate::log::Journal;
use crate::workers::Workers;

/// A journal's file in a folder of its own.
struct Place {
    _folder: TempDir,
    path: PathBuf,
    workers: Arc<Workers>,
    disk: Arc<dyn Disk>,
}

impl Place {
    fn on(disk: Arc<dyn Disk>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consumers").join("c.journal");
        let workers = Arc::new(Workers::start("test", 2).unwrap());
        Self {
            _folder: folder,
            path,
            workers,
            disk,
        }
    }

    fn new() -> Self {
        Self::on(Arc::new(RealDisk))
    }

    fn open_as(&self, writable: bool) -> FileJournal {
        let (disk, workers) = (Arc::clone(&self.disk), Arc::clone(&self.workers));
        let topic = "t".parse().unwrap();
        FileJournal::open(disk, self.path.clone(), &topic, workers, writable).unwrap()
    }

    fn open(&self) -> FileJournal {
        self.open_as(true)
    }

    fn check(&self) -> Result<()> {
        check(&RealDisk, &self.path, &"t".parse().unwrap())
    }
}

fn record(number: u8) -> Vec<u8> {
    vec![number; usize::from(number)]
}

/// Adds a record, durably if asked.
async fn add(journal: &dyn Journal, record: Vec<u8>, durable: bool) -> Result<()> {
    journal.append(record).await?;
    match durable {
        true => journal.sync().await,
        false => Ok(()),
    }
}

async fn every_journal(journal: &dyn Journal) {
    assert!(journal.load().await.unwrap().is_empty());
    for number in 0..5 {
        add(journal, record(number), number % 2 == 0).await.unwrap();
    }
    assert_eq!(
        journal.load().await.unwrap(),
        (0..5).map(record).collect::<Vec<_>>()
    );
    journal.replace(record(9)).await.unwrap();
    add(journal, record(10), false).await.unwrap();
    assert_eq!(journal.load().await.unwrap(), [record(9), record(10)]);
    journal.delete().await.unwrap();
    assert!(journal.load().await.unwrap().is_empty());
}

#[tokio::test]
async fn records_come_back_in_order_are_replaced_and_deleted() {
    every_journal(&MemoryJournal::default()).await;
    let place = Place::new();
    every_journal(&place.open()).await;
    assert!(!place.path.exists());
}

#[tokio::test]
async fn records_last_over_a_reopening_and_reading_writes_nothing() {
    let place = Place::new();
    let journal = place.open();
    add(&journal, record(1), true).await.unwrap();
    add(&journal, record(2), false).await.unwrap();
    drop(journal);
    let bytes = fs::read(&place.path).unwrap();
    let reader = place.open_as(false);
    assert_eq!(reader.load().await.unwrap(), [record(1), record(2)]);
    assert_eq!(
        reader.append(record(3)).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(
        reader.delete().await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    place.check().unwrap();
    assert_eq!(place.open().load().await.unwrap(), [record(1), record(2)]);
    assert_eq!(fs::read(&place.path).unwrap(), bytes);
    let journal = place.open();
    add(&journal, record(3), true).await.unwrap();
    assert_eq!(
        journal.load().await.unwrap(),
        [record(1), record(2), record(3)]
    );
}

#[tokio::test]
async fn concurrent_appends_are_all_kept() {
    let place = Place::new();
    let journal = Arc::new(place.open());
    let appends: Vec<_> = (0..100)
        .map(|number| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move { add(&*journal, record(number), number % 3 == 0).await })
        })
        .collect();
    for append in appends {
        append.await.unwrap().unwrap();
    }
    let mut records = place.open().load().await.unwrap();
    records.sort_by_key(Vec::len);
    assert_eq!(records, (0..100).map(record).collect::<Vec<_>>());
}

/// Zeros that are left past the records, so that a test looks at a few of them.
const ZEROS: usize = 40;

/// A file with five durable records, made in two syncs, and two that are not durable.
async fn file() -> (Place, Vec<u8>, Vec<Vec<u8>>) {
    let place = Place::new();
    let journal = place.open();
    for number in 1..=7 {
        let durable = number == 3 || number == 5;
        add(&journal, record(number), durable).await.unwrap();
    }
    drop(journal);
    let mut bytes = fs::read(&place.path).unwrap();
    let records_end = 1536 + 7 * 16 + (1..=7).sum::<usize>();
    assert!(bytes.len() > records_end + ZEROS);
    assert!(bytes.drain(records_end + ZEROS..).all(|byte| byte == 0));
    (place, bytes, (1..=7).map(record).collect())
}

/// Reads damaged bytes: damage is noticed, or only what was never durable is gone.
async fn check_damaged(place: &Place, bytes: &[u8], records: &[Vec<u8>], what: &str) -> bool {
    fs::write(&place.path, bytes).unwrap();
    match place.open().load().await {
        Ok(found) => {
            assert!(
                found.len() >= 5 && records.starts_with(&found),
                "{what}: {}",
                found.len()
            );
            place.check().unwrap();
            false
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}");
            let damage = error.damage().unwrap();
            assert_eq!(damage.file, "consumers/c.journal");
            assert!(damage.offset <= bytes.len() as u64, "{what}");
            assert!(place.check().is_err());
            true
        }
    }
}

#[tokio::test]
async fn every_changed_byte_is_noticed_or_does_no_harm() {
    let (place, bytes, records) = file().await;
    let mut noticed = 0;
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let what = format!("byte {at}");
            noticed += usize::from(check_damaged(&place, &changed, &records, &what).await);
        }
    }
    // The header and five records with theirs, each byte twice.
    assert_eq!(noticed, 2 * (20 + 5 * 16 + (1 + 2 + 3 + 4 + 5)));
}

#[tokio::test]
async fn every_truncation_is_noticed_or_takes_only_what_was_never_durable() {
    let (place, bytes, records) = file().await;
    for length in 0..bytes.len() {
        let what = format!("{length} bytes");
        let noticed = check_damaged(&place, &bytes[..length], &records, &what).await;
        let durable = bytes.len() - ZEROS - (2 * 16 + 6 + 7);
        assert_eq!(noticed, length < durable, "{what}");
    }
    // A torn tail is cut by the next append, and what is appended then stays.
    fs::write(&place.path, &bytes[..bytes.len() - ZEROS - 1]).unwrap();
    let journal = place.open();
    add(&journal, record(8), true).await.unwrap();
    let mut expect = records[..6].to_vec();
    expect.push(record(8));
    assert_eq!(place.open().load().await.unwrap(), expect);
}

#[tokio::test]
async fn a_record_that_belongs_elsewhere_does_not_check() {
    let (place, bytes, records) = file().await;
    // The last record of another file with the same records before it, one generation later.
    let (other, _) = encode_file(2, &records).unwrap();
    let end = bytes.len() - ZEROS;
    let last = end - (16 + 7);
    let mut mixed = bytes[..last].to_vec();
    mixed.extend_from_slice(&other[last..]);
    fs::write(&place.path, mixed).unwrap();
    assert_eq!(place.open().load().await.unwrap(), records[..6]);
    // The last record once more.
    let mut twice = bytes[..end].to_vec();
    twice.extend_from_slice(&bytes[last..end]);
    fs::write(&place.path, twice).unwrap();
    assert_eq!(place.open().load().await.unwrap(), records);
}

#[tokio::test]
async fn what_waits_when_a_journal_is_dropped_does_not_come_after_the_next_one() {
    let place = Place::new();
    let first = place.open();
    add(&first, record(1), true).await.unwrap();
    let mut given_up = Vec::new();
    for number in 10..60 {
        let mut call = first.replace(record(number));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        given_up.push(call);
    }
    drop(given_up);
    drop(first);
    let next = place.open();
    next.replace(record(2)).await.unwrap();
    place.workers.run(|| ()).await.unwrap();
    assert_eq!(place.open().load().await.unwrap(), [record(2)]);
}

#[tokio::test]
async fn a_long_record_and_those_around_it_come_back_in_order() {
    let place = Place::new();
    let journal = place.open();
    let records = [vec![1; 10], vec![2; 3 * 1024 * 1024], vec![3; 10]];
    let [first, long, last] = records.clone();
    // Each is asked for before the one before it is done.
    let done = tokio::join!(
        journal.append(first),
        journal.append(long),
        journal.append(last),
        journal.sync()
    );
    for answer in [done.0, done.1, done.2, done.3] {
        answer.unwrap();
    }
    drop(journal);
    assert_eq!(place.open().load().await.unwrap(), records);
    place.check().unwrap();
}

/// What the syncs of a disk do.
#[derive(Debug, Default)]
struct Syncs {
    begun: AtomicUsize,
    fail: AtomicBool,
    /// Whether they stand, until told that they may go on.
    stand: Mutex<bool>,
    go_on: Condvar,
}

/// A disk whose syncs fail or stand when told to.
#[derive(Debug)]
struct Moody(Arc<Syncs>);

#[derive(Debug)]
struct MoodyFile(Arc<dyn DiskFile>, Arc<Syncs>);

/// Runs a call until it waits.
fn begin<F: Future<Output = Result<()>>>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    let mut context = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending());
    call
}

#[tokio::test]
async fn appends_go_on_beside_a_sync_and_all_who_wait_share_the_next() {
    let syncs = Arc::new(Syncs::default());
    let place = Place::on(Arc::new(Moody(Arc::clone(&syncs))));
    let journal = place.open();
    journal.append(record(1)).await.unwrap();
    let before = syncs.begun.load(Ordering::SeqCst);
    *syncs.stand.lock() = true;
    let mut waiting = vec![begin(journal.sync())];
    while syncs.begun.load(Ordering::SeqCst) == before {
        std::thread::yield_now();
    }
    for number in 2..20 {
        journal.append(record(number)).await.unwrap();
        waiting.push(begin(journal.sync()));
    }
    *syncs.stand.lock() = false;
    syncs.go_on.notify_all();
    for sync in waiting {
        sync.await.unwrap();
    }
    assert_eq!(syncs.begun.load(Ordering::SeqCst), before + 2);
    let records: Vec<_> = (1..20).map(record).collect();
    assert_eq!(journal.load().await.unwrap(), records);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_until_a_new_file_holds_what_was_read() {
    let syncs = Arc::new(Syncs::default());
    let place = Place::on(Arc::new(Moody(Arc::clone(&syncs))));
    let journal = place.open();
    add(&journal, record(1), true).await.unwrap();
    syncs.fail.store(true, Ordering::SeqCst);
    let error = add(&journal, record(2), true).await.unwrap_err();
    assert!(error.may_have_applied());
    syncs.fail.store(false, Ordering::SeqCst);
    for error in [
        add(&journal, record(3), true).await.unwrap_err(),
        journal.replace(record(3)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(!error.may_have_applied());
    }
    let before = fs::File::open(&place.path).unwrap();
    let again = place.open();
    add(&again, record(4), true).await.unwrap();
    assert_eq!(
        again.load().await.unwrap(),
        [record(1), record(2), record(4)]
    );
    // The old file is another one than that which stands in its place now.
    use std::os::unix::fs::MetadataExt;
    let after = fs::metadata(&place.path).unwrap();
    assert_ne!(before.metadata().unwrap().ino(), after.ino());
    assert_eq!(before.metadata().unwrap().nlink(), 0);
}

impl Disk for Moody {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let (file, syncs) = (RealDisk.create(path)?, Arc::clone(&self.0));
        Ok(Arc::new(MoodyFile(file, syncs)))
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

impl DiskFile for MoodyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.1.begun.fetch_add(1, Ordering::SeqCst);
        let mut stand = self.1.stand.lock();
        while *stand {
            self.1.go_on.wait(&mut stand);
        }
        match self.1.fail.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::Other.into()),
            false => self.0.sync(),
        }
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
}
