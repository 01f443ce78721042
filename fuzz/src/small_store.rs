//! A small store on a simulated disk whose files a target changes, and what must hold all the same.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::allocations::at_once;
use crate::edits::{File, edit};
use crate::particle::{ConsumerName, Message, Particle, Sequence, Timestamp, TopicName};
use crate::storage::conformance::SimDisk;
use crate::storage::{
    Consumer, ConsumerOptions, Disk, ErrorKind, ManualClock, ReadLimit, Result, Store,
    StoreOptions, Sync, Topic, TopicOptions,
};

const URL: &str = "file:/small";
const FOLDER: &str = "/small/topics/t";

/// Most bytes that opening and reading may take for a store of a few kilobytes, whatever its files
/// say: two frames of the largest size, a chunk of what is read at once, and small change.
const ALLOCATED_MAX: usize = 48 * 1024 * 1024;

pub(crate) fn topic_name() -> TopicName {
    "t".parse().expect("a name")
}

pub(crate) fn consumer_name() -> ConsumerName {
    "c".parse().expect("a name")
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().expect("a runtime");
    runtime.block_on(future)
}

pub(crate) async fn open(disk: &SimDisk, options: StoreOptions) -> Result<Store> {
    let clock = ManualClock::at(Timestamp::from_nanos(1_767_225_600_000_000_000));
    Store::open_in(URL, options, Arc::new(clock), Arc::new(disk.clone())).await
}

/// Three segments of singles and batches, and a consumer that has something of everything.
async fn fill(disk: &SimDisk, sync: Sync) -> Result<Store> {
    let store = open(disk, StoreOptions::default()).await?;
    let options = TopicOptions::default();
    let options = options.with_segment_bytes(4096).with_sync(sync);
    let topic = store.create_topic(&topic_name(), options).await?;
    for at in 0..9_usize {
        let message = |part: usize| {
            let message = Message::new(format!("{at}.{part} ").repeat(60));
            message.with_message_group(format!("g{}", part % 2))
        };
        topic
            .append_batch((0..1 + at % 4).map(message).collect())
            .await?;
    }
    let consumer = Consumer::open(&topic, &consumer_name(), ConsumerOptions::default()).await?;
    for at in 0..5 {
        let deliveries = consumer.receive(3, Duration::ZERO).await?;
        let tickets: Vec<_> = deliveries.iter().map(|one| one.ticket).collect();
        match at {
            0 => consumer.rollback(&tickets, Duration::from_secs(3)).await?,
            1 => consumer.extend(&tickets, Duration::from_secs(3)).await?,
            _ => consumer.commit(&tickets).await?,
        }
    }
    Ok(store)
}

/// A store that was closed, one whose process was killed, and one that lost its power with bytes
/// that no sync had confirmed.
fn stores() -> &'static [SimDisk; 3] {
    static STORES: OnceLock<[SimDisk; 3]> = OnceLock::new();
    STORES.get_or_init(|| {
        let disk = |seed: u64, sync: Sync| {
            let disk = SimDisk::new(seed);
            let store = block_on(fill(&disk, sync)).expect("nothing fails");
            (disk, store)
        };
        let ((closed, store), (killed, _kept), (cut, _too)) = (
            disk(1, Sync::Always),
            disk(2, Sync::Always),
            disk(3, Sync::Os),
        );
        block_on(store.close()).expect("nothing fails");
        [closed.kill(), killed.kill(), cut.power_cut()]
    })
}

/// One of the small stores, for a target to change.
pub(crate) struct Small {
    pub(crate) disk: SimDisk,
    /// Whether a file was removed: then it need not be damage that is told.
    has_gap: Cell<bool>,
}

impl Small {
    /// The store that this number stands for.
    pub(crate) fn pick(number: u8) -> Self {
        let stores = stores();
        Self {
            disk: stores[usize::from(number) % stores.len()].fork(),
            has_gap: Cell::new(false),
        }
    }

    /// The files of the topic whose names end so.
    pub(crate) fn paths(&self, end: &str) -> Vec<PathBuf> {
        let files = self.disk.files().into_iter().map(|(path, _)| path);
        let wanted = files.filter(|path| path.starts_with(FOLDER) && path.ends_with(end));
        wanted.map(PathBuf::from).collect()
    }

    /// Changes those files as the input says, then lets `seal` make their checksums right.
    pub(crate) fn change(&self, paths: &[PathBuf], input: &[u8], seal: impl Fn(&mut Vec<u8>)) {
        self.change_inside(paths, input, |bytes| bytes, seal);
    }

