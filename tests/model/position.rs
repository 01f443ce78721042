//! A consumer as plain lists: what it must answer.

use std::collections::{BTreeMap, BTreeSet};

use efflux_node::storage::{Delivery, Ticket};

/// What is known of a particle that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has a ticket; the lease is over at that time.
    Leased(i64),
    /// It was given back and comes again from that time on.
    Back(i64),
    Committed,
    /// It went to the dead-letter topic.
    Buried,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) state: State,
    pub(crate) ticket: Ticket,
    pub(crate) deliveries: u32,
}

/// A consumer of a topic whose particles have these groups.
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// The groups of the particles; the root, at place 0, has none.
    pub(crate) groups: Vec<Option<u8>>,
    pub(crate) now: i64,
    pub(crate) lease: i64,
    pub(crate) max_in_flight: usize,
    pub(crate) max_deliveries: Option<u32>,
    pub(crate) floor: u64,
    /// Everything before this place was looked at.
    pub(crate) looked: u64,
    /// Whether the consumer was opened again since it was made or moved: it then looks at everything
    /// anew, and what was delivered comes before what was only looked at.
    pub(crate) was_reopened: bool,
    pub(crate) told: BTreeMap<u64, Told>,
    pub(crate) given: Vec<Ticket>,
    pub(crate) dead_lettered: u64,
    pub(crate) redelivered: u64,
    /// Places that were copied to the dead-letter topic at least once.
    pub(crate) dead: BTreeSet<u64>,
}

impl Position {
    pub(crate) fn head(&self) -> u64 {
        self.groups.len() as u64 - 1
    }

    fn group(&self, sequence: u64) -> Option<u8> {
        let at = usize::try_from(sequence).unwrap_or(usize::MAX);
        self.groups.get(at).copied().flatten()
    }

    fn is_settled(&self, sequence: u64) -> bool {
        let told = self.told.get(&sequence);
        told.is_some_and(|told| matches!(told.state, State::Committed | State::Buried))
    }

    /// The first place that is not settled.
    pub(crate) fn position(&self) -> u64 {
        let mut places = self.floor..=self.head();
        let open = places.find(|sequence| !self.is_settled(*sequence));
        open.unwrap_or(self.floor.max(self.head() + 1))
    }

    pub(crate) fn lag(&self) -> u64 {
        let places = self.floor..=self.head();
        places
            .filter(|sequence| !self.is_settled(*sequence))
            .count() as u64
    }

    pub(crate) fn leased(&self) -> usize {
        let is_leased =
            |told: &&Told| matches!(told.state, State::Leased(until) if until > self.now);
        self.told.values().filter(is_leased).count()
    }

    /// How many were delivered, came back and wait.
    pub(crate) fn delayed(&self) -> usize {
        let is_open = |told: &&Told| matches!(told.state, State::Leased(_) | State::Back(_));
        self.told.values().filter(is_open).count() - self.leased()
    }

    /// All that could be delivered now: what was looked at before, then the rest.
    fn deliverable(&self) -> Vec<u64> {
        let mut blocked = BTreeSet::new();
        let mut found = Vec::new();
        for sequence in self.floor..=self.head() {
            let can = match self.told.get(&sequence).map(|told| told.state) {
                Some(State::Committed | State::Buried) => continue,
                None => true,
                Some(State::Leased(time) | State::Back(time)) => time <= self.now,
            };
            let group = self.group(sequence);
            if can && group.is_none_or(|group| !blocked.contains(&group)) {
                found.push(sequence);
            }
            blocked.extend(group);
        }
        found.sort_by_key(|sequence| (!self.is_old(*sequence), *sequence));
        found
    }

    fn is_old(&self, sequence: u64) -> bool {
        sequence < self.looked || self.told.contains_key(&sequence)
    }

    fn is_doomed(&self, sequence: u64) -> bool {
        let told = self.told.get(&sequence);
        told.is_some_and(|told| {
            self.max_deliveries
                .is_some_and(|max| told.deliveries >= max)
        })
    }

