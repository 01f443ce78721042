//! The forms in which particles are given.

use std::sync::Arc;

use efflux_flow::particle::{Particle, TopicName};
use efflux_flow::storage::remote::wire::{FRAMES, JSON, NDJSON};

use crate::json::{Shown, write_particle};
use crate::server::answer::Write;
use crate::server::cloudevents;
use crate::server::limits::CONTENT_BYTES_MAX;

/// The media types in which several particles are given, the first where none is asked for.
pub(crate) const FORMS: [&str; 4] = [JSON, NDJSON, FRAMES, cloudevents::EVENTS];

/// The form of one particle behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Objects of JSON.
    Json,
    /// Objects of JSON, one a line.
    Lines,
    /// Frames as they stand.
    Frames,
    /// CloudEvents as JSON.
    Events,
}

impl Form {
    /// The form with this media type, one of [`FORMS`].
    pub(crate) fn of(media_type: &str) -> Self {
        match media_type {
            NDJSON => Self::Lines,
            FRAMES => Self::Frames,
            cloudevents::EVENTS => Self::Events,
            _ => Self::Json,
        }
    }

    /// How particles of this topic are written in this form, each behind `before`.
    pub(crate) fn writing(self, topic: &TopicName, before: &'static [u8]) -> Write<Particle> {
        let topic = topic.clone();
        Arc::new(move |out, particle| {
            out.extend_from_slice(before);
            self.write(out, particle, &topic);
        })
    }

    /// Writes a particle in this form.
    fn write(self, out: &mut Vec<u8>, particle: &Particle, topic: &TopicName) {
        let shown = Shown::of(topic).with_content_bytes_max(CONTENT_BYTES_MAX);
        // Writing to memory never fails.
        match self {
            Self::Json => drop(write_particle(out, particle, shown)),
            Self::Lines => {
                drop(write_particle(out, particle, shown));
                out.push(b'\n');
            }
            Self::Frames => out.extend_from_slice(particle.frame()),
            Self::Events => cloudevents::write(out, particle, topic),
        }
    }
}