    /// Changes what `unwrap` takes out of those files as the input says, then lets `seal` make
    /// whole files of it.
    pub(crate) fn change_inside(
        &self,
        paths: &[PathBuf],
        input: &[u8],
        unwrap: impl Fn(Vec<u8>) -> Vec<u8>,
        seal: impl Fn(&mut Vec<u8>),
    ) {
        let inside = |path: &PathBuf| Some(unwrap(self.read(path)));
        let mut files: Vec<File> = paths.iter().map(inside).collect();
        edit(input, &mut files);
        for (path, mut file) in paths.iter().zip(files) {
            self.disk.remove(path).expect("it is there");
            let Some(bytes) = &mut file else {
                self.has_gap.set(true);
                continue;
            };
            seal(bytes);
            let file = self.disk.create(path).expect("a file");
            file.write_at(bytes, 0).expect("room");
        }
    }

    pub(crate) fn read(&self, path: &Path) -> Vec<u8> {
        let file = self.disk.open(path).expect("it is there");
        let mut bytes = vec![0; usize::try_from(file.len().expect("a length")).expect("small")];
        let read = file.read_at(&mut bytes, 0).expect("it is read");
        assert_eq!(read, bytes.len());
        bytes
    }

    /// Opens the topic in each way and does everything with it; what can be read at last, if it
    /// can be.
    pub(crate) fn use_topic(&self) -> Option<Vec<Particle>> {
        let work = || {
            block_on(self.look());
            block_on(self.work())
        };
        let (particles, allocated) = at_once(work);
        assert!(allocated <= ALLOCATED_MAX, "{allocated} bytes at once");
        particles
    }

    /// A reader is given particles that check, or is told of damage, and writes nothing.
    async fn look(&self) {
        let before = self.disk.operations();
        let store = open(&self.disk, StoreOptions::default().read_only()).await;
        let store = store.expect("the store's own files are whole");
        if let Some(topic) = self.sound(store.topic(&topic_name()).await) {
            self.read_all(&topic).await;
            self.sound(topic.verify(Default::default()).await);
        }
        assert_eq!(self.disk.operations(), before, "a reader has written");
    }

    /// A writer goes on after what is there, or refuses to; what was whole stays so.
    async fn work(&self) -> Option<Vec<Particle>> {
        let store = open(&self.disk, StoreOptions::default()).await;
        let store = store.expect("the store's own files are whole");
        let topic = self.sound(store.topic(&topic_name()).await)?;
        let verified = self.sound(topic.verify(Default::default()).await);
        let before = self.read_all(&topic).await.filter(|_| verified.is_some());
        let receipt = self.sound(topic.append(Message::new("one more")).await)?;
        let head = topic.head();
        assert_eq!(head.sequence, receipt.sequence);
        store.close().await.expect("nothing fails");
        drop((topic, store));
        let store = open(&self.disk, StoreOptions::default()).await;
        let store = store.expect("the store's own files are whole");
        let topic = store.topic(&topic_name()).await;
        let Some(before) = before else {
            self.sound(topic);
            return None;
        };
        let topic = topic.expect("a whole topic opens");
        assert_eq!(topic.head(), head);
        let after = self.read_all(&topic).await.expect("it was read before");
        assert_eq!(after.len(), before.len() + 1);
        assert!(after.starts_with(&before));
        Some(before)
    }

    /// All particles of a topic; none when one of them is damaged.
    async fn read_all(&self, topic: &Topic) -> Option<Vec<Particle>> {
        let mut particles: Vec<Particle> = Vec::new();
        loop {
            let last = particles.last().map(Particle::sequence);
            let from = last.map_or(Sequence::ROOT, Sequence::next);
            let read = self.sound(topic.read(from, ReadLimit::default()).await)?;
            if read.is_empty() {
                return Some(particles);
            }
            for particle in &read {
                assert!(particle.check_hashes().is_ok());
            }
            particles.extend(read);
        }
    }

    /// The answer, or nothing when it is that something is damaged; any other error is a fault.
    pub(crate) fn sound<T>(&self, answer: Result<T>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) if error.kind() == ErrorKind::Corrupt => None,
            Err(error) if error.kind() == ErrorKind::NotFound && self.has_gap.get() => None,
            Err(error) => panic!("{:?}: {error}", error.kind()),
        }
    }
}
