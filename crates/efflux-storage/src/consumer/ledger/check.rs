//! Which tickets are good for what: commit, roll back, extend.

use std::time::Duration;

use super::{Ledger, State};
use crate::consumer::entry::Entry;
use crate::consumer::ticket::{Ticket, TicketRun};

/// A ticket that was refused, and why. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::consumer) struct Refused {
    pub(in crate::consumer) ticket: Ticket,
    pub(in crate::consumer) reason: &'static str,
}

/// How a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is good. Its lease may be over, but nobody else has the particle.
    Held,
    /// It was given back, and its particle was not delivered again yet.
    RolledBack,
    /// It was committed.
    Committed,
    /// It is good for nothing.
    Stale(&'static str),
}

impl Ledger {
    /// Settles the particles; none when all of them were committed before with these tickets.
    pub(in crate::consumer) fn commit(
        &mut self,
        tickets: &[Ticket],
    ) -> Result<Option<Entry>, Refused> {
        let held = self.held(tickets, Standing::Committed)?;
        Ok(self.applied(held, |runs| Entry::Committed { runs }))
    }

    /// Gives the tickets back; none when all of them were given back before.
    pub(in crate::consumer) fn rollback(
        &mut self,
        tickets: &[Ticket],
        delay: Duration,
    ) -> Result<Option<Entry>, Refused> {
        let held = self.held(tickets, Standing::RolledBack)?;
        let (now, not_before) = (self.now, self.now.plus(delay));
        Ok(self.applied(held, |runs| Entry::RolledBack {
            now,
            not_before,
            runs,
        }))
    }

    /// Lets the leases end `by` from now.
    pub(in crate::consumer) fn extend(
        &mut self,
        tickets: &[Ticket],
        by: Duration,
    ) -> Result<Option<Entry>, Refused> {
        let held = self.held(tickets, Standing::Held)?;
        let (now, deadline) = (self.now, self.now.plus(by));
        Ok(self.applied(held, |runs| Entry::Extended {
            now,
            deadline,
            runs,
        }))
    }

    fn applied(
        &mut self,
        held: Vec<TicketRun>,
        entry: impl FnOnce(Vec<TicketRun>) -> Entry,
    ) -> Option<Entry> {
        let entry = (!held.is_empty()).then(|| entry(held))?;
        self.apply(&entry);
        Some(entry)
    }

    /// The tickets that are good, each once; those that stand as `also` are passed over.
    fn held(&self, tickets: &[Ticket], also: Standing) -> Result<Vec<TicketRun>, Refused> {
        let sorted;
        let tickets = if tickets.is_sorted_by(|one, next| one < next) {
            tickets
        } else {
            let mut all = tickets.to_vec();
            all.sort_unstable();
            all.dedup();
            sorted = all;
            &sorted
        };
        let mut held = Vec::with_capacity(tickets.len());
        for ticket in tickets.iter().copied() {
            match self.standing(ticket) {
                Standing::Held => held.push(ticket),
                other if other == also => {}
                other => {
                    return Err(Refused {
                        ticket,
                        reason: other.reason(),
                    });
                }
            }
        }
        Ok(TicketRun::collect(held))
    }

    pub(super) fn is_held(&self, ticket: Ticket) -> bool {
        self.standing(ticket) == Standing::Held
    }

    fn standing(&self, ticket: Ticket) -> Standing {
        match self.flights.get(&ticket.sequence) {
            Some(flight) if flight.token != ticket.token => {
                Standing::Stale("its lease was over and its particle was delivered again")
            }
            Some(flight) => match flight.state {
                State::Leased { .. } | State::Expired => Standing::Held,
                State::RolledBack { .. } | State::Returned => Standing::RolledBack,
                State::Released => Standing::Stale("it was never handed out"),
            },
            None if self.committed.iter().rev().any(|run| run.contains(ticket)) => {
                Standing::Committed
            }
            None if self.settled.contains(ticket.sequence) => {
                Standing::Stale("its particle is settled, by another ticket or long ago")
            }
            None => Standing::Stale(
                "its particle is not in flight: the consumer was moved, or a power cut took it back",
            ),
        }
    }
}

impl Standing {
    const fn reason(self) -> &'static str {
        match self {
            Self::Held => "it is in flight",
            Self::RolledBack => "it was rolled back",
            Self::Committed => "it was committed",
            Self::Stale(reason) => reason,
        }
    }
}
