//! How each entry changes the state, the same for one that is made now and one that is read back.

use std::collections::{BTreeMap, btree_map};

use efflux_particle::{Sequence, Timestamp};

use super::{Agenda, Flight, Ledger, Settled, State};
use crate::consumer::entry::Entry;
use crate::consumer::groups::{GroupKey, Groups};
use crate::consumer::limits::COMMITTED_RUNS_MAX;
use crate::consumer::summary::{KeptState, Summary};
use crate::consumer::ticket::{Ticket, TicketRun};

impl Ledger {
    /// The state that a summary tells.
    pub(in crate::consumer) fn from_summary(summary: Summary) -> Self {
        let mut ledger = Self::new(summary.floor, summary.now, summary.options);
        for (first, end) in summary.settled {
            ledger.settled.insert(first, end);
        }
        for kept in summary.flights {
            let state = match kept.state {
                KeptState::Leased(deadline) => State::Leased { deadline },
                KeptState::RolledBack(not_before) => State::RolledBack { not_before },
                KeptState::Released => State::Released,
            };
            let Ticket { sequence, token } = kept.ticket;
            let flight = Flight {
                token,
                deliveries: kept.deliveries,
                state,
                group: None,
            };
            if ledger.flights.insert(sequence, flight).is_none() {
                ledger.agenda.enter(sequence, state);
            }
        }
        ledger.committed = summary.committed.into();
        ledger.token.epoch = summary.epoch;
        ledger.redelivered = summary.redelivered;
        ledger.dead_lettered = summary.dead_lettered;
        ledger
    }

    /// Applies an entry, made now or read back.
    pub(in crate::consumer) fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Summary(summary) => *self = Self::from_summary((**summary).clone()),
            Entry::Delivered {
                now,
                deadline,
                runs,
            } => {
                self.set_now(*now);
                for ticket in tickets(runs) {
                    self.take(ticket, None, *deadline);
                }
            }
            Entry::Committed { runs } => {
                runs.iter().for_each(|run| self.settle(*run));
                self.remember(runs);
            }
            Entry::Buried { runs } => {
                runs.iter().for_each(|run| self.settle(*run));
                self.dead_lettered += runs.iter().map(|run| run.count).sum::<u64>();
            }
            Entry::RolledBack {
                now,
                not_before,
                runs,
            } => {
                let not_before = *not_before;
                self.change_all(*now, runs, State::RolledBack { not_before });
            }
            Entry::Extended {
                now,
                deadline,
                runs,
            } => {
                let deadline = *deadline;
                self.change_all(*now, runs, State::Leased { deadline });
            }
            Entry::Released { runs } => tickets(runs).for_each(|ticket| self.undo(ticket)),
            Entry::Moved { floor } => {
                self.settled = Settled::below(*floor);
                self.cursor = *floor;
                self.flights = BTreeMap::new();
                self.agenda = Agenda::default();
                self.groups = Groups::default();
                self.committed.clear();
            }
            Entry::Options(options) => self.options = (**options).clone(),
        }
    }

    /// Leases one particle; how often it was delivered now.
    pub(super) fn take(
        &mut self,
        ticket: Ticket,
        group: Option<GroupKey>,
        deadline: Timestamp,
    ) -> u32 {
        let Ticket { sequence, token } = ticket;
        let state = State::Leased { deadline };
        self.token = self.token.max(token);
        let flight = match self.flights.entry(sequence) {
            btree_map::Entry::Occupied(there) => {
                let flight = there.into_mut();
                self.agenda.leave(sequence, flight.state);
                flight
            }
            btree_map::Entry::Vacant(free) => {
                self.agenda.due.remove(&sequence);
                free.insert(Flight {
                    token,
                    deliveries: 0,
                    state,
                    group,
                })
            }
        };
        flight.token = token;
        flight.state = state;
        flight.deliveries = flight.deliveries.saturating_add(1);
        self.redelivered += u64::from(flight.deliveries > 1);
        self.agenda.enter(sequence, state);
        flight.deliveries
    }

    /// Takes back a delivery that reached nobody.
    fn undo(&mut self, ticket: Ticket) {
        if let Some(flight) = self.flights.get_mut(&ticket.sequence) {
            // A journal that others wrote may say that there were fewer.
            let was_redelivered = u64::from(flight.deliveries > 1);
            self.redelivered = self.redelivered.saturating_sub(was_redelivered);
            flight.deliveries = flight.deliveries.saturating_sub(1);
            self.change(ticket.sequence, State::Released);
        }
    }

    /// Changes what the particles of these tickets wait for, at that time.
    fn change_all(&mut self, now: Timestamp, runs: &[TicketRun], state: State) {
        self.set_now(now);
        for ticket in tickets(runs) {
            self.change(ticket.sequence, state);
        }
    }

    pub(super) fn change(&mut self, sequence: Sequence, state: State) {
        if let Some(flight) = self.flights.get_mut(&sequence) {
            self.agenda.leave(sequence, flight.state);
            flight.state = state;
            self.agenda.enter(sequence, state);
        }
    }

    fn settle(&mut self, run: TicketRun) {
        for ticket in run.tickets() {
            let Some(flight) = self.flights.remove(&ticket.sequence) else {
                continue;
            };
            self.agenda.leave(ticket.sequence, flight.state);
            if let Some(group) = flight.group
                && let Some(next) = self.groups.leave(group)
            {
                self.agenda.due.insert(next, Some(group));
            }
        }
        self.settled.insert(run.first.sequence, run.end());
    }

    fn remember(&mut self, runs: &[TicketRun]) {
        for run in runs {
            match self.committed.back_mut() {
                Some(last) if last.is_followed_by(*run) => {
                    last.count = last.count.saturating_add(run.count);
                }
                _ => self.committed.push_back(*run),
            }
        }
        let surplus = self.committed.len().saturating_sub(COMMITTED_RUNS_MAX);
        self.committed.drain(..surplus);
    }

    /// Takes the time. What waits keeps what is left of its time when the clock went backwards.
    pub(super) fn set_now(&mut self, now: Timestamp) {
        let back = self.now.nanos().saturating_sub(now.nanos());
        self.now = now;
        if back <= 0 {
            return;
        }
        let moved = |time: Timestamp| Timestamp::from_nanos(time.nanos().saturating_sub(back));
        let mut agenda = Agenda {
            due: std::mem::take(&mut self.agenda.due),
            ..Agenda::default()
        };
        for (sequence, flight) in &mut self.flights {
            match &mut flight.state {
                State::Leased { deadline: time } | State::RolledBack { not_before: time } => {
                    *time = moved(*time);
                    agenda.enter(*sequence, flight.state);
                }
                _ => {}
            }
        }
        self.agenda = agenda;
    }
}

fn tickets(runs: &[TicketRun]) -> impl Iterator<Item = Ticket> {
    runs.iter().flat_map(|run| run.tickets())
}
