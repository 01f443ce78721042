//! A store in files and one in memory that get the same to do.

use std::sync::Arc;

use efflux_node::storage;
use storage::conformance::{Random, SimDisk};
use storage::particle::{Message, Particle, Sequence, Timestamp, TopicName};
use storage::{
    ErrorKind, Expect, FindOptions, ManualClock, Progress, Query, ReadLimit, Receipt, Store,
    StoreOptions, Sync, Topic, TopicOptions,
};

use crate::oracle::{Expected, Oracle, Place};

/// A sentence that says what differs.
pub(crate) type Verdict<T = ()> = Result<T, String>;

/// A store in files on a simulated disk, one in memory, and what both must answer.
pub(crate) struct Pair {
    pub(crate) random: Random,
    pub(crate) oracle: Oracle,
    pub(crate) disk: SimDisk,
    clock: ManualClock,
    options: TopicOptions,
    name: TopicName,
    memory: (Store, Topic),
    pub(crate) file: Option<(Store, Topic)>,
}

/// What is compared of a particle: all but what hangs on the root's id, which each store makes.
fn shape(particle: &Particle) -> (u64, Message) {
    match particle.sequence().get() {
        0 => (0, Message::new("root")),
        sequence => (sequence, Message::from(particle)),
    }
}

fn shapes(read: storage::Result<Vec<Particle>>) -> Verdict<Vec<(u64, Message)>> {
    match read {
        Ok(particles) => Ok(particles.iter().map(shape).collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, memory: &T, file: &T) -> Verdict {
    match memory == file {
        true => Ok(()),
        false => Err(format!("{what}: memory {memory:?}\n  file {file:?}")),
    }
}

impl Pair {
    pub(crate) async fn new(seed: u64) -> Verdict<Self> {
        let mut random = Random::new(seed);
        let clock = ManualClock::at(Timestamp::from_nanos(1_767_225_600_000_000_000));
        let disk = SimDisk::new(random.number());
        disk.set_short_reads(random.chance(30));
        let sync = *random.pick(&[Sync::Always, Sync::Os]).unwrap_or(&Sync::Os);
        let options = TopicOptions::default()
            .with_sync(sync)
            .with_segment_bytes(4096);
        let name: TopicName = "model".parse().map_err(|error| format!("{error}"))?;
        let memory = Store::open_in(
            "mem:",
            StoreOptions::default(),
            Arc::new(clock.clone()),
            Arc::new(disk.clone()),
        );
        let memory = memory.await.map_err(|error| error.to_string())?;
        let topic = memory.create_topic(&name, options.clone()).await;
        let topic = topic.map_err(|error| error.to_string())?;
        let mut pair = Self {
            random,
            oracle: Oracle::default(),
            disk,
            clock,
            options,
            name,
            memory: (memory, topic),
            file: None,
        };
        pair.open().await?;
        Ok(pair)
    }

    /// Opens the store in files.
    pub(crate) async fn open(&mut self) -> Verdict {
        let (clock, disk) = (Arc::new(self.clock.clone()), Arc::new(self.disk.clone()));
        let store = Store::open_in("file:/model", StoreOptions::default(), clock, disk).await;
        let store = store.map_err(|error| format!("opening: {error}"))?;
        let topic = store
            .topic_or_create(&self.name, self.options.clone())
            .await;
        let topic = topic.map_err(|error| format!("opening: {error}"))?;
        self.file = Some((store, topic));
        Ok(())
    }

    fn topics(&self) -> Verdict<(Topic, Topic)> {
        let (_, file) = self.file.as_ref().ok_or("the store is not open")?;
        Ok((self.memory.1.clone(), file.clone()))
    }

    /// Appends to both and to the list.
    pub(crate) async fn append(&mut self, batch: &[Message], expected: &Expected) -> Verdict {
        let (memory, file) = self.topics()?;
        let wanted = self.oracle.append(batch, expected);
        for (what, topic) in [("memory", memory), ("file", file)] {
            let expect = expect_of(&topic, expected).await?;
            let answer = topic.append_expecting(batch.to_vec(), expect).await;
            let told = answer.as_ref().map_err(ToString::to_string);
            let found = match &answer {
                Ok(receipts) => Ok(receipts.iter().map(place).collect()),
                Err(error) => Err(error.kind()),
            };
            if found != wanted {
                return Err(format!("{what}: {told:?} instead of {wanted:?}"));
            }
        }
        Ok(())
    }

    pub(crate) async fn read(&self, from: u64, limit: ReadLimit, back: bool) -> Verdict {
        let (memory, file) = self.topics()?;
        let from = Sequence::new(from);
        let (one, other) = if back {
            (
                memory.read_back(from, limit).await,
                file.read_back(from, limit).await,
            )
        } else {
            (memory.read(from, limit).await, file.read(from, limit).await)
        };
        let (one, other) = (shapes(one)?, shapes(other)?);
        // A store in files may end a read where a segment ends: it is a beginning, not empty.
        let is_beginning = one.starts_with(&other);
        match is_beginning && other.is_empty() == one.is_empty() {
            true => Ok(()),
            false => same("read", &one, &other),
        }
    }

    pub(crate) async fn get(&self, message: &Message) -> Verdict {
        let (memory, file) = self.topics()?;
        let Some(id) = message.id() else {
            return Ok(());
        };
        let one = memory.get_id(id).await.map_err(|error| error.to_string())?;
        let other = file.get_id(id).await.map_err(|error| error.to_string())?;
        same(
            "get by id",
            &one.as_ref().map(shape),
            &other.as_ref().map(shape),
        )?;
        let listed = self.oracle.messages.iter().find(|m| m.id() == Some(id));
        same(
            "get by id",
            &listed.map(Message::payload),
            &other.as_ref().map(Particle::payload).as_ref(),
        )
    }

    /// Finds in both, and by looking at every particle.
    pub(crate) async fn find(&self, query: &Query, options: FindOptions) -> Verdict {
        let (memory, file) = self.topics()?;
        let one = find_all(&memory, query, options).await?;
        let other = find_all(&file, query, options).await?;
        same("find", &one, &other)?;
        let all = read_all(&file).await?;
        let is_within = |particle: &&Particle| {
            let until = options.until.unwrap_or(Sequence::MAX);
            (options.from..=until).contains(&particle.sequence())
        };
        let matching = all.iter().filter(is_within);
        let matching = matching.filter(|particle| query.matches(particle.metadata()));
        let mut scanned: Vec<_> = matching.map(shape).collect();
        if options.reverse {
            scanned.reverse();
        }
        scanned.truncate(options.limit.unwrap_or(usize::MAX));
        same("find and scan", &scanned, &other)
    }

    pub(crate) async fn delete(&mut self) -> Verdict {
        let (store, _) = self.file.take().ok_or("the store is not open")?;
        for (what, store) in [("memory", &self.memory.0), ("file", &store)] {
            let deleted = store.delete_topic(&self.name).await;
            deleted.map_err(|error| format!("{what}: {error}"))?;
            match store.topic(&self.name).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                other => return Err(format!("{what}: deleted, then {other:?}")),
            }
        }
        let made = self.memory.0.create_topic(&self.name, self.options.clone());
        self.memory.1 = made.await.map_err(|error| error.to_string())?;
        let made = store.create_topic(&self.name, self.options.clone()).await;
        let topic = made.map_err(|error| error.to_string())?;
        self.file = Some((store, topic));
        self.oracle = Oracle::default();
        Ok(())
    }

    /// Every particle of both, and what verifying says.
    pub(crate) async fn compare_all(&self) -> Verdict {
        let (memory, file) = self.topics()?;
        let (one, other) = (read_all(&memory).await?, read_all(&file).await?);
        let messages = |particles: &[Particle]| -> Vec<Message> {
            particles.iter().skip(1).map(Message::from).collect()
        };
        same("all", &messages(&one), &messages(&other))?;
        let payloads = |messages: &[Message]| -> Vec<_> {
            messages
                .iter()
                .map(|m| (m.id().cloned(), m.payload().clone()))
                .collect()
        };
        same(
            "the list",
            &payloads(&self.oracle.messages),
            &payloads(&messages(&other)),
        )?;
        for topic in [memory, file] {
            let verified = topic.verify(Progress::default()).await;
            let verified = verified.map_err(|error| error.to_string())?;
            same("verified", &verified.particles, &(self.oracle.head() + 1))?;
        }
        Ok(())
    }
}

fn place(receipt: &Receipt) -> Place {
    (receipt.sequence.get(), receipt.duplicate)
}

async fn expect_of(topic: &Topic, expected: &Expected) -> Verdict<Expect> {
    Ok(match expected {
        Expected::Any => Expect::Any,
        Expected::Empty => Expect::Empty,
        Expected::Head { sequence, is_true } => {
            let mut head = topic.head();
            if !is_true {
                let root = topic.get(Sequence::ROOT).await;
                let root = root.map_err(|error| error.to_string())?;
                head.fingerprint = root.map_or(head.fingerprint, |root| root.fingerprint());
                head.sequence = Sequence::new(*sequence + 1);
            } else if head.sequence.get() != *sequence {
                let there = topic.get(Sequence::new(*sequence)).await;
                let there = there.map_err(|error| error.to_string())?;
                head = there.map_or(head, |there| storage::particle::Head::on(&there));
            }
            Expect::Head(head)
        }
        Expected::Group { group, last } => Expect::Group {
            group: group.clone(),
            last: last.map(Sequence::new),
        },
        Expected::NoMatch { data_type, after } => Expect::NoMatch {
            query: Query::data_type(data_type.clone()),
            after: Sequence::new(*after),
        },
    })
}

async fn find_all(
    topic: &Topic,
    query: &Query,
    options: FindOptions,
) -> Verdict<Vec<(u64, Message)>> {
    let mut finder = topic
        .find(query, options)
        .await
        .map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    loop {
        let batch = shapes(finder.next_batch().await)?;
        if batch.is_empty() {
            return Ok(found);
        }
        found.extend(batch);
    }
}

async fn read_all(topic: &Topic) -> Verdict<Vec<Particle>> {
    let mut all: Vec<Particle> = Vec::new();
    loop {
        let read = topic.read(Sequence::new(all.len() as u64), ReadLimit::default());
        let read = read.await.map_err(|error| error.to_string())?;
        if read.is_empty() {
            return Ok(all);
        }
        all.extend(read);
    }
}
