//! The one place where a topic's particles get their places: judges, then links.
//!
//! Look-ups in the index are made beforehand, outside of any lock. What came since then is known
//! here: the ids and groups of all particles that the index may not have answered for, and the
//! metadata of the newest ones.

mod recent;
mod window;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use efflux_particle::{Draft, Head, Id, Metadata, Particle, Sequence};

use self::recent::Recent;
use self::window::{Seen, Window};
use crate::error::{Error, Result};
use crate::expect::{Expect, Receipt};
use crate::limits::WINDOW_PARTICLES_MAX;
use crate::log::{Batch, LookedUp};

/// Gives particles their places.
///
/// - `head` is the last linked particle, durable or not
/// - `window` knows the ids and groups of all particles after those that the index answers for
/// - `recent` holds the metadata of the newest particles, up to `head`
#[derive(Debug)]
pub(crate) struct Sequencer {
    head: Head,
    window: Window,
    recent: Recent,
}

/// What the sequencer did with a batch.
#[derive(Debug)]
pub(crate) enum Sequenced {
    /// New particles, in order, and where every message of the batch came to stand.
    Linked {
        particles: Vec<Particle>,
        receipts: Vec<Receipt>,
    },
    /// Nothing: look-ups are needed through these sequences.
    LookUpAgain {
        batch: Batch,
        through: Sequence,
        matched_through: Sequence,
    },
}

/// What is to become of one message of a batch.
enum Fate {
    New(Draft),
    /// It stands there already.
    There(Receipt),
    /// It is the same message as a new one before it in this batch: the how manieth new one.
    Repeats(usize),
}

impl Sequencer {
    /// A sequencer for a log that stands at `head`; look-ups must answer for everything through it.
    pub(crate) fn new(head: Head) -> Self {
        Self {
            head,
            window: Window::starting_at(head.sequence.next()),
            recent: Recent::starting_at(head.sequence.next()),
        }
    }

    pub(crate) const fn head(&self) -> Head {
        self.head
    }

    /// Look-ups of ids and groups answer for everything through here.
    pub(crate) fn indexed_through(&mut self, sequence: Sequence) {
        self.window.forget_through(sequence);
    }

    /// Judges a batch and links what is new in it; all or nothing.
    pub(crate) fn append(&mut self, batch: Batch) -> Result<Sequenced> {
        if let Some((through, matched_through)) = self.missing_look_ups(&batch) {
            return Ok(Sequenced::LookUpAgain {
                batch,
                through,
                matched_through,
            });
        }
        let Batch {
            drafts,
            expect,
            ids_are_new,
            looked_up,
        } = batch;
        let fates = if ids_are_new {
            drafts.into_iter().map(Fate::New).collect()
        } else {
            self.recognise(drafts, &looked_up)?
        };
        let new = fates
            .iter()
            .filter(|fate| matches!(fate, Fate::New(_)))
            .count();
        if new > 0 {
            self.judge(&expect, &looked_up)?;
        }
        self.link(fates, new)
    }

    fn missing_look_ups(&self, batch: &Batch) -> Option<(Sequence, Sequence)> {
        let looked_up = &batch.looked_up;
        let is_full = self.window.len() >= WINDOW_PARTICLES_MAX;
        let by_group = matches!(batch.expect, Expect::Group { .. });
        let needs_window = !batch.ids_are_new || by_group;
        let window_gap = needs_window && looked_up.through.next() < self.window.start();
        let recent_gap = match &batch.expect {
            Expect::NoMatch { after, .. } => {
                looked_up.matched_through.max(*after).next() < self.recent.start()
            }
            _ => false,
        };
        if !(is_full || window_gap || recent_gap) {
            return None;
        }
        let through = if is_full {
            self.window.start().plus(WINDOW_PARTICLES_MAX as u64 / 2)
        } else if window_gap {
            self.window.start().previous().unwrap_or(Sequence::ROOT)
        } else {
            looked_up.through
        };
        let matched_through = if recent_gap {
            self.recent.start().previous().unwrap_or(Sequence::ROOT)
        } else {
            looked_up.matched_through
        };
        Some((through, matched_through))
    }

