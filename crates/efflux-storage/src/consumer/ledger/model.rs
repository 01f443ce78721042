//! The ledger against a plain model: random actions, and after each the same answers.

use std::collections::BTreeMap;
use std::time::Duration;

use efflux_particle::{Sequence, Timestamp};
use proptest::prelude::*;

use super::{Ledger, Offer};
use crate::consumer::entry::Entry;
use crate::consumer::groups::GroupKey;
use crate::consumer::options::ConsumerOptions;
use crate::consumer::replay::replay;
use crate::consumer::ticket::Ticket;

const LEASE: u64 = 90;

#[derive(Clone, Debug)]
enum Action {
    Append(Vec<Option<u8>>),
    Receive(usize),
    Commit(Vec<usize>),
    RollBack(Vec<usize>, u64),
    Extend(Vec<usize>, u64),
    Release(usize),
    Bury,
    Advance(u64),
    ClockBack(u64),
    Seek(u64),
    Restart,
    Summarise,
}

fn action() -> impl Strategy<Value = Action> {
    let tickets = || prop::collection::vec(0_usize..1000, 1..5);
    prop_oneof![
        3 => prop::collection::vec(prop::option::weighted(0.7, 0_u8..4), 1..8).prop_map(Action::Append),
        6 => (1_usize..8).prop_map(Action::Receive),
        4 => tickets().prop_map(Action::Commit),
        2 => (tickets(), 0_u64..200).prop_map(|(which, delay)| Action::RollBack(which, delay)),
        1 => (tickets(), 1_u64..200).prop_map(|(which, by)| Action::Extend(which, by)),
        1 => (0_usize..1000).prop_map(Action::Release),
        1 => Just(Action::Bury),
        3 => (0_u64..120).prop_map(Action::Advance),
        1 => (1_u64..50).prop_map(Action::ClockBack),
        1 => (1_u64..40).prop_map(Action::Seek),
        2 => Just(Action::Restart),
        1 => Just(Action::Summarise),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Leased(i64),
    Back(i64),
    Released,
    Settled,
}

/// What the model knows of a particle that was delivered.
#[derive(Clone, Copy, Debug)]
struct Told {
    state: State,
    ticket: Ticket,
    deliveries: u32,
}

struct World {
    ledger: Ledger,
    records: Vec<Vec<u8>>,
    last: u64,
    now: i64,
    groups: Vec<Option<u8>>,
    floor: u64,
    told: BTreeMap<u64, Told>,
    given: Vec<Ticket>,
    max_in_flight: usize,
}

impl World {
    fn new(max_in_flight: usize) -> Self {
        let options = ConsumerOptions::default()
            .with_lease(Duration::from_nanos(LEASE))
            .with_max_in_flight(max_in_flight);
        let mut ledger = Ledger::new(Sequence::FIRST, Timestamp::from_nanos(1000), options);
        ledger.begin_epoch();
        let mut world = Self {
            ledger,
            records: Vec::new(),
            last: 0,
            now: 1000,
            groups: vec![None],
            floor: 1,
            told: BTreeMap::new(),
            given: Vec::new(),
            max_in_flight,
        };
        world.summarise();
        world
    }

    fn keep(&mut self, entry: Option<Entry>) {
        if let Some(entry) = entry {
            self.last += 1;
            let mut record = Vec::new();
            entry.encode(self.last, &mut record);
            self.records.push(record);
        }
    }

    fn summarise(&mut self) {
        let mut record = Vec::new();
        Entry::Summary(Box::new(self.ledger.summary())).encode(self.last, &mut record);
        self.records = vec![record];
    }

    fn head(&self) -> u64 {
        self.groups.len() as u64 - 1
    }

    fn group(&self, sequence: u64) -> Option<u8> {
        self.groups[usize::try_from(sequence).unwrap()]
    }

    fn leased(&self) -> usize {
        let is_leased =
            |told: &&Told| matches!(told.state, State::Leased(until) if until > self.now);
        self.told.values().filter(is_leased).count()
    }

    /// All that could be delivered now, in order.
    fn deliverable(&self) -> Vec<u64> {
        let mut blocked = Vec::new();
        let mut found = Vec::new();
        for sequence in self.floor..=self.head() {
            let can = match self.told.get(&sequence).map(|told| told.state) {
                Some(State::Settled) => continue,
                None | Some(State::Released) => true,
                Some(State::Leased(time) | State::Back(time)) => time <= self.now,
            };
            let group = self.group(sequence);
            if can && (group.is_none() || !blocked.contains(&group)) {
                found.push(sequence);
            }
            blocked.push(group);
        }
        found
    }

    fn receive(&mut self, max: usize) -> Result<(), TestCaseError> {
        let count = max.min(self.max_in_flight.saturating_sub(self.leased()));
        let mut expected = self.deliverable();
        // What was looked at before comes first; after a restart, that is what was delivered.
        let cursor = self.ledger.cursor().get();
        let is_new = |sequence: &u64| *sequence >= cursor && !self.told.contains_key(sequence);
        expected.sort_by_key(|sequence| (is_new(sequence), *sequence));
        expected.truncate(count);
        let mut picks = self.ledger.due(max, None).picks;
        while picks.len() < max.min(self.ledger.room()) {
            let next = self.ledger.cursor();
            if next.get() > self.head() {
                break;
            }
            let group = self
                .group(next.get())
                .map(|group| GroupKey::of(&group.to_string()));
            match self.ledger.offer(next, group) {
                Offer::Deliver(pick) => picks.push(pick),
                Offer::Passed => {}
                Offer::Full => break,
            }
        }
        let (tickets, entry) = self.ledger.deliver(&picks);
        self.keep((!tickets.is_empty()).then_some(entry));
        let sequences: Vec<u64> = tickets
            .iter()
            .map(|(ticket, _)| ticket.sequence().get())
            .collect();
        prop_assert_eq!(sequences, expected);
        for (ticket, deliveries) in tickets {
            let told = self.told.entry(ticket.sequence().get()).or_insert(Told {
                state: State::Released,
                ticket,
                deliveries: 0,
            });
            prop_assert_eq!(deliveries, told.deliveries + 1);
            let until = self.now + i64::try_from(LEASE).unwrap();
            *told = Told {
                state: State::Leased(until),
                ticket,
                deliveries,
            };
            prop_assert!(self.given.iter().all(|given| given.token < ticket.token));
            self.given.push(ticket);
        }
        Ok(())
    }

    fn tickets(&self, which: &[usize]) -> Vec<Ticket> {
        let given = &self.given;
        // Mostly the newest ones, now and then any.
        let pick = |at: &usize| {
            let back = if at.is_multiple_of(4) {
                at % given.len()
            } else {
                at % given.len().min(6)
            };
            given[given.len() - 1 - back]
        };
        if given.is_empty() {
            Vec::new()
        } else {
            which.iter().map(pick).collect()
        }
    }

    /// What the model says of a ticket: held, passed over, or refused.
    fn is_good(&self, ticket: Ticket, passes: fn(State) -> bool) -> Option<bool> {
        let told = self
            .told
            .get(&ticket.sequence().get())
            .filter(|told| told.ticket == ticket)?;
        match told.state {
            State::Leased(_) => Some(true),
            other if passes(other) => Some(false),
            _ => None,
        }
    }

    fn set(&mut self, tickets: &[Ticket], state: State, passes: fn(State) -> bool) -> bool {
        let good: Vec<_> = tickets
            .iter()
            .map(|ticket| self.is_good(*ticket, passes))
            .collect();
        if good.contains(&None) {
            return false;
        }
        for (ticket, held) in tickets.iter().zip(good) {
            if held == Some(true) {
                self.told.get_mut(&ticket.sequence().get()).unwrap().state = state;
            }
        }
        true
    }

    fn at(&self, after: u64) -> i64 {
        self.now + i64::try_from(after).unwrap()
    }

    fn act(&mut self, action: &Action) -> Result<(), TestCaseError> {
        self.ledger.tick(Timestamp::from_nanos(self.now));
        match action {
            Action::Append(groups) => self.groups.extend(groups),
            Action::Receive(max) => self.receive(*max)?,
            Action::Commit(which) => {
                let tickets = self.tickets(which);
                let got = self.ledger.commit(&tickets);
                let is_ok = self.set(&tickets, State::Settled, |state| state == State::Settled);
                prop_assert_eq!(got.is_ok(), is_ok, "{:?}", got);
                self.keep(got.ok().flatten());
            }
            Action::RollBack(which, delay) => {
                let tickets = self.tickets(which);
                let got = self.ledger.rollback(&tickets, Duration::from_nanos(*delay));
                let back = |state| matches!(state, State::Back(_));
                let is_ok = self.set(&tickets, State::Back(self.at(*delay)), back);
                prop_assert_eq!(got.is_ok(), is_ok, "{:?}", got);
                self.keep(got.ok().flatten());
            }
            Action::Extend(which, by) => {
                let tickets = self.tickets(which);
                let got = self.ledger.extend(&tickets, Duration::from_nanos(*by));
                let is_ok = self.set(&tickets, State::Leased(self.at(*by)), |_| false);
                prop_assert_eq!(got.is_ok(), is_ok, "{:?}", got);
                self.keep(got.ok().flatten());
            }
            Action::Release(which) => self.release(*which),
            Action::Bury => self.bury()?,
            Action::Advance(by) => self.now = self.at(*by),
            Action::ClockBack(by) => self.clock_back(i64::try_from(*by).unwrap()),
            Action::Seek(to) => {
                self.floor = (*to).min(self.head() + 1);
                let entry = self.ledger.seek(Sequence::new(self.floor));
                self.keep(Some(entry));
                self.told.clear();
            }
            Action::Restart => self.restart(),
            Action::Summarise => self.summarise(),
        }
        self.ledger.tick(Timestamp::from_nanos(self.now));
        self.check()
    }

    fn release(&mut self, which: usize) {
        let tickets = self.tickets(&[which]);
        let entry = self.ledger.release(&tickets);
        self.keep(entry);
        for ticket in tickets {
            if self.is_good(ticket, |_| false) == Some(true) {
                let told = self.told.get_mut(&ticket.sequence().get()).unwrap();
                told.state = State::Released;
                told.deliveries -= 1;
            }
        }
    }

    /// Buries the first that is due after its second delivery.
    fn bury(&mut self) -> Result<(), TestCaseError> {
        let Some(doomed) = self.ledger.due(1000, Some(2)).doomed.first().copied() else {
            return Ok(());
        };
        let entry = self.ledger.bury(doomed.ticket);
        prop_assert!(entry.is_some());
        self.keep(entry);
        let told = self.told.get_mut(&doomed.ticket.sequence().get()).unwrap();
        prop_assert_eq!(
            (told.ticket, told.deliveries),
            (doomed.ticket, doomed.deliveries)
        );
        prop_assert!(told.deliveries >= 2);
        // A buried particle is settled, but not by a commit: its ticket is stale.
        told.ticket = "0@0.0".parse().unwrap();
        told.state = State::Settled;
        Ok(())
    }

    fn clock_back(&mut self, by: i64) {
        self.now -= by;
        for told in self.told.values_mut() {
            if let State::Leased(time) | State::Back(time) = &mut told.state {
                *time -= by;
            }
        }
        self.ledger.tick(Timestamp::from_nanos(self.now));
        // Only what is written is known after a restart, and times are written with entries.
        self.summarise();
    }

    fn restart(&mut self) {
        let (topic, name) = ("t".parse().unwrap(), "c".parse().unwrap());
        // The last record comes twice, as after a call that was given up.
        self.records.extend(self.records.last().cloned());
        let (mut ledger, last) = replay(&topic, &name, &self.records).unwrap().unwrap();
        assert_eq!(last, self.last);
        ledger.begin_epoch();
        let open: Vec<Sequence> = ledger.open().collect();
        for sequence in open {
            if let Some(group) = self.group(sequence.get()) {
                ledger.set_group(sequence, GroupKey::of(&group.to_string()));
            }
        }
        self.ledger = ledger;
        self.summarise();
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.ledger.in_flight(), self.leased());
        let open = (self.floor..=self.head()).filter(|sequence| {
            self.told
                .get(sequence)
                .is_none_or(|t| t.state != State::Settled)
        });
        prop_assert_eq!(
            self.ledger.lag(Sequence::new(self.head())),
            open.count() as u64
        );
        let summary = Entry::Summary(Box::new(self.ledger.summary()));
        let mut bytes = Vec::new();
        summary.encode(7, &mut bytes);
        let read = crate::consumer::entry::Reader::new(&bytes).entry();
        prop_assert_eq!(read, Some((7, summary)));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_answers_as_a_plain_model_does(
        max_in_flight in 1_usize..10,
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let mut world = World::new(max_in_flight);
        for action in &actions {
            world.act(action)?;
        }
    }

    #[test]
    fn entries_of_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (topic, name) = ("t".parse().unwrap(), "c".parse().unwrap());
        let _ = replay(&topic, &name, &[bytes]);
    }
}
