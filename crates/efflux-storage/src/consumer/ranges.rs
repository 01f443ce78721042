//! Which particles are settled: everything below a floor, and ranges above it.

use std::collections::BTreeMap;

use efflux_particle::Sequence;

/// Which particles are settled.
///
/// - everything below `floor` is
/// - ranges lie above the floor and touch neither it nor each other
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    floor: u64,
    /// From the first place of a range to the place after its last.
    above: BTreeMap<u64, u64>,
}

impl Settled {
    pub(super) const fn below(floor: Sequence) -> Self {
        Self {
            floor: floor.get(),
            above: BTreeMap::new(),
        }
    }

    /// The first place that is not settled.
    pub(super) const fn floor(&self) -> Sequence {
        Sequence::new(self.floor)
    }

    /// The ranges above the floor: first place, and place after the last.
    pub(super) fn above(&self) -> impl ExactSizeIterator<Item = (Sequence, Sequence)> {
        self.above
            .iter()
            .map(|(first, end)| (Sequence::new(*first), Sequence::new(*end)))
    }

    pub(super) fn contains(&self, sequence: Sequence) -> bool {
        self.next_open(sequence) != sequence
    }

    /// The first place from `sequence` on that is not settled.
    pub(super) fn next_open(&self, sequence: Sequence) -> Sequence {
        let place = sequence.get().max(self.floor);
        match self.above.range(..=place).next_back() {
            Some((_, end)) if *end > place => Sequence::new(*end),
            _ => Sequence::new(place),
        }
    }

    /// How many places through `last` are not settled.
    pub(super) fn open_through(&self, last: Sequence) -> u64 {
        let end = last.next().get();
        let ranges = self
            .above
            .range(..end)
            .map(|(first, range_end)| end.min(*range_end) - first);
        end.saturating_sub(self.floor).saturating_sub(ranges.sum())
    }

    /// Settles the places from `first` to before `end`.
    pub(super) fn insert(&mut self, first: Sequence, end: Sequence) {
        let (mut first, mut end) = (first.get().max(self.floor), end.get());
        if first >= end {
            return;
        }
        // What touches the new range is taken out and becomes a part of it.
        while let Some((&other, &other_end)) = self.above.range(..=end).next_back() {
            if other_end < first {
                break;
            }
            self.above.remove(&other);
            first = first.min(other);
            end = end.max(other_end);
        }
        if first == self.floor {
            self.floor = end;
        } else {
            self.above.insert(first, end);
        }
    }

    /// Forgets what is settled past `last`.
    pub(super) fn cut(&mut self, last: Sequence) {
        let end = last.next().get();
        self.floor = self.floor.min(end);
        self.above.retain(|first, _| *first < end);
        for range_end in self.above.values_mut() {
            *range_end = end.min(*range_end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_answer_as_a_plain_set_does(
            inserts in prop::collection::vec((0_u64..60, 0_u64..8), 0..40),
            cut in 0_u64..64,
        ) {
            let mut settled = Settled::below(Sequence::new(5));
            let mut plain: BTreeSet<u64> = (0..5).collect();
            for (first, count) in inserts {
                settled.insert(Sequence::new(first), Sequence::new(first + count));
                plain.extend(first..first + count);
                check(&settled, &plain)?;
            }
            settled.cut(Sequence::new(cut));
            plain.retain(|place| *place <= cut);
            check(&settled, &plain)?;
        }
    }

    fn check(settled: &Settled, plain: &BTreeSet<u64>) -> Result<(), TestCaseError> {
        for place in 0..80 {
            prop_assert_eq!(
                settled.contains(Sequence::new(place)),
                plain.contains(&place)
            );
            let open = (0..=place).filter(|place| !plain.contains(place)).count() as u64;
            prop_assert_eq!(settled.open_through(Sequence::new(place)), open);
        }
        let mut before = settled.floor().get();
        for (first, end) in settled.above() {
            prop_assert!(first.get() > before && end > first);
            before = end.get();
        }
        Ok(())
    }
}
