//! A store on a simulated disk, opened again and again, and what must hold each time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use efflux_node::storage;
use storage::conformance::{Guard, Random, SimDisk, Without};
use storage::particle::{Particle, Sequence, Timestamp, TopicName};
use storage::{
    Disk, ErrorKind, ManualClock, Progress, ReadLimit, Store, StoreOptions, Sync, Topic,
    TopicOptions,
};

use crate::history::{History, Verdict};

const URL: &str = "file:/far/away/store";
/// The folder of the topic that is held against its history.
pub(crate) const FOLDER: &str = "/far/away/store/topics/events";

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The process is gone; the machine runs on.
    Kill,
    /// The machine loses its power.
    PowerCut,
    /// The store is closed, then the machine loses its power.
    CloseAndPowerCut,
    /// The last handle is dropped, then the process ends.
    Drop,
}

impl Ending {
    pub(crate) const ALL: [Self; 4] = [
        Self::Kill,
        Self::PowerCut,
        Self::CloseAndPowerCut,
        Self::Drop,
    ];
}

/// Whether another topic is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    There,
    Unknown,
    Absent,
}

/// A store on a simulated disk, and what was done to it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) disk: SimDisk,
    pub(crate) random: Random,
    pub(crate) history: History,
    pub(crate) store: Option<Store>,
    pub(crate) topic: Option<Topic>,
    pub(crate) others: BTreeMap<TopicName, Presence>,
    guard_off: Option<Guard>,
    /// Whether the guard is only off where something is kept of consumers.
    pub(crate) is_off_for_consumers: bool,
    options: TopicOptions,
    pub(crate) clock: ManualClock,
    is_topic_made: bool,
    /// Whether a failure closed the topic: closing the store then promises nothing about it.
    pub(crate) has_failed: bool,
}

impl Session {
    pub(crate) fn new(seed: u64, options: TopicOptions, guard_off: Option<Guard>) -> Self {
        let mut random = Random::new(seed);
        Self {
            disk: SimDisk::new(random.number()),
            random,
            history: History::new(options.sync),
            store: None,
            topic: None,
            others: BTreeMap::new(),
            guard_off,
            is_off_for_consumers: false,
            options,
            clock: ManualClock::at(Timestamp::from_nanos(1_767_225_600_000_000_000)),
            is_topic_made: false,
            has_failed: false,
        }
    }

    /// The same, with nothing open.
    pub(crate) fn copy(&self) -> Self {
        Self {
            disk: self.disk.clone(),
            random: self.random.clone(),
            history: self.history.clone(),
            store: None,
            topic: None,
            others: self.others.clone(),
            guard_off: self.guard_off,
            is_off_for_consumers: self.is_off_for_consumers,
            options: self.options.clone(),
            clock: self.clock.clone(),
            is_topic_made: self.is_topic_made,
            has_failed: self.has_failed,
        }
    }

    pub(crate) fn topic_name() -> TopicName {
        "events".parse().expect("a name")
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        let disk = Arc::new(self.disk.clone());
        match self.guard_off {
            None => disk,
            Some(guard) if self.is_off_for_consumers => {
                Arc::new(Without::new_for_consumers(guard, disk))
            }
            Some(guard) => Arc::new(Without::new(guard, disk)),
        }
    }

    pub(crate) async fn open_store(&self, options: StoreOptions) -> storage::Result<Store> {
        Store::open_in(URL, options, Arc::new(self.clock.clone()), self.disk()).await
    }

