//! The one place where a topic's particles get their places: judges, then links.
//!
//! Look-ups in the index are made beforehand, outside of any lock. What came since then is known
//! here: the ids and groups of all particles that the index may not have answered for, and the
//! metadata of the newest ones.

mod recent;
mod window;

use efflux_particle::{Drafts, Head, Id, Linked, LinkedRef, PayloadHash, Sequence};
use hashbrown::hash_map::{Entry, HashMap};

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
    /// The new particles, and where every message of the batch came to stand.
    Linked {
        linked: Linked,
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
    New,
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
            mut drafts,
            expect,
            looked_up,
            ..
        } = batch;
        let fates = if batch.ids_are_new {
            None
        } else {
            let fates = self.recognise(&drafts, &looked_up)?;
            let mut each = fates.iter();
            drafts.retain(|| matches!(each.next(), Some(Fate::New)));
            Some(fates)
        };
        if !drafts.is_empty() {
            self.judge(&expect, &looked_up)?;
        }
        self.link(drafts, fates)
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
    fn recognise(&mut self, drafts: &Drafts, looked_up: &LookedUp) -> Result<Vec<Fate>> {
        let mut fates = Vec::with_capacity(drafts.len());
        let mut in_batch = HashMap::with_capacity(drafts.len());
        for (at, draft) in drafts.iter().enumerate() {
            let (id, hash) = (draft.id(), draft.payload_hash());
            let found = looked_up.same_id.get(at).and_then(Option::as_ref);
            let found = found.map(|particle| Seen {
                sequence: particle.sequence(),
                fingerprint: particle.fingerprint(),
                payload_hash: particle.payload_hash(),
            });
            if let Some(seen) = found.or_else(|| self.window.id(&id)) {
                fates.push(Fate::There(same_message(&id, hash, &seen)?));
                continue;
            }
            let new = in_batch.len();
            match in_batch.entry(id) {
                Entry::Vacant(vacant) => {
                    vacant.insert((new, hash));
                    fates.push(Fate::New);
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

    fn judge(&mut self, expect: &Expect, looked_up: &LookedUp) -> Result<()> {
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

    /// Links what is new; where each message stands, in the order in which they were handed in.
    fn link(&mut self, drafts: Drafts, fates: Option<Vec<Fate>>) -> Result<Sequenced> {
        let (head, linked) = self
            .head
            .link_all(drafts)
            .map_err(|error| Error::invalid(error.to_string()))?;
        let placed = |particle: LinkedRef<'_>| Receipt {
            sequence: particle.sequence(),
            fingerprint: particle.fingerprint(),
            duplicate: false,
        };
        let new: Vec<_> = linked.iter().map(placed).collect();
        let receipts = match fates {
            None => new,
            Some(fates) => in_order(&fates, &new)?,
        };
        self.head = head;
        self.window.add(&linked);
        self.recent.add(&linked);
        Ok(Sequenced::Linked { linked, receipts })
    }
}

/// The receipts of a batch, of which some messages are new and others are there already.
fn in_order(fates: &[Fate], new: &[Receipt]) -> Result<Vec<Receipt>> {
    let mut unplaced = new.iter();
    let missing = || Error::invalid("a message of the batch came to stand nowhere");
    let receipt = |fate: &Fate| match fate {
        Fate::There(receipt) => Ok(*receipt),
        Fate::New => unplaced.next().copied().ok_or_else(missing),
        Fate::Repeats(first) => {
            let first = *new.get(*first).ok_or_else(missing)?;
            Ok(Receipt {
                duplicate: true,
                ..first
            })
        }
    };
    fates.iter().map(receipt).collect()
}

fn same_message(id: &Id, hash: PayloadHash, seen: &Seen) -> Result<Receipt> {
    if hash == seen.payload_hash {
        return Ok(seen.receipt());
    }
    Err(Error::conflict(format!(
        "id {id} is taken by the particle with sequence {}, which has another payload: \
         use another id, or append the same payload again",
        seen.sequence
    )))
}
