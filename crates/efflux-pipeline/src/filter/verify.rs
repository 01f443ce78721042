//! Lets a message through when it is what its metadata say.

use serde::Deserialize;

use super::Filter;
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// What is checked of a message beside its hashes and bounds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct VerifySettings {
    /// Whether the payload must be JSON.
    #[serde(default)]
    pub json: bool,
}

/// Lets a message through when it is what its metadata say, and rejects it otherwise.
///
/// For one that is a topic's particle, the hashes of its payload and metadata are computed again: when
/// they do not fit, what is stored was altered, and the pipeline stops. Any message must be within the
/// bounds of a particle, and its payload must decompress as it says.
#[derive(Clone, Copy, Debug)]
pub struct VerifyFilter {
    settings: VerifySettings,
}

impl VerifyFilter {
    /// A filter by these settings.
    #[must_use]
    pub const fn new(settings: VerifySettings) -> Self {
        Self { settings }
    }
}

impl Filter for VerifyFilter {
    fn keeps(&self, parcel: &Parcel) -> Result<bool, StageError> {
        if let Some(particle) = parcel.origin().particle() {
            particle.check_hashes().map_err(|error| {
                StageError::fatal(format!(
                    "particle {} does not have the hashes it was sealed with: {error}",
                    particle.sequence()
                ))
            })?;
        }
        parcel.message.check().map_err(StageError::rejected)?;
        if self.settings.json {
            parcel.json()?;
        } else {
            parcel.content()?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::{
        ContentEncoding, Draft, Head, Id, Message, Particle, Stamp, Timestamp,
    };

    fn check(json: bool, message: Message) -> Result<bool, StageError> {
        let parcel = Parcel::of_message(message);
        VerifyFilter::new(VerifySettings { json }).keeps(&parcel)
    }

    #[test]
    fn what_is_not_what_it_says_is_rejected() {
        assert!(check(false, Message::new("a")).unwrap());
        assert!(check(true, Message::new("{}")).unwrap());
        assert!(check(true, Message::new("a")).is_err());
        assert!(check(false, Message::new("a").with_data_type("\n")).is_err());
        let torn = Message::new("a").with_content_encoding(ContentEncoding::Gzip);
        assert!(check(false, torn).is_err());
    }

    #[test]
    fn a_particle_that_was_altered_stops_the_pipeline() {
        let stamp = Stamp {
            id: Id::from_uuid([7; 16]),
            created: Timestamp::from_nanos(0),
            in_batch: false,
        };
        let (head, _) = Head::root(&"orders".parse().unwrap(), &stamp).unwrap();
        let (_, particle) = head.link(Draft::encode(&Message::new("sealed!"), &stamp).unwrap());
        let keeps = |particle| {
            let parcel = Parcel::of_particle("orders".parse().unwrap(), particle);
            VerifyFilter::new(VerifySettings::default()).keeps(&parcel)
        };
        assert!(keeps(particle.clone()).unwrap());
        let mut bytes = particle.frame().to_vec();
        let at = bytes.windows(7).position(|it| it == b"sealed!").unwrap();
        bytes[at] = b'S';
        let altered = Particle::decode_unchecked(&bytes.into()).unwrap();
        assert!(matches!(keeps(altered), Err(StageError::Fatal(_))));
    }
}