    /// Opens store and topic and holds them against the history. False when a planned fault came.
    pub(crate) async fn open(&mut self) -> Verdict<bool> {
        let faults = self.disk.faults();
        self.has_failed = true;
        let opened = self.try_open().await;
        let checked = match opened {
            Ok(()) => self.check().await,
            Err(error) => Err(format!("opening: {error}")),
        };
        match checked {
            Ok(()) => {
                self.has_failed = false;
                Ok(true)
            }
            Err(_) if self.disk.faults() > faults || self.disk.is_down() => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Opens store and topic, and holds them against nothing.
    pub(crate) async fn try_open(&mut self) -> storage::Result<()> {
        let store = self.open_store(StoreOptions::default()).await?;
        self.store = Some(store.clone());
        let name = Self::topic_name();
        let topic = if self.is_topic_made {
            store.topic(&name).await?
        } else {
            store.topic_or_create(&name, self.options.clone()).await?
        };
        self.is_topic_made = true;
        self.topic = Some(topic);
        Ok(())
    }

    /// Opens the topic anew in the same process, after a failed write or sync.
    pub(crate) async fn reopen_topic(&mut self) -> Verdict<bool> {
        let Some(store) = self.store.clone() else {
            return Ok(false);
        };
        let faults = self.disk.faults();
        let checked = match store.reopen_topic(&Self::topic_name()).await {
            Ok(topic) => {
                self.topic = Some(topic);
                self.check().await
            }
            Err(error) => Err(format!("opening the topic anew: {error}")),
        };
        match checked {
            Ok(()) => {
                self.has_failed = false;
                Ok(true)
            }
            Err(_) if self.disk.faults() > faults || self.disk.is_down() => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Holds store and topic against the history.
    pub(crate) async fn check(&mut self) -> Verdict {
        let (Some(store), Some(topic)) = (self.store.clone(), self.topic.clone()) else {
            return Err("nothing is open".to_owned());
        };
        let particles = read_all(&topic).await?;
        let last = particles.last().map(Particle::sequence);
        if last != Some(topic.head().sequence) {
            return Err(format!("the head is {}, the last {last:?}", topic.head()));
        }
        let mut history = std::mem::replace(&mut self.history, History::new(Sync::Always));
        let checked = history.check(topic.name(), &particles);
        self.history = history;
        checked?;
        let verified = topic.verify(Progress::default()).await;
        let verified = verified.map_err(|error| format!("verify: {error}"))?;
        // Tables of offsets are derived: a crash may leave them torn, and they are not used then.
        let is_serious = |note: &String| !note.contains(".off: ");
        if verified.head != topic.head() || verified.notes.iter().any(is_serious) {
            return Err(format!("verify of {}: {verified:?}", topic.head()));
        }
        let options = topic.options().await.map_err(|error| error.to_string())?;
        if options != self.options {
            return Err(format!("the options are {options:?}"));
        }
        self.check_others(&store).await
    }

    async fn check_others(&mut self, store: &Store) -> Verdict {
        let listed = store.topics().await.map_err(|error| error.to_string())?;
        for (name, presence) in &mut self.others {
            let found = listed.contains(name);
            match (*presence, found) {
                (Presence::There, false) => return Err(format!("topic {name} is lost")),
                (Presence::Absent, true) => return Err(format!("topic {name} is back")),
                _ => {}
            }
            *presence = match found {
                true => Presence::There,
                false => Presence::Absent,
            };
            if found {
                let topic = store.topic(name).await;
                let topic = topic.map_err(|error| format!("topic {name}: {error}"))?;
                let verified = topic.verify(Progress::default()).await;
                verified.map_err(|error| format!("topic {name}: {error}"))?;
            }
        }
        Ok(())
    }

    /// Ends the process in this way; the disk is then another one.
    pub(crate) async fn end(&mut self, ending: Ending) -> Verdict {
        match (ending, &self.store) {
            (Ending::CloseAndPowerCut, Some(_)) => self.close().await,
            (Ending::Drop, _) => {
                self.topic = None;
                self.store = None;
                self.disk = self.disk.kill();
                return Ok(());
            }
            _ => {}
        }
        let after = match ending {
            Ending::Kill | Ending::Drop => self.disk.kill(),
            Ending::PowerCut | Ending::CloseAndPowerCut => {
                let synced_at = self.disk.segments_synced_at(Path::new(FOLDER));
                self.history.lose_power(synced_at);
                self.disk.power_cut()
            }
        };
        self.topic = None;
        self.store = None;
        self.disk = after;
        Ok(())
    }

    /// Closes the store; when that goes well, everything that was acknowledged is durable.
    pub(crate) async fn close(&mut self) {
        if let Some(store) = self.store.take()
            && store.close().await.is_ok()
            && !self.has_failed
        {
            self.history.made_durable();
        }
        self.topic = None;
    }

    /// Opens without any fault, and everything must be well, twice.
    pub(crate) async fn finish(&mut self) -> Verdict {
        self.disk.plan_nothing();
        self.disk.set_room(None);
        for _ in 0..2 {
            if !self.open().await? {
                return Err("opening failed although no fault was planned".to_owned());
            }
            self.append_one().await?;
            self.check().await?;
            self.check_reader().await?;
            self.end(Ending::CloseAndPowerCut).await?;
        }
        Ok(())
    }

    async fn append_one(&mut self) -> Verdict {
        let topic = self.topic.clone().ok_or("nothing is open")?;
        let before = topic.head();
        let (attempt, messages) = self.new_messages(1, false);
        let answer = topic.append_batch(messages).await;
        if let Err(error) = &answer {
            return Err(format!("appending after recovery: {error}"));
        }
        self.history.end(attempt, answer, self.disk.operations())?;
        match topic.head().sequence == before.sequence.next() {
            true => Ok(()),
            false => Err(format!("after {before} comes {}", topic.head())),
        }
    }

    /// A process that only reads sees the same.
    async fn check_reader(&self) -> Verdict {
        let topic = self.topic.as_ref().ok_or("nothing is open")?;
        let reader = self.open_store(StoreOptions::default().read_only()).await;
        let reader = reader.map_err(|error| format!("opening to read: {error}"))?;
        let second = reader.topic(topic.name()).await;
        let second = second.map_err(|error| format!("opening to read: {error}"))?;
        if read_all(topic).await? != read_all(&second).await? {
            return Err("a reader sees something else than the writer".to_owned());
        }
        Ok(())
    }

    /// Whether the topic takes no appends any more although the machine runs.
    pub(crate) fn is_closed(error: &storage::Error) -> bool {
        matches!(
            error.kind(),
            ErrorKind::Closed | ErrorKind::Full | ErrorKind::Unavailable
        )
    }
}

/// All particles of a topic, from the root on.
pub(crate) async fn read_all(topic: &Topic) -> Verdict<Vec<Particle>> {
    let mut particles = Vec::new();
    let mut next = Sequence::ROOT;
    loop {
        let read = topic.read(next, ReadLimit::default()).await;
        let read = read.map_err(|error| format!("reading from {next}: {error}"))?;
        let Some(last) = read.last() else {
            return Ok(particles);
        };
        next = last.sequence().next();
        particles.extend(read);
    }
}
