//! Messages on their way to the port, and what is settled with them.

use std::collections::{BTreeSet, VecDeque};

use efflux_storage::particle::Sequence;

use super::options::Order;
use crate::connector::IntakeReceipt;
use crate::parcel::Parcel;

/// Messages that are delivered together, and the intakes that wait for them: how many of each.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) parcels: Vec<Parcel>,
    pub(super) settles: Vec<(IntakeReceipt, usize)>,
    /// The sequence that is reached with them.
    pub(super) reaches: Option<u64>,
    /// About how many bytes of memory they take; set when they begin to wait.
    pub(super) weight: usize,
}

/// What became of an intake, as far as it was taken through the steps.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) receipt: IntakeReceipt,
    pub(super) parcels: Vec<Parcel>,
    /// What is left for later because these became so much.
    pub(super) rest: Vec<Parcel>,
    /// Whether some failed: perhaps because they became too much.
    pub(super) has_failures: bool,
}

impl Load {
    pub(super) const fn is_empty(&self) -> bool {
        self.parcels.is_empty() && self.settles.is_empty() && self.reaches.is_none()
    }

    fn receipts(&self) -> impl Iterator<Item = IntakeReceipt> {
        self.settles.iter().map(|(receipt, _)| *receipt)
    }
}

/// What waits to be delivered, and what is under way to it.
#[derive(Debug, Default)]
pub(super) struct Loads {
    waiting: VecDeque<Load>,
    /// Intakes of which a part is being delivered.
    busy: BTreeSet<IntakeReceipt>,
}

impl Loads {
    pub(super) fn push(&mut self, load: Load) {
        self.waiting.push_back(load);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The first that waits.
    pub(super) fn first(&mut self) -> Option<Load> {
        self.waiting.pop_front()
    }

    /// The next to deliver, unless it would overtake what became of the same intake: messages of one
    /// group may be in both.
    pub(super) fn next(&mut self, order: Order) -> Option<Load> {
        if order == Order::None {
            return self.first();
        }
        let mut held = self.busy.clone();
        let at = self.waiting.iter().position(|load| {
            let is_free = load.receipts().all(|receipt| !held.contains(&receipt));
            held.extend(load.receipts());
            is_free
        });
        let load = self.waiting.remove(at?)?;
        self.busy.extend(load.receipts());
        Some(load)
    }

    /// Says that nothing of this intake is being delivered.
    pub(super) fn done(&mut self, receipt: IntakeReceipt) {
        self.busy.remove(&receipt);
    }
}

impl Taken {
    /// Takes out what became of a particle that is not taken through as a whole: a position lies
    /// before it or behind it, and never within.
    pub(super) fn split_off_torn(&mut self) -> Vec<Parcel> {
        let Some(torn) = self.rest.first().and_then(Parcel::place) else {
            return Vec::new();
        };
        let whole = self
            .parcels
            .iter()
            .take_while(|parcel| parcel.place() != Some(torn));
        let whole = whole.count();
        self.parcels.split_off(whole)
    }

    /// The sequence up to which all is taken through.
    pub(super) fn reaches(&self) -> u64 {
        let torn = self.rest.first().and_then(Parcel::place);
        let before = torn.and_then(Sequence::previous);
        before.map_or(self.receipt.0, Sequence::get)
    }
}
