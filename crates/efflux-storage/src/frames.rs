//! Frames as they stand, for whoever passes them on and looks into none.

use bytes::Bytes;
use efflux_particle::{FrameSize, Sequence};

/// Whole frames of a topic as they stand, one behind the other, each of them checked.
///
/// - `bytes` are `count` frames and nothing else
/// - the frames have the sequences from `first` on, without a gap
///
/// [`Topic::read_frames`](crate::Topic::read_frames) has an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    bytes: Bytes,
    first: Sequence,
    count: usize,
}

impl Frames {
    /// Frames that were checked.
    pub(crate) const fn new(first: Sequence, count: usize, bytes: Bytes) -> Self {
        Self {
            bytes,
            first,
            count,
        }
    }

    /// No frame, where the one of this sequence was asked for.
    pub(crate) const fn none(first: Sequence) -> Self {
        Self::new(first, 0, Bytes::new())
    }

    /// The frames, one behind the other: a piece of an export.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The sequence of the first frame.
    #[must_use]
    pub const fn first(&self) -> Sequence {
        self.first
    }

    /// How many frames there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Whether there is no frame.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The sequence behind the last frame, where the next read begins.
    #[must_use]
    pub const fn next(&self) -> Sequence {
        self.first.plus(self.count as u64)
    }

    /// Each frame by itself. They share one buffer, which lives as long as any of them.
    pub fn each(&self) -> impl Iterator<Item = Bytes> {
        let mut rest = self.bytes.clone();
        (0..self.count).map_while(move |_| {
            let size = FrameSize::forwards(&rest).ok()?;
            (size.frame_bytes() <= rest.len()).then(|| rest.split_to(size.frame_bytes()))
        })
    }
}
