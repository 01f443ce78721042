//! Messages on their way to the port, and what is settled with them.

use efflux_storage::particle::{Particle, Sequence};

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
}

impl Taken {
    /// Takes out what became of a particle that is not taken through as a whole: a position lies
    /// before it or behind it, and never within.
    pub(super) fn split_off_torn(&mut self) -> Vec<Parcel> {
        let Some(torn) = self.rest.first().and_then(sequence) else {
            return Vec::new();
        };
        let whole = self
            .parcels
            .iter()
            .take_while(|parcel| sequence(parcel) != Some(torn));
        let whole = whole.count();
        self.parcels.split_off(whole)
    }

    /// The sequence up to which all is taken through.
    pub(super) fn reaches(&self) -> u64 {
        let torn = self.rest.first().and_then(sequence);
        let before = torn.and_then(Sequence::previous);
        before.map_or(self.receipt.0, Sequence::get)
    }
}

fn sequence(parcel: &Parcel) -> Option<Sequence> {
    parcel.origin().particle().map(Particle::sequence)
}
