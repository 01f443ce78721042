//! What happened to a consumer, as its journal keeps it.
//!
//! A record of the journal is one or more entries, one after the other. Numbers are unsigned
//! LEB128 unless said otherwise, times are 8 bytes, little-endian, nanoseconds since 1970.
//!
//! ```text
//! entry   = number  kind (1 byte)  body
//! 1 summary      now  epoch  floor  redelivered  dead-lettered  options
//!                settled: count (gap length)*  flights: count flight*  committed: runs
//! 2 delivered    now  deadline  runs          5 extended   now  deadline  runs
//! 3 committed    runs                         6 released   runs
//! 4 rolled back  now  not before  runs        7 buried     runs
//! 8 moved        floor                        9 options    options
//! runs    = count (sequence epoch attempt length)*
//! flight  = sequence epoch attempt deliveries  0|1|2 (leased | rolled back | given back)  time
//! options = lease (seconds nanoseconds)  max_in_flight  max_deliveries (0 for no end)
//!           dead-letter topic (length, text; length 0 for none)  start (kind, number or time)
//! ```
//!
//! Entries are numbered from 1 without a gap. One that comes a second time, because whoever wrote
//! it first went away before the answer came, is passed over.

use std::time::Duration;

use efflux_particle::{Sequence, Timestamp};

use super::limits::{MAX_IN_FLIGHT_MAX, OPEN_MAX};
use super::options::{ConsumerOptions, Start};
use super::summary::Summary;
use super::ticket::{Ticket, TicketRun, Token};

const SUMMARY: u8 = 1;
const DELIVERED: u8 = 2;
const COMMITTED: u8 = 3;
const ROLLED_BACK: u8 = 4;
const EXTENDED: u8 = 5;
const RELEASED: u8 = 6;
const BURIED: u8 = 7;
const MOVED: u8 = 8;
const OPTIONS: u8 = 9;

/// What happened to a consumer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// Everything up to here, in short.
    Summary(Box<Summary>),
    /// Particles were handed out.
    Delivered {
        now: Timestamp,
        deadline: Timestamp,
        runs: Vec<TicketRun>,
    },
    /// Tickets were committed.
    Committed { runs: Vec<TicketRun> },
    /// Tickets were given back, to be delivered again from then on.
    RolledBack {
        now: Timestamp,
        not_before: Timestamp,
        runs: Vec<TicketRun>,
    },
    /// Leases were prolonged.
    Extended {
        now: Timestamp,
        deadline: Timestamp,
        runs: Vec<TicketRun>,
    },
    /// Particles were handed out to nobody: whoever asked for them was gone.
    Released { runs: Vec<TicketRun> },
    /// Particles went to the dead-letter topic.
    Buried { runs: Vec<TicketRun> },
    /// The consumer was moved.
    Moved { floor: Sequence },
    /// The settings were changed.
    Options(Box<ConsumerOptions>),
}

impl Entry {
    pub(super) fn encode(&self, number: u64, out: &mut Vec<u8>) {
        put(out, number);
        match self {
            Self::Summary(summary) => {
                out.push(SUMMARY);
                summary.encode(out);
            }
            Self::Delivered {
                now,
                deadline,
                runs,
            } => put_timed(out, DELIVERED, *now, *deadline, runs),
            Self::RolledBack {
                now,
                not_before,
                runs,
            } => {
                put_timed(out, ROLLED_BACK, *now, *not_before, runs);
            }
            Self::Extended {
                now,
                deadline,
                runs,
            } => put_timed(out, EXTENDED, *now, *deadline, runs),
            Self::Committed { runs } => put_kind(out, COMMITTED, runs),
            Self::Released { runs } => put_kind(out, RELEASED, runs),
            Self::Buried { runs } => put_kind(out, BURIED, runs),
            Self::Moved { floor } => {
                out.push(MOVED);
                put(out, floor.get());
            }
            Self::Options(options) => {
                out.push(OPTIONS);
                put_options(out, options);
            }
        }
    }
}

fn put_kind(out: &mut Vec<u8>, kind: u8, runs: &[TicketRun]) {
    out.push(kind);
    put_runs(out, runs.iter().copied(), runs.len());
}

fn put_timed(out: &mut Vec<u8>, kind: u8, now: Timestamp, time: Timestamp, runs: &[TicketRun]) {
    out.push(kind);
    put_time(out, now);
    put_time(out, time);
    put_runs(out, runs.iter().copied(), runs.len());
}

pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.nanos().to_le_bytes());
}

pub(super) fn put_ticket(out: &mut Vec<u8>, ticket: Ticket) {
    put(out, ticket.sequence.get());
    put(out, ticket.token.epoch.into());
    put(out, ticket.token.attempt);
}

