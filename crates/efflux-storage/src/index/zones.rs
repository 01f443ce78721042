//! Between which times the particles of each zone of a run lie.
//!
//! ```text
//! zones   (first  last)*     for each zone of 128 particles: its least time, as the difference to
//!                            the greatest one of the zone before; its greatest, as the difference
//!                            to its least; both signed varints of nanoseconds
//! ```
//!
//! Times mostly ascend, so that this narrows a search for a time as well as a column of all times
//! would, for a hundredth of its bytes.

use super::set::{CHUNK, Set};
use super::varint;

/// Particles of a zone.
pub(super) const ZONE: u32 = 128;

/// The least and the greatest time of some particles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    pub(super) const fn at(nanos: i64) -> Self {
        Self {
            first: nanos,
            last: nanos,
        }
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    pub(super) fn meets(self, from: Option<i64>, until: Option<i64>) -> bool {
        from.is_none_or(|from| from <= self.last) && until.is_none_or(|until| self.first <= until)
    }
}

/// The zones of a run, in the making or read.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones {
    spans: Vec<Span>,
}

impl Zones {
    /// Adds times of particles at these offsets, which do not lie before those that were added.
    pub(super) fn add(&mut self, offset: u32, span: Span) {
        let zone = (offset / ZONE) as usize;
        match self.spans.get_mut(zone) {
            Some(known) => *known = known.with(span),
            None => self.spans.resize(zone + 1, span),
        }
    }

    /// Adds the zones of a run of `count` particles that begins at `base` of this one. Where zones
    /// do not coincide, they grow.
    pub(super) fn append(&mut self, base: u32, count: u32, other: &Self) {
        for (zone, span) in (0_u32..).zip(&other.spans) {
            let first = base + zone * ZONE;
            let last = base + (zone * ZONE + ZONE - 1).min(count.saturating_sub(1));
            self.add(first, *span);
            self.add(last, *span);
        }
    }

    /// The span of all of them.
    pub(super) fn span(&self) -> Span {
        self.spans
            .iter()
            .copied()
            .reduce(Span::with)
            .unwrap_or(Span::at(0))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut before = 0_i64;
        for span in &self.spans {
            varint::put_signed(&mut bytes, span.first.wrapping_sub(before));
            varint::put_signed(&mut bytes, span.last.wrapping_sub(span.first));
            before = span.last;
        }
        bytes
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut spans = Vec::new();
        let mut before = 0_i64;
        while !bytes.is_empty() {
            let first = before.wrapping_add(varint::take_signed(&mut bytes)?);
            let last = first.wrapping_add(varint::take_signed(&mut bytes)?);
            spans.push(Span { first, last });
            before = last;
        }
        Some(Self { spans })
    }

    /// The places of a chunk whose zones meet a range of times.
    pub(super) fn chunk(&self, chunk: u32, from: Option<i64>, until: Option<i64>) -> Set {
        let zones = CHUNK / ZONE;
        let of_chunk = self
            .spans
            .iter()
            .skip((chunk * zones) as usize)
            .take(zones as usize);
        let mut set = Set::NONE;
        let mut open: Option<(u16, u16)> = None;
        for (first, span) in (0..CHUNK).step_by(ZONE as usize).zip(of_chunk) {
            if !span.meets(from, until) {
                continue;
            }
            let first = u16::try_from(first).unwrap_or(u16::MAX);
            let last = first.saturating_add(127);
            open = match open {
                Some((begin, end)) if end.checked_add(1) == Some(first) => Some((begin, last)),
                Some((begin, end)) => {
                    set = set.or(Set::Range(begin, end));
                    Some((first, last))
                }
                None => Some((first, last)),
            };
        }
        match open {
            Some((begin, end)) => set.or(Set::Range(begin, end)),
            None => set,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn zones_lose_no_particle(
            times in proptest::collection::vec(any::<i64>(), 1..1000),
            cut in 0..1000_u32,
            from in any::<Option<i64>>(),
            until in any::<Option<i64>>(),
        ) {
            let (first, rest) = times.split_at(times.len().min(cut as usize));
            let count = |times: &[i64]| u32::try_from(times.len()).unwrap();
            let zones_of = |times: &[i64]| {
                let mut zones = Zones::default();
                (0..).zip(times).for_each(|(offset, time)| zones.add(offset, Span::at(*time)));
                zones
            };
            let mut joined = zones_of(first);
            joined.append(count(first), count(rest), &zones_of(rest));
            for zones in [zones_of(&times), Zones::decode(&joined.encode()).unwrap()] {
                let found = zones.chunk(0, from, until).into_places();
                for (place, time) in (0_u16..).zip(&times) {
                    if Span::at(*time).meets(from, until) {
                        prop_assert!(found.contains(&place), "{place}");
                    }
                }
                prop_assert_eq!(zones.span(), zones_of(&times).span());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            Zones::decode(&bytes);
        }
    }
}
