//! The state of one consumer, without input and output and without a clock of its own.
//!
//! ```text
//!  settled  settled  in flight  settled  rolled back  parked  settled  never looked at
//! ───────────────────┬────────────────────────────────────────────────┬───────────────
//!                    floor                                            cursor
//! ```
//!
//! Every change is an [`Entry`], and applying the entries of a journal one after the other gives
//! the state that wrote them, but for what is derived: the cursor goes back to the floor, and groups
//! are told anew.

mod apply;
mod check;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use efflux_particle::{Sequence, Timestamp};

use super::agenda::{Agenda, State};
use super::entry::Entry;
use super::groups::{GroupKey, Groups, Turn};
use super::limits::OPEN_MAX;
use super::options::ConsumerOptions;
use super::ranges::Settled;
use super::summary::{Kept, KeptState, Summary};
use super::ticket::{Ticket, TicketRun, Token};

pub(super) use check::Refused;

/// The state of one consumer.
///
/// - what lies below the cursor is settled, in `flights`, waiting in `groups`, or due
/// - a particle with a group is in `flights` or due only while it has its group's turn
#[derive(Debug)]
pub(super) struct Ledger {
    settled: Settled,
    /// What was delivered and is not settled.
    flights: BTreeMap<Sequence, Flight>,
    agenda: Agenda,
    groups: Groups,
    cursor: Sequence,
    committed: VecDeque<TicketRun>,
    /// The last delivery; the next has the next number.
    token: Token,
    now: Timestamp,
    redelivered: u64,
    dead_lettered: u64,
    options: ConsumerOptions,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    token: Token,
    deliveries: u32,
    state: State,
    group: Option<GroupKey>,
}

/// What became of a particle that the cursor came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It can be delivered, and must be, as it has its group's turn.
    Deliver(Pick),
    /// It was delivered or settled before, or waits for its group.
    Passed,
    /// The bounds are reached: the cursor stays before it.
    Full,
}

/// A particle chosen to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) sequence: Sequence,
    group: Option<GroupKey>,
}

/// What is to be done about the particles that are due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// To be delivered, ascending.
    pub(super) picks: Vec<Pick>,
    /// Delivered too often already.
    pub(super) doomed: Vec<Doomed>,
}

/// A particle that was delivered too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doomed {
    pub(super) ticket: Ticket,
    pub(super) deliveries: u32,
    /// Whether its last ticket was given back, rather than ran out.
    pub(super) rolled_back: bool,
}

impl Ledger {
    /// A new consumer that begins at `floor`.
    pub(super) fn new(floor: Sequence, now: Timestamp, options: ConsumerOptions) -> Self {
        Self {
            settled: Settled::below(floor),
            flights: BTreeMap::new(),
            agenda: Agenda::default(),
            groups: Groups::default(),
            cursor: floor,
            committed: VecDeque::new(),
            token: Token::default(),
            now,
            redelivered: 0,
            dead_lettered: 0,
            options,
        }
    }

    /// Begins the next epoch: tickets of this one are never given again.
    pub(super) fn begin_epoch(&mut self) {
        self.token = Token {
            epoch: self.token.epoch.saturating_add(1),
            attempt: 0,
        };
    }