pub(super) fn put_runs(out: &mut Vec<u8>, runs: impl Iterator<Item = TicketRun>, count: usize) {
    put(out, count as u64);
    for run in runs {
        put_ticket(out, run.first);
        put(out, run.count);
    }
}

pub(super) fn put_options(out: &mut Vec<u8>, options: &ConsumerOptions) {
    put(out, options.lease.as_secs());
    put(out, options.lease.subsec_nanos().into());
    put(out, options.max_in_flight as u64);
    put(out, options.max_deliveries.unwrap_or(0).into());
    let name = options
        .dead_letter
        .as_ref()
        .map_or("", |name| name.as_str());
    put(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    match options.start {
        Start::Root => out.push(0),
        Start::Head => out.push(1),
        Start::Sequence(sequence) => {
            out.push(2);
            put(out, sequence.get());
        }
        Start::Time(time) => {
            out.push(3);
            put_time(out, time);
        }
    }
}

/// Reads entries; every answer is none where the bytes are no entries.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn entry(&mut self) -> Option<(u64, Entry)> {
        let number = self.number()?;
        let entry = match self.byte()? {
            SUMMARY => Entry::Summary(Box::new(Summary::decode(self)?)),
            DELIVERED => {
                let (now, deadline, runs) = self.timed()?;
                Entry::Delivered {
                    now,
                    deadline,
                    runs,
                }
            }
            COMMITTED => Entry::Committed {
                runs: self.runs_of_tickets()?,
            },
            ROLLED_BACK => {
                let (now, not_before, runs) = self.timed()?;
                Entry::RolledBack {
                    now,
                    not_before,
                    runs,
                }
            }
            EXTENDED => {
                let (now, deadline, runs) = self.timed()?;
                Entry::Extended {
                    now,
                    deadline,
                    runs,
                }
            }
            RELEASED => Entry::Released {
                runs: self.runs_of_tickets()?,
            },
            BURIED => Entry::Buried {
                runs: self.runs_of_tickets()?,
            },
            MOVED => Entry::Moved {
                floor: self.sequence()?,
            },
            OPTIONS => Entry::Options(Box::new(self.options()?)),
            _ => return None,
        };
        Some((number, entry))
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn sequence(&mut self) -> Option<Sequence> {
        self.number().map(Sequence::new)
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        let (bytes, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(Timestamp::from_nanos(i64::from_le_bytes(*bytes)))
    }

    pub(super) fn ticket(&mut self) -> Option<Ticket> {
        let sequence = self.sequence()?;
        let epoch = self.number()?.try_into().ok()?;
        Some(Ticket::new(
            sequence,
            Token {
                epoch,
                attempt: self.number()?,
            },
        ))
    }

    /// How many items follow, each of which takes at least one byte.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.bytes.len()).then_some(count)
    }

    pub(super) fn runs(&mut self) -> Option<Vec<TicketRun>> {
        let count = self.count()?;
        (0..count)
            .map(|_| {
                Some(TicketRun {
                    first: self.ticket()?,
                    count: self.number()?,
                })
            })
            .collect()
    }

    /// Runs whose tickets are looked at one by one, no more of them than there can be at once.
    fn runs_of_tickets(&mut self) -> Option<Vec<TicketRun>> {
        let runs = self.runs()?;
        let most = (OPEN_MAX + MAX_IN_FLIGHT_MAX) as u64;
        let tickets = runs
            .iter()
            .try_fold(0_u64, |sum, run| sum.checked_add(run.count))?;
        (tickets <= most).then_some(runs)
    }

    fn timed(&mut self) -> Option<(Timestamp, Timestamp, Vec<TicketRun>)> {
        Some((self.time()?, self.time()?, self.runs_of_tickets()?))
    }

    pub(super) fn options(&mut self) -> Option<ConsumerOptions> {
        let (seconds, nanos) = (self.number()?, u32::try_from(self.number()?).ok()?);
        // More would carry over into the seconds, which may be the greatest there are.
        let lease = (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))?;
        let max_in_flight = usize::try_from(self.number()?).ok()?;
        let max_deliveries = u32::try_from(self.number()?).ok()?;
        let name = self.count()?;
        let (name, rest) = self.bytes.split_at_checked(name)?;
        self.bytes = rest;
        let dead_letter = match std::str::from_utf8(name).ok()? {
            "" => None,
            name => Some(name.parse().ok()?),
        };
        let start = match self.byte()? {
            0 => Start::Root,
            1 => Start::Head,
            2 => Start::Sequence(self.sequence()?),
            3 => Start::Time(self.time()?),
            _ => return None,
        };
        Some(ConsumerOptions {
            lease,
            max_in_flight,
            max_deliveries: (max_deliveries > 0).then_some(max_deliveries),
            dead_letter,
            start,
        })
    }
}
