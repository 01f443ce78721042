//! What is to be delivered before anything new, and when more of it will be.

use std::collections::{BTreeMap, BTreeSet};

use efflux_particle::{Sequence, Timestamp};

use super::groups::GroupKey;

/// What a delivered particle waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its ticket, until then.
    Leased { deadline: Timestamp },
    /// Its ticket, although the lease is over, or to be delivered again.
    Expired,
    /// The time from which on it is delivered again.
    RolledBack { not_before: Timestamp },
    /// To be delivered again; its ticket was given back.
    Returned,
    /// To be delivered again; nobody took it.
    Released,
}

/// What is to be delivered before anything new, and when more of it will be.
#[derive(Debug)]
pub(super) struct Agenda {
    /// By place, with the group of those that were never delivered.
    pub(super) due: BTreeMap<Sequence, Option<GroupKey>>,
    pub(super) delayed: BTreeSet<(Timestamp, Sequence)>,
    pub(super) leased: usize,
    /// No lease ends before.
    pub(super) leases_from: Timestamp,
}

impl Default for Agenda {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            delayed: BTreeSet::new(),
            leased: 0,
            leases_from: Timestamp::MAX,
        }
    }
}

impl Agenda {
    pub(super) fn enter(&mut self, sequence: Sequence, state: State) {
        match state {
            State::Leased { deadline } => {
                self.leased += 1;
                self.leases_from = self.leases_from.min(deadline);
            }
            State::RolledBack { not_before } => {
                self.delayed.insert((not_before, sequence));
            }
            State::Expired | State::Returned | State::Released => {
                self.due.insert(sequence, None);
            }
        }
    }

    pub(super) fn leave(&mut self, sequence: Sequence, state: State) {
        match state {
            State::Leased { .. } => self.leased -= 1,
            State::RolledBack { not_before } => {
                self.delayed.remove(&(not_before, sequence));
            }
            State::Expired | State::Returned | State::Released => {
                self.due.remove(&sequence);
            }
        }
    }

    /// When more may become due; not later than it does.
    pub(super) fn next_time(&self) -> Option<Timestamp> {
        let lease = (self.leased > 0).then_some(self.leases_from);
        let delay = self.delayed.first().map(|(time, _)| *time);
        lease.into_iter().chain(delay).min()
    }
}
