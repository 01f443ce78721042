//! How particles are chosen and handed out.

use std::future::pending;
use std::time::Duration;

use efflux_particle::{Particle, Sequence, Timestamp};

use super::core::Core;
use super::groups::GroupKey;
use super::ledger::{Due, Offer, Pick};
use super::limits::{RECEIVE_BYTES, REDELIVER_PARTICLES};
use super::read_ahead::ReadAhead;
use super::ticket::{Delivery, Ticket};
use crate::error::{Error, Result};

/// What came of one look.
struct Look {
    deliveries: Vec<Delivery>,
    /// More may come when the topic grows past this place; none when there is no room for more.
    past: Option<Sequence>,
    /// More may come then.
    time: Option<Timestamp>,
}

/// What was leased, and how things stand then.
struct Took {
    deliveries: Vec<Delivery>,
    /// The last entry to be kept.
    through: u64,
    /// There is no room for anything new.
    is_full: bool,
    cursor: Sequence,
    time: Option<Timestamp>,
}

/// Hands back what was taken for a caller who has gone away before it was told.
struct Handover<'a> {
    core: &'a Core,
    tickets: Vec<Ticket>,
}

impl Drop for Handover<'_> {
    fn drop(&mut self) {
        if self.tickets.is_empty() {
            return;
        }
        if let Ok(mut state) = self.core.state()
            && let Some(entry) = state.ledger.release(&self.tickets)
        {
            // It is written with the next record. Until then a crash costs the lease's time.
            state.push(&entry);
            self.core.changed.send_replace(());
        }
    }
}

impl Core {
    /// Waits until there is something to hand out, or the time is over.
    pub(super) async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        if max == 0 {
            return Err(Error::invalid("receive at least one particle at once"));
        }
        let clock = &self.parts.clock;
        let mut changed = self.changed.subscribe();
        let over = clock.sleep_until(clock.now().plus(wait));
        tokio::pin!(over);
        loop {
            changed.mark_unchanged();
            let look = self.look(max).await?;
            if !look.deliveries.is_empty() || wait.is_zero() {
                return Ok(look.deliveries);
            }
            let grown = async {
                match look.past {
                    Some(past) => self.parts.log.wait_past(past).await,
                    None => pending().await,
                }
            };
            let due = async {
                match look.time {
                    Some(time) => clock.sleep_until(time).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = changed.changed() => {}
                grown = grown => grown?,
                () = due => {}
                () = &mut over => return Ok(Vec::new()),
            }
        }
    }

    /// Looks once for what can be handed out, and hands it out.
    async fn look(&self, max: usize) -> Result<Look> {
        let mut ahead = self.reading.lock().await;
        loop {
            let (due, cursor, room) = self.plan(max)?;
            for doomed in &due.doomed {
                self.bury(*doomed).await?;
            }
            let again = self.read_again(&due.picks).await?;
            let wanted = max.min(room).saturating_sub(due.picks.len());
            if wanted > 0 {
                ahead.fill(&*self.parts.log, cursor, wanted).await?;
            }
            let is_end = ahead.is_empty();
            let took = self.take(max, again, &mut ahead)?;
            if !took.deliveries.is_empty() {
                drop(ahead);
                return self.hand_over(took).await;
            }
            let is_idle = due.doomed.is_empty() && due.picks.is_empty() && is_end;
            if took.is_full || is_idle {
                let past = took.cursor.previous().filter(|_| !took.is_full);
                return Ok(Look {
                    deliveries: Vec::new(),
                    past,
                    time: took.time,
                });
            }
        }
    }

    /// What is due, the next place along the topic, and how many particles there is room for.
    fn plan(&self, max: usize) -> Result<(Due, Sequence, usize)> {
        let state = self.state()?;
        let ledger = &state.ledger;
        let doom_after = ledger
            .options()
            .dead_letters(self.topic())?
            .map(|(after, _)| after);
        Ok((ledger.due(max, doom_after), ledger.cursor(), ledger.room()))
    }

    /// Reads the particles that are to be delivered before anything new.
    async fn read_again(&self, picks: &[Pick]) -> Result<Vec<(Pick, Particle)>> {
        let mut again = Vec::with_capacity(picks.len());
        let mut bytes = 0;
        for part in picks.chunks(REDELIVER_PARTICLES) {
            let sequences: Vec<Sequence> = part.iter().map(|pick| pick.sequence).collect();
            let read = self.parts.log.read_each(&sequences).await?;
            bytes += read
                .iter()
                .map(|particle| particle.frame().len())
                .sum::<usize>();
            again.extend(part.iter().copied().zip(read));
            if bytes >= RECEIVE_BYTES {
                break;
            }
        }
        Ok(again)
    }

    /// Reads what the next receive will ask for, if the last one left too little of it. For the
    /// time in which a caller waits for the disk anyway.
    pub(super) async fn read_on(&self) {
        let Ok(mut ahead) = self.reading.try_lock() else {
            return;
        };
        let cursor = match self.state() {
            Ok(state) => state.ledger.cursor(),
            Err(_) => return,
        };
        // What fails here fails again in the next receive, which tells it.
        let _ = ahead.refill(&*self.parts.log, cursor).await;
    }

    /// Leases particles: those that come again first, then new ones as far as there is room.
    fn take(
        &self,
        max: usize,
        again: Vec<(Pick, Particle)>,
        ahead: &mut ReadAhead,
    ) -> Result<Took> {
        let mut state = self.state()?;
        let room = state.ledger.room();
        let mut is_full = room == 0;
        let likely = max.min(room).min(again.len() + ahead.len());
        let mut picks = Vec::with_capacity(likely);
        let mut deliveries = Vec::with_capacity(likely);
        let mut bytes = 0;
        for (pick, particle) in again {
            if picks.len() < room && state.ledger.is_due(pick) {
                bytes += particle.frame().len();
                picks.push(pick);
                deliveries.push(Delivery::begin(particle));
            }
        }
        while picks.len() < max.min(room) && bytes < RECEIVE_BYTES {
            let Some(particle) = ahead.pop() else {
                break;
            };
            let group = particle.metadata().message_group().map(GroupKey::of);
            match state.ledger.offer(particle.sequence(), group) {
                Offer::Passed => {}
                Offer::Deliver(pick) => {
                    bytes += particle.frame().len();
                    picks.push(pick);
                    deliveries.push(Delivery::begin(particle));
                }
                Offer::Full => {
                    ahead.put_back(particle);
                    is_full = true;
                    break;
                }
            }
        }
        if !picks.is_empty() {
            let (tickets, entry) = state.ledger.deliver(&picks);
            state.push(&entry);
            for (delivery, (ticket, count)) in deliveries.iter_mut().zip(tickets) {
                delivery.ticket = ticket;
                delivery.deliveries = count;
            }
        }
        Ok(Took {
            deliveries,
            through: state.last(),
            is_full,
            cursor: state.ledger.cursor(),
            time: state.ledger.next_time(),
        })
    }

    /// Keeps what was leased, then hands it over.
    async fn hand_over(&self, took: Took) -> Result<Look> {
        let tickets = took
            .deliveries
            .iter()
            .map(|delivery| delivery.ticket)
            .collect();
        let mut handover = Handover {
            core: self,
            tickets,
        };
        self.keep(took.through, false).await?;
        handover.tickets.clear();
        Ok(Look {
            deliveries: took.deliveries,
            past: None,
            time: None,
        })
    }
}
