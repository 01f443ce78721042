//! Reading particles that stand here and there in a segment.

use bytes::Bytes;
use efflux_particle::{Particle, Sequence};

use super::Segment;
use crate::disk::read_up_to;
use crate::local::offsets::Extent;

/// Bytes between two frames up to which they are read together: a page more costs less than a call.
const GAP_BYTES_MAX: u32 = 4096;

/// Bytes that are read for one call at most: 4 MiB, so that who keeps one of the particles does not
/// keep more.
const BYTES_MAX: usize = 4 * 1024 * 1024;

impl Segment {
    /// Reads the particles at these places, which ascend or descend, into one buffer; none when that
    /// cannot be done, for whatever reason: each is then to be read by itself.
    pub(in crate::local) fn read_each(&self, sequences: &[Sequence]) -> Option<Vec<Particle>> {
        let extents = self.extents_of(sequences)?;
        let file = self.file().ok()?;
        let spans = spans(&extents);
        let bytes = spans.iter().map(Span::bytes).sum();
        if bytes > BYTES_MAX {
            return None;
        }
        let mut buffer = vec![0; bytes];
        let mut at = 0;
        for span in &spans {
            let room = buffer.get_mut(at..at + span.bytes())?;
            let read = read_up_to(&*file, room, u64::from(span.start)).ok()?;
            if read < span.bytes() {
                return None;
            }
            at += span.bytes();
        }
        let buffer = Bytes::from(buffer);
        let mut particles = Vec::with_capacity(extents.len());
        let mut frames = sequences.iter().zip(&extents);
        let mut at = 0;
        for span in &spans {
            for (sequence, extent) in frames.by_ref().take(span.frames) {
                let within = extent.within(span.start);
                let frame = buffer.slice(at + within.start..at + within.end);
                particles.push(self.check(*sequence, extent, &frame).ok()?);
            }
            at += span.bytes();
        }
        Some(particles)
    }

    fn extents_of(&self, sequences: &[Sequence]) -> Option<Vec<Extent>> {
        let offsets = self.offsets.read();
        let offsets = offsets.as_ref()?;
        let extents = sequences.iter().map(|sequence| offsets.extent(*sequence));
        extents.collect()
    }
}

/// Neighbouring frames that are read with one call.
struct Span {
    start: u32,
    end: u32,
    frames: usize,
}

impl Span {
    const fn bytes(&self) -> usize {
        (self.end - self.start) as usize
    }
}

fn spans(extents: &[Extent]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::with_capacity(extents.len());
    for extent in extents {
        if let Some(span) = spans.last_mut()
            && extent.start <= span.end.saturating_add(GAP_BYTES_MAX)
            && span.start <= extent.end.saturating_add(GAP_BYTES_MAX)
        {
            span.start = span.start.min(extent.start);
            span.end = span.end.max(extent.end);
            span.frames += 1;
            continue;
        }
        spans.push(Span {
            start: extent.start,
            end: extent.end,
            frames: 1,
        });
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_together_in_both_directions() {
        let at = |start: u32| Extent {
            start,
            end: start + 100,
            crc: 0,
        };
        let check = |starts: &[u32], expected: &[(u32, u32, usize)]| {
            let extents: Vec<_> = starts.iter().copied().map(at).collect();
            let found: Vec<_> = spans(&extents)
                .iter()
                .map(|span| (span.start, span.end, span.frames))
                .collect();
            assert_eq!(found, expected);
        };
        check(&[0, 100, 4000, 9000], &[(0, 4100, 3), (9000, 9100, 1)]);
        check(&[9000, 4000, 100, 0], &[(9000, 9100, 1), (0, 4100, 3)]);
        check(&[], &[]);
    }
}