    /// Finds out which messages are there already.
    fn recognise(&self, drafts: Vec<Draft>, looked_up: &LookedUp) -> Result<Vec<Fate>> {
        let mut fates = Vec::with_capacity(drafts.len());
        let mut in_batch = HashMap::new();
        for (at, draft) in drafts.into_iter().enumerate() {
            let id = draft.id();
            let found = looked_up
                .same_id
                .get(at)
                .and_then(Option::as_ref)
                .map(Seen::of);
            if let Some(seen) = found.or_else(|| self.window.id(&id)) {
                fates.push(Fate::There(same_message(&id, &draft, &seen)?));
                continue;
            }
            let hash = draft.payload_hash();
            let new = in_batch.len();
            match in_batch.entry(id) {
                Entry::Vacant(vacant) => {
                    vacant.insert((new, hash));
                    fates.push(Fate::New(draft));
                }
                Entry::Occupied(first) if first.get().1 == hash => {
                    fates.push(Fate::Repeats(first.get().0));
                }
                Entry::Occupied(first) => {
                    return Err(Error::conflict(format!(
                        "id {} stands twice in this batch, with different payloads: \
                         give each message an id of its own",
                        first.key()
                    )));
                }
            }
        }
        Ok(fates)
    }

    fn judge(&self, expect: &Expect, looked_up: &LookedUp) -> Result<()> {
        match expect {
            Expect::Any => Ok(()),
            Expect::Empty if self.head.sequence == Sequence::ROOT => Ok(()),
            Expect::Empty => Err(Error::conflict(format!(
                "the topic was expected to be empty, its head is {}",
                self.head
            ))),
            Expect::Head(expected) if *expected == self.head => Ok(()),
            Expect::Head(expected) => Err(Error::conflict(format!(
                "head {expected} was expected, the topic's head is {}",
                self.head
            ))),
            Expect::Group { group, last } => {
                let found = self.window.group(group).or(looked_up.group_last);
                if found == *last {
                    return Ok(());
                }
                let tell = |place: Option<Sequence>| {
                    place.map_or("no particle".to_owned(), |place| {
                        format!("sequence {place}")
                    })
                };
                Err(Error::conflict(format!(
                    "{} was expected as the last of message group {group:?}, found {}",
                    tell(*last),
                    tell(found)
                )))
            }
            Expect::NoMatch { query, after } => {
                let known = looked_up.matching.filter(|matching| matching > after);
                let later = after.max(&looked_up.matched_through);
                let matching = known.or_else(|| self.recent.first_after(*later, query));
                match matching {
                    None => Ok(()),
                    Some(matching) => Err(Error::conflict(format!(
                        "no particle after sequence {after} was expected to match, \
                         the one with sequence {matching} does"
                    ))),
                }
            }
        }
    }

    fn link(&mut self, fates: Vec<Fate>, new: usize) -> Result<Sequenced> {
        let mut remaining = u32::try_from(new)
            .map_err(|_| Error::invalid(format!("a batch of {new} messages is too large")))?;
        let mut particles = Vec::with_capacity(new);
        let mut receipts = Vec::with_capacity(fates.len());
        let mut head = self.head;
        for fate in fates {
            receipts.push(match fate {
                Fate::There(receipt) => receipt,
                Fate::Repeats(new) => {
                    let first = particles.get(new).map(Seen::of);
                    first
                        .ok_or_else(|| Error::invalid("a message repeats nothing"))?
                        .receipt()
                }
                Fate::New(draft) => {
                    remaining -= 1;
                    let (on, particle) = head
                        .link_in_batch(draft, remaining)
                        .map_err(|error| Error::invalid(error.to_string()))?;
                    head = on;
                    particles.push(particle);
                    Receipt {
                        sequence: on.sequence,
                        fingerprint: on.fingerprint,
                        duplicate: false,
                    }
                }
            });
        }
        self.head = head;
        for particle in &particles {
            self.window.add(particle);
            self.recent.add(particle.metadata());
        }
        Ok(Sequenced::Linked {
            particles,
            receipts,
        })
    }
}

fn same_message(id: &Id, draft: &Draft, seen: &Seen) -> Result<Receipt> {
    if draft.payload_hash() == seen.payload_hash {
        return Ok(seen.receipt());
    }
    Err(Error::conflict(format!(
        "id {id} is taken by the particle with sequence {}, which has another payload: \
         use another id, or append the same payload again",
        seen.sequence
    )))
}

/// Whether metadata stands after a place and matches a query.
fn matches_after(metadata: &Metadata, after: Sequence, query: &crate::query::Query) -> bool {
    metadata.sequence() > after && query.matches(metadata)
}
