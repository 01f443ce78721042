//! Everything that is known of a consumer, in short: what its journal is replaced by.

use efflux_particle::{Sequence, Timestamp};

use super::entry::{Reader, put, put_options, put_runs, put_ticket, put_time};
use super::options::ConsumerOptions;
use super::ticket::{Ticket, TicketRun};

/// Everything that is known of a consumer, in short.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    /// The latest time the consumer saw.
    pub(super) now: Timestamp,
    pub(super) epoch: u32,
    /// Everything below is settled.
    pub(super) floor: Sequence,
    /// What is settled above: first place, and place after the last.
    pub(super) settled: Vec<(Sequence, Sequence)>,
    /// What was delivered and is not settled, ascending.
    pub(super) flights: Vec<Kept>,
    /// The last tickets that were committed, oldest first.
    pub(super) committed: Vec<TicketRun>,
    pub(super) redelivered: u64,
    pub(super) dead_lettered: u64,
    pub(super) options: ConsumerOptions,
}

/// A particle that was delivered and is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) ticket: Ticket,
    pub(super) deliveries: u32,
    pub(super) state: KeptState,
}

/// What a delivered particle waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeptState {
    /// It is leased until then.
    Leased(Timestamp),
    /// It was rolled back, to be delivered again from then on.
    RolledBack(Timestamp),
    /// Nobody took it.
    Released,
}

impl Summary {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_time(out, self.now);
        put(out, self.epoch.into());
        put(out, self.floor.get());
        put(out, self.redelivered);
        put(out, self.dead_lettered);
        put_options(out, &self.options);
        put(out, self.settled.len() as u64);
        let mut before = self.floor;
        for (first, end) in &self.settled {
            put(out, first.past(before));
            put(out, end.past(*first));
            before = *end;
        }
        put(out, self.flights.len() as u64);
        for flight in &self.flights {
            put_ticket(out, flight.ticket);
            put(out, flight.deliveries.into());
            let (kind, time) = match flight.state {
                KeptState::Leased(deadline) => (0, deadline),
                KeptState::RolledBack(not_before) => (1, not_before),
                KeptState::Released => (2, Timestamp::MIN),
            };
            out.push(kind);
            put_time(out, time);
        }
        put_runs(out, self.committed.iter().copied(), self.committed.len());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let now = reader.time()?;
        let epoch = reader.number()?.try_into().ok()?;
        let floor = reader.sequence()?;
        let redelivered = reader.number()?;
        let dead_lettered = reader.number()?;
        let options = reader.options()?;
        let count = reader.count()?;
        let mut before = floor.get();
        let settled = (0..count)
            .map(|_| {
                let first = before.checked_add(reader.number()?)?;
                before = first.checked_add(reader.number()?)?;
                Some((Sequence::new(first), Sequence::new(before)))
            })
            .collect::<Option<_>>()?;
        let count = reader.count()?;
        let flights = (0..count)
            .map(|_| Kept::decode(reader))
            .collect::<Option<_>>()?;
        let committed = reader.runs()?;
        Some(Self {
            now,
            epoch,
            floor,
            settled,
            flights,
            committed,
            redelivered,
            dead_lettered,
            options,
        })
    }
}

impl Kept {
    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let ticket = reader.ticket()?;
        let deliveries = reader.number()?.try_into().ok()?;
        let (kind, time) = (reader.byte()?, reader.time()?);
        let state = match kind {
            0 => KeptState::Leased(time),
            1 => KeptState::RolledBack(time),
            2 => KeptState::Released,
            _ => return None,
        };
        Some(Self {
            ticket,
            deliveries,
            state,
        })
    }
}