    /// Buries the first `count` of those that were delivered too often: all that a receive of `max`
    /// comes to at first, and further ones when it looks again.
    fn bury(&mut self, max: usize, count: usize) -> Result<(), String> {
        let due = self.deliverable();
        let is_doomed = |sequence: &u64| self.is_doomed(*sequence);
        let at_first = due.iter().take(max).filter(|sequence| is_doomed(sequence));
        let at_first = at_first.count();
        let doomed: Vec<_> = due.iter().copied().filter(is_doomed).collect();
        if count < at_first || count > doomed.len() {
            return Err(format!("{count} of {doomed:?} were buried, not {at_first}"));
        }
        for sequence in doomed.into_iter().take(count) {
            if let Some(told) = self.told.get_mut(&sequence) {
                told.state = State::Buried;
            }
            self.dead.insert(sequence);
            self.dead_lettered += 1;
        }
        Ok(())
    }

    /// Holds what was received against what could be, and notes it. So many particles were
    /// dead-lettered since the consumer was made.
    pub(crate) fn receive(
        &mut self,
        max: usize,
        got: &[Delivery],
        dead_lettered: u64,
    ) -> Result<(), String> {
        let buried = dead_lettered.saturating_sub(self.dead_lettered);
        self.bury(max, usize::try_from(buried).unwrap_or(usize::MAX))?;
        let room = self.max_in_flight.saturating_sub(self.leased());
        let expected = self.deliverable();
        let sequences: Vec<u64> = got
            .iter()
            .map(|one| one.particle.sequence().get())
            .collect();
        let is_allowed = match buried > 0 {
            // Burying one lets the next of its group go, sooner or later.
            true => sequences.iter().all(|sequence| expected.contains(sequence)),
            false if self.was_reopened => {
                let of = |from: &[u64], is_told: bool| -> Vec<u64> {
                    let wanted = |at: &u64| self.told.contains_key(at) == is_told;
                    from.iter().copied().filter(wanted).collect()
                };
                let is_prefix = |told| of(&expected, told).starts_with(&of(&sequences, told));
                is_prefix(true) && is_prefix(false)
            }
            false => expected.starts_with(&sequences),
        };
        let may_be_empty = expected.is_empty() || room == 0;
        if !is_allowed || sequences.len() > max.min(room) || (got.is_empty() && !may_be_empty) {
            return Err(format!(
                "received {sequences:?} of {expected:?}, room for {room}"
            ));
        }
        for one in got {
            let sequence = one.particle.sequence().get();
            let before = self.told.get(&sequence).map_or(0, |told| told.deliveries);
            if one.deliveries != before + 1 || self.given.contains(&one.ticket) {
                return Err(format!("{one:?} after {before} deliveries"));
            }
            let told = Told {
                state: State::Leased(self.now + self.lease),
                ticket: one.ticket,
                deliveries: one.deliveries,
            };
            self.redelivered += u64::from(before > 0);
            self.told.insert(sequence, told);
            self.given.push(one.ticket);
            self.looked = self.looked.max(sequence + 1);
        }
        Ok(())
    }

    /// Sets the state of the particles of these tickets, all or none; whether they are good.
    pub(crate) fn settle(&mut self, tickets: &[Ticket], to: State) -> bool {
        let standing = |ticket: &Ticket| {
            let told = self.told.get(&ticket.sequence().get());
            let told = told.filter(|told| told.ticket == *ticket)?;
            match (told.state, to) {
                (State::Leased(_), _) => Some(true),
                (State::Committed, State::Committed) | (State::Back(_), State::Back(_)) => {
                    Some(false)
                }
                _ => None,
            }
        };
        let standings: Option<Vec<bool>> = tickets.iter().map(standing).collect();
        let Some(standings) = standings else {
            return false;
        };
        for (ticket, is_held) in tickets.iter().zip(standings) {
            if let Some(told) = self.told.get_mut(&ticket.sequence().get())
                && is_held
            {
                told.state = to;
            }
        }
        true
    }

    /// The consumer begins at that place, with no memory of anything.
    pub(crate) fn move_to(&mut self, floor: u64) {
        self.floor = floor;
        self.looked = floor;
        self.was_reopened = false;
        self.told.clear();
    }

    pub(crate) fn reopened(&mut self) {
        self.was_reopened |= !self.told.is_empty();
    }

    /// The clock went back: what waits keeps what is left of its time.
    pub(crate) fn clock_back(&mut self, by: i64) {
        self.now -= by;
        for told in self.told.values_mut() {
            if let State::Leased(time) | State::Back(time) = &mut told.state {
                *time -= by;
            }
        }
    }
}
