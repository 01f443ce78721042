//! The forms in which particles are given.

use efflux_flow::particle::{Particle, TopicName};
use efflux_flow::storage::remote::wire::{FRAMES, JSON, NDJSON};

use crate::json::{Shown, write_particle};
use crate::server::cloudevents;

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

    /// Writes a particle in this form.
    pub(crate) fn write(self, out: &mut Vec<u8>, particle: &Particle, topic: &TopicName) {
        // Writing to memory never fails.
        match self {
            Self::Json => drop(write_particle(out, particle, Shown::of(topic))),
            Self::Lines => {
                drop(write_particle(out, particle, Shown::of(topic)));
                out.push(b'\n');
            }
            Self::Frames => out.extend_from_slice(particle.frame()),
            Self::Events => cloudevents::write(out, particle, topic),
        }
    }
}
