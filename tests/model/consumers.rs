//! Random actions on a consumer, in memory and in files, held against plain lists.

use std::sync::Arc;
use std::time::Duration;

use efflux_node::storage;
use storage::conformance::{Random, SimDisk};
use storage::particle::{Message, Sequence, Timestamp};
use storage::{
    Consumer, ConsumerOptions, Delivery, ErrorKind, ManualClock, ReadLimit, Start, Store,
    StoreOptions, Sync, Ticket, Topic, TopicOptions,
};

use crate::pair::Verdict;
use crate::position::{Position, State};

const BEGIN: i64 = 1_767_225_600_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A consumer of a topic, and what it must answer.
pub(crate) struct World {
    random: Random,
    url: &'static str,
    disk: SimDisk,
    clock: ManualClock,
    open: Option<(Store, Topic, Option<Consumer>)>,
    plain: Position,
    /// When each particle entered, and whether the clock ran forwards all the time.
    created: Vec<i64>,
    is_clock_straight: bool,
    /// Dead letters of topics that are deleted.
    dead_before: usize,
}

fn told<T>(what: &str, answer: storage::Result<T>) -> Verdict<T> {
    answer.map_err(|error| format!("{what}: {error}"))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Verdict {
    match expected == found {
        true => Ok(()),
        false => Err(format!("{what}: expected {expected:?}, found {found:?}")),
    }
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}

impl World {
    pub(crate) async fn new(seed: u64, url: &'static str) -> Verdict<Self> {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(random.number());
        disk.set_short_reads(random.chance(30));
        let plain = Position {
            groups: vec![None],
            now: BEGIN,
            lease: 10 * SECOND,
            max_in_flight: 1 + random.at_most(9),
            max_deliveries: *random
                .pick(&[None, Some(1), Some(2), Some(3)])
                .unwrap_or(&None),
            floor: 1,
            ..Position::default()
        };
        let mut world = Self {
            random,
            url,
            disk,
            clock: ManualClock::at(Timestamp::from_nanos(BEGIN)),
            open: None,
            plain,
            created: vec![BEGIN],
            is_clock_straight: true,
            dead_before: 0,
        };
        world.open_store().await?;
        Ok(world)
    }

    async fn open_store(&mut self) -> Verdict {
        let (clock, disk) = (Arc::new(self.clock.clone()), Arc::new(self.disk.clone()));
        let store = Store::open_in(self.url, StoreOptions::default(), clock, disk).await;
        let store = told("opening", store)?;
        self.open_topic(store).await
    }

    async fn open_topic(&mut self, store: Store) -> Verdict {
        let name = "model".parse().map_err(|error| format!("{error}"))?;
        let options = TopicOptions::default().with_segment_bytes(4096);
        let options = options.with_sync(Sync::Os);
        let topic = told("opening", store.topic_or_create(&name, options).await)?;
        self.open = Some((store, topic, None));
        self.open_consumer().await
    }

    async fn open_consumer(&mut self) -> Verdict {
        let (store, topic, before) = self.open.take().ok_or("nothing is open")?;
        drop(before);
        let name = "worker".parse().map_err(|error| format!("{error}"))?;
        let options = ConsumerOptions::default()
            .with_lease(seconds(10))
            .with_max_in_flight(self.plain.max_in_flight)
            .with_max_deliveries(self.plain.max_deliveries);
        let consumer = told("opening", Consumer::open(&topic, &name, options).await)?;
        self.open = Some((store, topic, Some(consumer)));
        self.plain.reopened();
        Ok(())
    }

    fn parts(&self) -> Verdict<(Store, Topic, Consumer)> {
        match self.open.clone() {
            Some((store, topic, Some(consumer))) => Ok((store, topic, consumer)),
            _ => Err("nothing is open".to_owned()),
        }
    }

    /// Does something; what it was, and whether the answer was right.
    pub(crate) async fn act(&mut self) -> (String, Verdict) {
        let (action, outcome) = match self.random.below(24) {
            0..=3 => self.append().await,
            4..=9 => self.receive().await,
            10..=13 => self.change("commit").await,
            14 | 15 => self.change("roll back").await,
            16 => self.change("extend").await,
            17 | 18 => self.advance(),
            19 => self.clock_back().await,
            20 => self.seek().await,
            21 | 22 => self.reopen().await,
            _ => self.delete().await,
        };
        let outcome = match outcome {
            Ok(()) => self.check().await,
            failed => failed,
        };
        (action, outcome)
    }

    async fn append(&mut self) -> (String, Verdict) {
        let count = 1 + self.random.at_most(6);
        let groups: Vec<Option<u8>> = (0..count)
            .map(|_| {
                self.random
                    .chance(70)
                    .then(|| self.random.number().to_le_bytes()[0] % 4)
            })
            .collect();
        let message = |group: &Option<u8>| {
            let message = Message::new("payload ".repeat(1 + usize::from(group.unwrap_or(30))));
            match group {
                Some(group) => message.with_message_group(format!("g{group}")),
                None => message,
            }
        };
        let batch = groups.iter().map(message).collect();
        let action = format!("append {groups:?}");
        let appended = match self.parts() {
            Ok((_, topic, _)) => told("append", topic.append_batch(batch).await).map(drop),
            Err(problem) => Err(problem),
        };
        self.created.extend(groups.iter().map(|_| self.plain.now));
        self.plain.groups.extend(groups);
        (action, appended)
    }

    async fn receive(&mut self) -> (String, Verdict) {
        let max = 1 + self.random.at_most(6);
        let received = self.receive_up_to(max).await;
        let received = received.map(|got| tickets(&got));
        (format!("receive {max}: {received:?}"), received.map(drop))
    }

    async fn receive_up_to(&mut self, max: usize) -> Verdict<Vec<Delivery>> {
        let (_, _, consumer) = self.parts()?;
        let got = told("receive", consumer.receive(max, Duration::ZERO).await)?;
        let status = told("status", consumer.status().await)?;
        self.plain.receive(max, &got, status.dead_lettered)?;
        Ok(got)
    }

    /// Tickets that were given out: mostly the newest, now and then any.
    fn pick_tickets(&mut self) -> Vec<Ticket> {
        let given = self.plain.given.clone();
        let newest = given.len().saturating_sub(6);
        let pick = |_| match self.random.chance(80) {
            true => self.random.pick(given.get(newest..)?).copied(),
            false => self.random.pick(&given).copied(),
        };
        (0..3).filter_map(pick).collect()
    }

    async fn change(&mut self, what: &str) -> (String, Verdict) {
        let tickets = self.pick_tickets();
        let time = i64::try_from(self.random.at_most(14)).unwrap_or(0);
        let action = format!("{what} {tickets:?}, {time} s");
        let Ok((_, _, consumer)) = self.parts() else {
            return (action, Err("nothing is open".to_owned()));
        };
        let until = self.plain.now + time * SECOND;
        let (answer, to) = match what {
            "commit" => (consumer.commit(&tickets).await, State::Committed),
            "roll back" => {
                let answer = consumer.rollback(&tickets, seconds(time)).await;
                (answer, State::Back(until))
            }
            _ => {
                let answer = consumer.extend(&tickets, seconds(time + 1)).await;
                (answer, State::Leased(until + SECOND))
            }
        };
        let expected = match self.plain.settle(&tickets, to) {
            true => None,
            false => Some(ErrorKind::Conflict),
        };
        let found = answer.err().map(|error| error.kind());
        (action, same(what, &expected, &found))
    }

    fn advance(&mut self) -> (String, Verdict) {
        let by = i64::try_from(self.random.at_most(14)).unwrap_or(0);
        self.plain.now += by * SECOND;
        self.clock.set(Timestamp::from_nanos(self.plain.now));
        (format!("advance {by} s"), Ok(()))
    }

    /// Sets the clock back. A journal tells the time with what happens, so something happens before
    /// and after.
    async fn clock_back(&mut self) -> (String, Verdict) {
        let by = (1 + i64::try_from(self.random.at_most(40)).unwrap_or(0)) * SECOND;
        let held = self
            .plain
            .told
            .values()
            .find(|told| matches!(told.state, State::Leased(_)));
        let action = format!("clock back {by} ns");
        let Some(ticket) = held.map(|told| told.ticket) else {
            return (action, Ok(()));
        };
        let mut outcome = self.extend_one(ticket).await;
        self.plain.clock_back(by);
        self.is_clock_straight = false;
        self.clock.set(Timestamp::from_nanos(self.plain.now));
        if outcome.is_ok() {
            outcome = self.extend_one(ticket).await;
        }
        (action, outcome)
    }

    async fn extend_one(&mut self, ticket: Ticket) -> Verdict {
        let (_, _, consumer) = self.parts()?;
        told("extend", consumer.extend(&[ticket], seconds(10)).await)?;
        self.plain
            .settle(&[ticket], State::Leased(self.plain.now + 10 * SECOND));
        Ok(())
    }

    async fn seek(&mut self) -> (String, Verdict) {
        let head = self.plain.head();
        let place = self.random.below(head + 3);
        let time = self
            .random
            .pick(&self.created.clone())
            .copied()
            .unwrap_or(BEGIN);
        let (start, floor) = match self.random.below(4) {
            0 => (Start::Root, Some(1)),
            1 => (Start::Head, Some(head + 1)),
            2 if self.is_clock_straight => {
                let since = self
                    .created
                    .iter()
                    .skip(1)
                    .position(|created| *created >= time);
                let floor = since.map_or(head + 1, |at| at as u64 + 1);
                (Start::Time(Timestamp::from_nanos(time)), Some(floor))
            }
            _ => {
                let floor = (place <= head + 1).then_some(place.max(1));
                (Start::Sequence(Sequence::new(place)), floor)
            }
        };
        let action = format!("seek {start:?}");
        let Ok((_, _, consumer)) = self.parts() else {
            return (action, Err("nothing is open".to_owned()));
        };
        let found = consumer.seek(start).await.err().map(|error| error.kind());
        if let Some(floor) = floor {
            self.plain.move_to(floor);
        }
        let expected = floor.is_none().then_some(ErrorKind::Conflict);
        (action, same("seek", &expected, &found))
    }

    async fn reopen(&mut self) -> (String, Verdict) {
        let is_file = self.url.starts_with("file:");
        match self.random.below(4) {
            0 if is_file => {
                let closed = match self.open.take() {
                    Some((store, _, _)) => told("close", store.close().await),
                    None => Ok(()),
                };
                let outcome = match closed {
                    Ok(()) => self.open_store().await,
                    failed => failed,
                };
                ("close and open".to_owned(), outcome)
            }
            1 if is_file => {
                self.open = None;
                ("drop and open".to_owned(), self.open_store().await)
            }
            2 if is_file => {
                self.disk = self.disk.kill();
                self.open = None;
                ("kill and open".to_owned(), self.open_store().await)
            }
            _ => (
                "open the consumer again".to_owned(),
                self.open_consumer().await,
            ),
        }
    }

    /// Deletes the consumer or its whole topic; then it begins anew.
    async fn delete(&mut self) -> (String, Verdict) {
        let is_topic = self.random.chance(30);
        let action = format!("delete, the topic too: {is_topic}");
        let deleted = async {
            let (store, topic, consumer) = self.parts()?;
            match is_topic {
                true => told("delete", store.delete_topic(topic.name()).await)?,
                false => told("delete", Consumer::delete(&topic, consumer.name()).await)?,
            }
            let late = consumer.receive(1, Duration::ZERO).await;
            let late = late.err().map(|error| error.kind());
            same("a deleted one", &Some(ErrorKind::Closed), &late)?;
            if is_topic {
                self.dead_before += std::mem::take(&mut self.plain.dead).len();
                self.plain.groups.truncate(1);
                self.created.truncate(1);
            }
            self.plain.move_to(1);
            self.plain.given.clear();
            (self.plain.dead_lettered, self.plain.redelivered) = (0, 0);
            drop((topic, consumer));
            self.open = None;
            self.open_topic(store).await
        };
        (action, deleted.await)
    }

    /// How it stands, and what is in the dead-letter topic.
    async fn check(&mut self) -> Verdict {
        let (store, topic, consumer) = self.parts()?;
        let status = told("status", consumer.status().await)?;
        let plain = &self.plain;
        let expected = (plain.position(), plain.head(), plain.lag());
        let found = (status.position.get(), status.head.get(), status.lag);
        same("position, head and lag", &expected, &found)?;
        let expected = (plain.leased(), plain.delayed());
        same(
            "in flight and delayed",
            &expected,
            &(status.in_flight, status.delayed),
        )?;
        let expected = (plain.redelivered, plain.dead_lettered);
        let found = (status.redelivered, status.dead_lettered);
        same("redelivered and dead-lettered", &expected, &found)?;
        let inspected = Consumer::inspect(&topic, consumer.name()).await;
        same("inspected", &status, &told("inspect", inspected)?)?;
        let dead = "model.dead".parse().map_err(|error| format!("{error}"))?;
        let letters = match store.topic(&dead).await {
            Ok(topic) => topic.head().sequence.get(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error.to_string()),
        };
        same(
            "dead letters",
            &((self.dead_before + plain.dead.len()) as u64),
            &letters,
        )
    }

    /// At last everything is delivered that is not settled, and then nothing more.
    pub(crate) async fn drain(&mut self) -> Verdict {
        loop {
            self.plain.now += 20 * SECOND;
            self.clock.set(Timestamp::from_nanos(self.plain.now));
            let (_, topic, consumer) = self.parts()?;
            let got = self.receive_up_to(4).await?;
            if got.is_empty() {
                let head = topic.head().sequence.get();
                same("the head", &self.plain.head(), &head)?;
                return same("the lag at last", &0, &self.plain.lag());
            }
            for one in &got {
                let place = one.particle.sequence();
                let there = told("read", topic.read(place, ReadLimit::particles(1)).await)?;
                same("the particle", &there.first(), &Some(&one.particle))?;
            }
            let tickets = tickets(&got);
            told("commit", consumer.commit(&tickets).await)?;
            self.plain.settle(&tickets, State::Committed);
            self.check().await?;
        }
    }
}

fn tickets(deliveries: &[Delivery]) -> Vec<Ticket> {
    deliveries.iter().map(|one| one.ticket).collect()
}
