//! The lease on one delivered particle.

use std::fmt;
use std::str::FromStr;

use efflux_particle::{Particle, Sequence};

use crate::error::Error;

/// A particle that was delivered, with the ticket that settles it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The particle.
    pub particle: Particle,
    /// The lease on it.
    pub ticket: Ticket,
    /// How often it was delivered, this time included: 1 at first.
    pub deliveries: u32,
}

impl Delivery {
    /// A delivery whose ticket is still to be given. A particle is some hundred bytes, so it is put
    /// in its place at once.
    pub(super) fn begin(particle: Particle) -> Self {
        Self {
            ticket: Ticket::new(particle.sequence(), Token::default()),
            particle,
            deliveries: 0,
        }
    }
}

/// The lease on one delivered particle.
///
/// Its text form names the particle's sequence, the consumer's epoch and the number of the delivery
/// in that epoch, as in `41@3.17`. No two deliveries of a consumer ever have the same ticket, also
/// across restarts, so that a ticket which was handed on to another worker is noticed.
///
/// ```
/// use efflux_storage::Ticket;
///
/// let ticket: Ticket = "41@3.17".parse()?;
/// assert_eq!(ticket.sequence().get(), 41);
/// assert_eq!(ticket.to_string(), "41@3.17");
/// # Ok::<(), efflux_storage::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub(super) sequence: Sequence,
    pub(super) token: Token,
}

/// What tells one delivery from all others: ascending in the order of delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Token {
    /// Counts the openings of the consumer; made durable before the first delivery.
    pub(super) epoch: u32,
    /// Counts the deliveries since.
    pub(super) attempt: u64,
}

impl Ticket {
    pub(super) const fn new(sequence: Sequence, token: Token) -> Self {
        Self { sequence, token }
    }

    /// The particle's place in its topic.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{}.{}",
            self.sequence, self.token.epoch, self.token.attempt
        )
    }
}

impl FromStr for Ticket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = || {
            let (sequence, token) = text.split_once('@')?;
            let (epoch, attempt) = token.split_once('.')?;
            let ticket = Self {
                sequence: sequence.parse().ok()?,
                token: Token {
                    epoch: epoch.parse().ok()?,
                    attempt: attempt.parse().ok()?,
                },
            };
            // Only what was printed is read: no signs, no leading zeros.
            (ticket.to_string() == text).then_some(ticket)
        };
        parsed().ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            Error::invalid(format!("{shown:?} is no ticket: one looks like 41@3.17"))
        })
    }
}

/// Tickets of neighbouring particles that were delivered one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TicketRun {
    pub(super) first: Ticket,
    pub(super) count: u64,
}

impl TicketRun {
    /// The ticket `at` places after the first.
    fn at(self, at: u64) -> Ticket {
        let Token { epoch, attempt } = self.first.token;
        let token = Token {
            epoch,
            attempt: attempt.saturating_add(at),
        };
        Ticket::new(self.first.sequence.plus(at), token)
    }

    pub(super) fn tickets(self) -> impl Iterator<Item = Ticket> {
        (0..self.count).map(move |at| self.at(at))
    }

    /// The place after the last.
    pub(super) fn end(self) -> Sequence {
        self.first.sequence.plus(self.count)
    }

    pub(super) fn contains(self, ticket: Ticket) -> bool {
        let at = ticket.sequence.past(self.first.sequence);
        at < self.count && self.at(at) == ticket
    }

    pub(super) fn is_followed_by(self, next: Self) -> bool {
        self.at(self.count) == next.first
    }

    /// Puts tickets that follow each other together.
    pub(super) fn collect(tickets: impl IntoIterator<Item = Ticket>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for ticket in tickets {
            match runs.last_mut() {
                Some(run) if run.at(run.count) == ticket => run.count += 1,
                _ => runs.push(Self {
                    first: ticket,
                    count: 1,
                }),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_what_it_prints() {
        for text in [
            "1@1.1",
            "0@0.0",
            "18446744073709551615@4294967295.18446744073709551615",
        ] {
            assert_eq!(text.parse::<Ticket>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_tickets() {
        for text in [
            "", "1", "1@", "1@1", "1@1.", "@1.1", "+1@1.1", "01@1.1", "1@1.1 ", "1@-1.1",
        ] {
            assert!(text.parse::<Ticket>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn neighbours_become_runs_and_come_back() {
        let tickets: Vec<Ticket> = ["4@1.1", "5@1.2", "7@1.3", "8@1.5", "9@2.6"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        let runs = TicketRun::collect(tickets.iter().copied());
        assert_eq!(
            runs.iter().map(|run| run.count).collect::<Vec<_>>(),
            [2, 1, 1, 1]
        );
        assert_eq!(
            runs.iter()
                .flat_map(|run| run.tickets())
                .collect::<Vec<_>>(),
            tickets
        );
        assert!(runs[0].contains(tickets[1]) && !runs[0].contains(tickets[2]));
    }
}
