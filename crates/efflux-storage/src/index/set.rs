//! Sets of places within a chunk of 65,536 particles.

/// Particles of a chunk.
pub(super) const CHUNK: u32 = 65_536;

const WORDS: usize = 1024;

/// Members from which on a set is kept as bits: they then take less room.
const ARRAY_MAX: usize = 4096;

/// Places within a chunk.
#[derive(Clone, Debug)]
pub(super) enum Set {
    /// Few places, ascending.
    Array(Vec<u16>),
    /// All places from the first to the last.
    Range(u16, u16),
    /// One bit for each place, the lowest first.
    Bits(Box<[u64; WORDS]>),
}

impl Set {
    pub(super) const NONE: Self = Self::Array(Vec::new());
    pub(super) const ALL: Self = Self::Range(0, u16::MAX);

    pub(super) fn no_bits() -> Box<[u64; WORDS]> {
        Box::new([0; WORDS])
    }

    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::Array(places) if places.is_empty())
    }

    const fn is_all(&self) -> bool {
        matches!(self, Self::Range(0, u16::MAX))
    }

    fn has(&self, place: u16) -> bool {
        match self {
            Self::Array(places) => places.binary_search(&place).is_ok(),
            Self::Range(first, last) => (*first..=*last).contains(&place),
            Self::Bits(bits) => {
                let word = bits
                    .get(usize::from(place >> 6))
                    .copied()
                    .unwrap_or_default();
                word >> (place & 63) & 1 == 1
            }
        }
    }

    /// The places that are in both.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (all, some) | (some, all) if all.is_all() => some,
            (Self::Range(a, b), Self::Range(c, d)) => match (a.max(c), b.min(d)) {
                (first, last) if first <= last => Self::Range(first, last),
                _ => Self::NONE,
            },
            (Self::Array(some), Self::Array(others)) => Self::Array(both(&some, &others)),
            (Self::Array(mut places), other) | (other, Self::Array(mut places)) => {
                places.retain(|place| other.has(*place));
                Self::Array(places)
            }
            (some, other) => {
                let (mut bits, others) = (some.into_bits(), other.into_bits());
                for (word, other) in bits.iter_mut().zip(others.iter()) {
                    *word &= other;
                }
                Self::Bits(bits)
            }
        }
    }

    /// The places that are in at least one.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (none, some) | (some, none) if none.is_none() => some,
            (all, _) | (_, all) if all.is_all() => all,
            (Self::Array(mut some), Self::Array(others))
                if some.len() + others.len() <= ARRAY_MAX =>
            {
                some.extend(others);
                some.sort_unstable();
                some.dedup();
                Self::Array(some)
            }
            (some, other) => {
                let (mut bits, others) = (some.into_bits(), other.into_bits());
                for (word, other) in bits.iter_mut().zip(others.iter()) {
                    *word |= other;
                }
                Self::Bits(bits)
            }
        }
    }

    /// The places that are not in it.
    pub(super) fn not(self) -> Self {
        if self.is_none() {
            return Self::ALL;
        }
        let mut bits = self.into_bits();
        for word in bits.iter_mut() {
            *word = !*word;
        }
        Self::Bits(bits)
    }

    fn into_bits(self) -> Box<[u64; WORDS]> {
        let mut bits = match self {
            Self::Bits(bits) => return bits,
            _ => Self::no_bits(),
        };
        match self {
            Self::Array(places) => places.into_iter().for_each(|place| set(&mut bits, place)),
            Self::Range(first, last) => fill(&mut bits, first, last),
            Self::Bits(_) => {}
        }
        bits
    }

    /// Every place, ascending.
    pub(super) fn into_places(self) -> Vec<u16> {
        match self {
            Self::Array(places) => places,
            Self::Range(first, last) => (first..=last).collect(),
            Self::Bits(bits) => {
                let mut places = Vec::new();
                for (base, word) in (0..u16::MAX).step_by(64).zip(bits.iter()) {
                    let mut left = *word;
                    while left != 0 {
                        // At most 63.
                        let bit = u16::try_from(left.trailing_zeros()).unwrap_or_default();
                        places.push(base + bit);
                        left &= left - 1;
                    }
                }
                places
            }
        }
    }
}

/// Sets the bit of a place.
pub(super) fn set(bits: &mut [u64; WORDS], place: u16) {
    if let Some(word) = bits.get_mut(usize::from(place >> 6)) {
        *word |= 1 << (place & 63);
    }
}

/// Sets the bits of all places from the first to the last.
fn fill(bits: &mut [u64; WORDS], first: u16, last: u16) {
    let (low, high) = (usize::from(first >> 6), usize::from(last >> 6));
    let (head, tail) = (u64::MAX << (first & 63), u64::MAX >> (63 - (last & 63)));
    for (at, word) in bits.iter_mut().enumerate().take(high + 1).skip(low) {
        let mut mask = u64::MAX;
        if at == low {
            mask &= head;
        }
        if at == high {
            mask &= tail;
        }
        *word |= mask;
    }
}

fn both(some: &[u16], others: &[u16]) -> Vec<u16> {
    let mut places = Vec::with_capacity(some.len().min(others.len()));
    let (mut some, mut others) = (some.iter().peekable(), others.iter().peekable());
    while let (Some(a), Some(b)) = (some.peek(), others.peek()) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => drop(some.next()),
            std::cmp::Ordering::Greater => drop(others.next()),
            std::cmp::Ordering::Equal => {
                places.push(**a);
                some.next();
                others.next();
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn any_set() -> impl Strategy<Value = Set> {
        let places = proptest::collection::btree_set(any::<u16>(), 0..200);
        let range = (any::<u16>(), any::<u16>());
        prop_oneof![
            places
                .clone()
                .prop_map(|places| Set::Array(places.into_iter().collect())),
            places.prop_map(|places| {
                let mut bits = Set::no_bits();
                places
                    .into_iter()
                    .for_each(|place| super::set(&mut bits, place));
                Set::Bits(bits)
            }),
            range.prop_map(|(a, b)| Set::Range(a.min(b), a.max(b))),
            Just(Set::ALL),
        ]
    }

    proptest! {
        #[test]
        fn joining_is_what_it_is_for_sets(a in any_set(), b in any_set()) {
            let members = |set: &Set| set.clone().into_places().into_iter().collect::<BTreeSet<u16>>();
            let (some, others) = (members(&a), members(&b));
            prop_assert_eq!(members(&a.clone().and(b.clone())), &some & &others);
            prop_assert_eq!(members(&a.clone().or(b)), &some | &others);
            let all: BTreeSet<u16> = (0..=u16::MAX).collect();
            prop_assert_eq!(members(&a.not()), &all - &some);
        }
    }
}