    /// Takes the time. Leases that are over and delays that are become due.
    ///
    /// When the clock went backwards, all deadlines go with it: what is left of a lease stays.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.set_now(now);
        if now >= self.agenda.leases_from {
            self.expire(now);
        }
        while let Some((time, sequence)) = self.agenda.delayed.first().copied() {
            if time > now {
                break;
            }
            self.change(sequence, State::Returned);
        }
    }

    fn expire(&mut self, now: Timestamp) {
        let mut leases_from = Timestamp::MAX;
        let mut over = Vec::new();
        for (sequence, flight) in &self.flights {
            match flight.state {
                State::Leased { deadline } if deadline <= now => over.push(*sequence),
                State::Leased { deadline } => leases_from = leases_from.min(deadline),
                _ => {}
            }
        }
        for sequence in over {
            self.change(sequence, State::Expired);
        }
        self.agenda.leases_from = leases_from;
    }

    /// How many more particles may be in flight.
    pub(super) fn room(&self) -> usize {
        self.options
            .max_in_flight
            .saturating_sub(self.agenda.leased)
    }

    /// When something may become due without anyone doing anything.
    pub(super) fn next_time(&self) -> Option<Timestamp> {
        self.agenda.next_time()
    }

    /// What is due, oldest first: at most `max` particles, no more of them than there is room for.
    pub(super) fn due(&self, max: usize, doom_after: Option<u32>) -> Due {
        let mut due = Due::default();
        let room = self.room();
        for (sequence, group) in self.agenda.due.iter().take(max) {
            match self.flights.get(sequence) {
                Some(flight) if doom_after.is_some_and(|max| flight.deliveries >= max) => {
                    due.doomed.push(Doomed {
                        ticket: Ticket::new(*sequence, flight.token),
                        deliveries: flight.deliveries,
                        rolled_back: flight.state == State::Returned,
                    });
                }
                _ if due.picks.len() < room => {
                    due.picks.push(Pick {
                        sequence: *sequence,
                        group: *group,
                    });
                }
                _ => {}
            }
        }
        due
    }

    /// Whether a particle that was due still is.
    pub(super) fn is_due(&self, pick: Pick) -> bool {
        self.agenda.due.contains_key(&pick.sequence)
    }

    /// The next place to look at: what lies below was looked at before, or is settled.
    pub(super) fn cursor(&self) -> Sequence {
        self.settled.next_open(self.cursor)
    }

    /// Offers the next particle along the topic.
    pub(super) fn offer(&mut self, sequence: Sequence, group: Option<GroupKey>) -> Offer {
        let known =
            sequence < self.cursor || self.settled.contains(sequence) || self.is_open(sequence);
        if !known && self.flights.len() >= OPEN_MAX {
            return Offer::Full;
        }
        let turn = match group {
            _ if known => Turn::Parked,
            None => Turn::Taken,
            Some(group) => self.groups.ask(group, sequence),
        };
        if turn == Turn::Full {
            return Offer::Full;
        }
        self.cursor = self.cursor.max(sequence.next());
        match turn {
            Turn::Taken => Offer::Deliver(Pick { sequence, group }),
            _ => Offer::Passed,
        }
    }

    /// Whether a particle was delivered and is not settled. Most that are asked for lie past all
    /// that were.
    fn is_open(&self, sequence: Sequence) -> bool {
        let last = self.flights.last_key_value().map(|(last, _)| *last);
        last.is_some_and(|last| sequence <= last) && self.flights.contains_key(&sequence)
    }

    /// Hands out particles: their tickets with the counts of their deliveries, and what to keep.
    pub(super) fn deliver(&mut self, picks: &[Pick]) -> (Vec<(Ticket, u32)>, Entry) {
        let deadline = self.now.plus(self.options.lease);
        let tickets: Vec<_> = picks
            .iter()
            .map(|pick| {
                let attempt = self.token.attempt.saturating_add(1);
                let ticket = Ticket::new(
                    pick.sequence,
                    Token {
                        attempt,
                        ..self.token
                    },
                );
                (ticket, self.take(ticket, pick.group, deadline))
            })
            .collect();
        let runs = TicketRun::collect(tickets.iter().map(|(ticket, _)| *ticket));
        (
            tickets,
            Entry::Delivered {
                now: self.now,
                deadline,
                runs,
            },
        )
    }

    /// Settles a particle that went to the dead-letter topic; none when its ticket is another by now.
    pub(super) fn bury(&mut self, ticket: Ticket) -> Option<Entry> {
        let flight = self.flights.get(&ticket.sequence)?;
        if flight.token != ticket.token || !self.agenda.due.contains_key(&ticket.sequence) {
            return None;
        }
        let entry = Entry::Buried {
            runs: TicketRun::collect([ticket]),
        };
        self.apply(&entry);
        Some(entry)
    }

    /// Takes back particles that reached nobody, as if they had never been handed out.
    pub(super) fn release(&mut self, tickets: &[Ticket]) -> Option<Entry> {
        let held = tickets
            .iter()
            .copied()
            .filter(|ticket| self.is_held(*ticket));
        let runs = TicketRun::collect(held);
        let entry = (!runs.is_empty()).then_some(Entry::Released { runs })?;
        self.apply(&entry);
        Some(entry)
    }

    /// Moves the consumer. All tickets become stale.
    pub(super) fn seek(&mut self, floor: Sequence) -> Entry {
        let entry = Entry::Moved { floor };
        self.apply(&entry);
        entry
    }

    /// Changes the settings; none when they are the same.
    pub(super) fn set_options(&mut self, options: &ConsumerOptions) -> Option<Entry> {
        // Where the consumer began does not change.
        let options = ConsumerOptions {
            start: self.options.start,
            ..options.clone()
        };
        let entry = (options != self.options).then(|| Entry::Options(Box::new(options)))?;
        self.apply(&entry);
        Some(entry)
    }

    pub(super) const fn options(&self) -> &ConsumerOptions {
        &self.options
    }

    pub(super) const fn epoch(&self) -> u32 {
        self.token.epoch
    }

    pub(super) const fn redelivered(&self) -> u64 {
        self.redelivered
    }

    pub(super) const fn dead_lettered(&self) -> u64 {
        self.dead_lettered
    }

    /// The first place that is not settled.
    pub(super) const fn position(&self) -> Sequence {
        self.settled.floor()
    }

    /// How many places through `head` are not settled.
    pub(super) fn lag(&self, head: Sequence) -> u64 {
        self.settled.open_through(head)
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.agenda.leased
    }

    /// How many were delivered, came back and wait.
    pub(super) fn delayed(&self) -> usize {
        self.flights.len() - self.agenda.leased
    }

    /// What was delivered and is not settled.
    pub(super) fn open(&self) -> impl Iterator<Item = Sequence> {
        self.flights.keys().copied()
    }

    /// Tells the group of a particle that was delivered before the consumer was opened.
    pub(super) fn set_group(&mut self, sequence: Sequence, group: GroupKey) {
        if let Some(flight) = self.flights.get_mut(&sequence) {
            flight.group = Some(group);
            let _ = self.groups.ask(group, sequence);
        }
    }

    /// Forgets what lies past the end of the topic, which a power cut made shorter.
    pub(super) fn cut(&mut self, head: Sequence) {
        self.settled.cut(head);
        self.cursor = self.cursor.min(head.next());
        for (sequence, flight) in self.flights.split_off(&head.next()) {
            self.agenda.leave(sequence, flight.state);
        }
    }

    /// Everything in short, to replace a journal by.
    pub(super) fn summary(&self) -> Summary {
        let flights = self.flights.iter().map(|(sequence, flight)| Kept {
            ticket: Ticket::new(*sequence, flight.token),
            deliveries: flight.deliveries,
            state: match flight.state {
                State::Leased { deadline } => KeptState::Leased(deadline),
                State::Expired => KeptState::Leased(Timestamp::MIN),
                State::RolledBack { not_before } => KeptState::RolledBack(not_before),
                State::Returned => KeptState::RolledBack(Timestamp::MIN),
                State::Released => KeptState::Released,
            },
        });
        Summary {
            now: self.now,
            epoch: self.token.epoch,
            floor: self.settled.floor(),
            settled: self.settled.above().collect(),
            flights: flights.collect(),
            committed: self.committed.iter().copied().collect(),
            redelivered: self.redelivered,
            dead_lettered: self.dead_lettered,
            options: self.options.clone(),
        }
    }
}
