//! A batch that has its place in a chain: frames one after the other in one buffer.

use bytes::Bytes;

use crate::frame::fingerprint;
use crate::hash::{Fingerprint, PayloadHash};
use crate::id::Id;
use crate::layout::{Layout, NotInBatch, split};
use crate::limits::BATCH_PARTICLES_MAX;
use crate::metadata::{Fields, Metadata};
use crate::particle::Particle;
use crate::sequence::Sequence;

/// A batch that has its place in a chain: frames one after the other in one buffer.
///
/// It is what is written to a log. [`Linked::into_particles`] tells the same as [`Particle`]s.
#[derive(Clone, Debug, Default)]
pub struct Linked {
    frames: Vec<u8>,
    layouts: Vec<Layout>,
}

/// One particle of a batch, looked at in place.
#[derive(Clone, Copy, Debug)]
pub struct LinkedRef<'a> {
    frame: &'a [u8],
    layout: &'a Layout,
}

impl<'a> LinkedRef<'a> {
    /// The whole frame.
    #[must_use]
    pub const fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// The particle's place.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.layout.fields.sequence
    }

    /// The SHA-256 of the metadata bytes.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(self.frame)
    }

    /// The SHA-256 of the payload.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.layout.fields.payload_hash(self.metadata())
    }

    /// The message's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.layout.fields.id(self.metadata())
    }

    /// The message group, if there is one.
    #[must_use]
    pub fn message_group(&self) -> Option<&'a str> {
        let span = self.layout.fields.message_group?;
        Some(span.text(self.metadata()))
    }

    fn metadata(&self) -> &'a [u8] {
        self.layout.metadata(self.frame)
    }
}

impl Linked {
    /// Gives encoded messages their places after `sequence` and `linked`; where the chain then stands.
    pub(crate) fn place(
        (mut frames, mut layouts): (Vec<u8>, Vec<Layout>),
        mut sequence: Sequence,
        mut linked: Fingerprint,
    ) -> Result<(Self, Sequence, Fingerprint), NotInBatch> {
        let count = layouts.len();
        if count > BATCH_PARTICLES_MAX {
            return Err(NotInBatch);
        }
        let mut rest = frames.as_mut_slice();
        for (layout, remaining) in layouts.iter_mut().zip((0..count).rev()) {
            let (frame, later) = rest
                .split_at_mut_checked(layout.frame_bytes)
                .unwrap_or_default();
            let remaining = u32::try_from(remaining).map_err(|_| NotInBatch)?;
            sequence = sequence.next();
            linked = layout.seal(frame, sequence, Some(linked), remaining)?;
            rest = later;
        }
        Ok((Self { frames, layouts }, sequence, linked))
    }

    /// How many particles there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.layouts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.layouts.is_empty()
    }

    /// The frames, one after the other.
    #[must_use]
    pub fn frames(&self) -> &[u8] {
        &self.frames
    }

    /// The frames, one after the other, without a copy.
    #[must_use]
    pub fn into_frames(self) -> Bytes {
        self.frames.into()
    }

    /// The particles in order.
    pub fn iter(&self) -> impl Iterator<Item = LinkedRef<'_>> {
        split(&self.frames, &self.layouts).map(|(frame, layout)| LinkedRef { frame, layout })
    }

    /// The particles in order. They share the one buffer, which lives as long as any of them.
    pub fn into_particles(self) -> impl Iterator<Item = Particle> {
        let mut rest = Bytes::from(self.frames);
        self.layouts.into_iter().map(move |layout| {
            let frame = rest.split_to(layout.frame_bytes.min(rest.len()));
            let fingerprint = fingerprint(&frame);
            Particle::sealed(frame, layout.metadata_bytes, layout.fields, fingerprint)
        })
    }

    /// The metadata alone, in memory of its own.
    #[must_use]
    pub fn metadata(&self) -> LinkedMetadata {
        let metadata_bytes = self.layouts.iter().map(|layout| layout.metadata_bytes);
        let mut bytes = Vec::with_capacity(metadata_bytes.sum());
        for linked in self.iter() {
            bytes.extend_from_slice(linked.metadata());
        }
        let fields = self.layouts.iter();
        LinkedMetadata {
            bytes: bytes.into(),
            fields: fields
                .map(|layout| (layout.metadata_bytes, layout.fields.clone()))
                .collect(),
        }
    }
}

/// The metadata of a batch, without its payloads.
#[derive(Clone, Debug, Default)]
pub struct LinkedMetadata {
    bytes: Bytes,
    fields: Vec<(usize, Fields)>,
}

impl LinkedMetadata {
    /// The metadata of each particle in order.
    pub fn iter(&self) -> impl Iterator<Item = Metadata> {
        let mut start = 0;
        self.fields.iter().map(move |(bytes, fields)| {
            let metadata = self.bytes.slice(start..start + bytes);
            start += bytes;
            Metadata::with_fields(metadata, fields.clone())
        })
    }

    /// How many particles there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes of memory that this takes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.fields.len() * size_of::<(usize, Fields)>()
    }
}
