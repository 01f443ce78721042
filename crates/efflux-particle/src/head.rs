//! Where a chain stands, how it grows and how it is checked.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::draft::Draft;
use crate::drafts::Drafts;
use crate::hash::Fingerprint;
use crate::layout::{NotInBatch, Stamp};
use crate::linked::Linked;
use crate::message::{Message, MessageError};
use crate::name::TopicName;
use crate::particle::{DecodeError, Particle};
use crate::sequence::Sequence;

/// The data type of every root particle.
pub const ROOT_DATA_TYPE: &str = "efflux.root";
/// The property of the root that holds the topic's name.
pub const ROOT_TOPIC_PROPERTY: &str = "efflux.topic";

/// Where a chain stands: the last particle's sequence and fingerprint.
///
/// Its text form is `SEQUENCE:FINGERPRINT`. A head that is kept where the writer of a topic cannot
/// change it is enough to notice any later change of the topic's history.
///
/// ```
/// use efflux_particle::{Broken, Draft, Head, Id, Message, Sequence, Stamp, Timestamp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stamp = Stamp {
/// #     id: Id::from_uuid([1; 16]),
/// #     created: Timestamp::from_nanos(1_767_225_600_000_000_000),
/// #     in_batch: false,
/// # };
/// let (root, _) = Head::root(&"orders".parse()?, &stamp)?;
/// let (first, one) = root.link(Draft::encode(&Message::new("one"), &stamp)?);
/// let (second, two) = first.link(Draft::encode(&Message::new("two"), &stamp)?);
///
/// assert_eq!(root.check(&one)?.check(&two)?, second);
/// let (expected, found) = (Sequence::new(1), Sequence::new(2));
/// assert_eq!(root.check(&two), Err(Broken::Sequence { expected, found }));
/// assert_eq!(second.to_string().parse(), Ok(second));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// The last particle's place.
    pub sequence: Sequence,
    /// The last particle's fingerprint.
    pub fingerprint: Fingerprint,
}

/// How a particle breaks the chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// The particle's own bytes do not check.
    #[error(transparent)]
    Particle(#[from] DecodeError),
    /// The particle has another place than the next one.
    #[error("expected sequence {expected}, found {found}")]
    Sequence {
        /// The next place.
        expected: Sequence,
        /// The particle's place.
        found: Sequence,
    },
    /// The particle links to another predecessor.
    #[error(
        "expected a link to {expected}, found {}",
        found.map_or("none".to_owned(), |found| found.to_string())
    )]
    Link {
        /// The predecessor's fingerprint.
        expected: Fingerprint,
        /// The fingerprint the particle links to.
        found: Option<Fingerprint>,
    },
    /// The first particle is no root of this topic.
    #[error("expected the root of topic {expected}, found {found}")]
    Root {
        /// The topic that is checked.
        expected: String,
        /// What stands there instead.
        found: String,
    },
    /// A batch lacks particles, or has more than it began with.
    #[error("expected {expected} more particles of the batch, found {found}")]
    Batch {
        /// How many should still belong to the batch, this one included.
        expected: u32,
        /// How many there are: as this particle says, itself included, or 0 when none follows.
        found: u32,
    },
}

impl Head {
    /// Begins the chain of a topic: its root, and the head that stands on it.
    ///
    /// # Errors
    /// [`MessageError`] when the name does not fit a property, which no [`TopicName`] does.
    pub fn root(topic: &TopicName, stamp: &Stamp) -> Result<(Self, Particle), MessageError> {
        let message = Message::new("")
            .with_data_type(ROOT_DATA_TYPE)
            .with_property(ROOT_TOPIC_PROPERTY, topic.as_str());
        let stamp = Stamp {
            in_batch: false,
            ..stamp.clone()
        };
        let draft = Draft::encode_root(&message, &stamp)?;
        Ok(Self::place(draft, Sequence::ROOT, None, 0)
            .unwrap_or_else(|NotInBatch| unreachable!("a root is no batch")))
    }

    /// Gives a draft the next place in the chain: the particle, and the head that stands on it.
    ///
    /// The last place is 2^64 - 2. A particle linked beyond it could not be decoded.
    #[must_use]
    pub fn link(self, draft: Draft) -> (Self, Particle) {
        let sequence = self.sequence.next();
        Self::place(draft, sequence, Some(self.fingerprint), 0)
            .unwrap_or_else(|NotInBatch| unreachable!("the last of a batch may be a single"))
    }

    /// Gives a draft the next place, `batch_remaining` particles before the end of its batch.
    ///
    /// # Errors
    /// [`NotInBatch`] when the draft was made for a single message and others follow it, or when
    /// `batch_remaining` is not below [`BATCH_PARTICLES_MAX`](crate::limits::BATCH_PARTICLES_MAX).
    pub fn link_in_batch(
        self,
        draft: Draft,
        batch_remaining: u32,
    ) -> Result<(Self, Particle), NotInBatch> {
        let sequence = self.sequence.next();
        Self::place(draft, sequence, Some(self.fingerprint), batch_remaining)
    }

    /// Gives drafts the next places, as one batch: their frames, and the head that stands on them.
    ///
    /// # Errors
    /// [`NotInBatch`] when there are several and one was made for a single message, or when there
    /// are more than [`BATCH_PARTICLES_MAX`](crate::limits::BATCH_PARTICLES_MAX).
    pub fn link_all(self, drafts: Drafts) -> Result<(Self, Linked), NotInBatch> {
        let (linked, sequence, fingerprint) =
            Linked::place(drafts.into_parts(), self.sequence, self.fingerprint)?;
        let head = Self {
            sequence,
            fingerprint,
        };
        Ok((head, linked))
    }

    fn place(
        draft: Draft,
        sequence: Sequence,
        linked: Option<Fingerprint>,
        batch_remaining: u32,
    ) -> Result<(Self, Particle), NotInBatch> {
        let metadata_bytes = draft.metadata_bytes();
        let (frame, fields, fingerprint) = draft.seal(sequence, linked, batch_remaining)?;
        let particle = Particle::sealed(frame.into(), metadata_bytes, fields, fingerprint);
        Ok((
            Self {
                sequence,
                fingerprint,
            },
            particle,
        ))
    }

    /// The head that stands on `particle`, whatever came before it.
    #[must_use]
    pub const fn on(particle: &Particle) -> Self {
        Self {
            sequence: particle.sequence(),
            fingerprint: particle.fingerprint(),
        }
    }

    /// Checks that `particle` is the root of `topic`, every byte of it.
    ///
    /// # Errors
    /// [`Broken`] with what differs.
    pub fn check_root(topic: &TopicName, particle: &Particle) -> Result<Self, Broken> {
        particle.check_hashes()?;
        let metadata = particle.metadata();
        let found = match metadata.property(ROOT_TOPIC_PROPERTY) {
            _ if particle.sequence() != Sequence::ROOT => {
                format!("the particle with sequence {}", particle.sequence())
            }
            _ if metadata.linked_fingerprint().is_some() => "a particle with a link".to_owned(),
            _ if metadata.batch_remaining() > 0 => "a particle of a batch".to_owned(),
            Some(name) if metadata.data_type() == Some(ROOT_DATA_TYPE) => {
                if name == topic.as_str() {
                    return Ok(Self::on(particle));
                }
                format!("the root of topic {name:?}")
            }
            _ => "a particle that is no root".to_owned(),
        };
        Err(Broken::Root {
            expected: topic.to_string(),
            found,
        })
    }

    /// Checks that `particle` continues the chain, every byte of it; tells the head on it.
    ///
    /// # Errors
    /// [`Broken`] with what was expected and what was found.
    pub fn check(self, particle: &Particle) -> Result<Self, Broken> {
        particle.check_hashes()?;
        self.check_link(particle)
    }

    /// Checks the place and the link of a particle whose own bytes were checked before.
    ///
    /// # Errors
    /// [`Broken::Sequence`] or [`Broken::Link`].
    pub fn check_link(self, particle: &Particle) -> Result<Self, Broken> {
        let (expected, found) = (self.sequence.next(), particle.sequence());
        if found != expected {
            return Err(Broken::Sequence { expected, found });
        }
        let found = particle.metadata().linked_fingerprint();
        if found != Some(self.fingerprint) {
            return Err(Broken::Link {
                expected: self.fingerprint,
                found,
            });
        }
        Ok(Self::on(particle))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.fingerprint)
    }
}

/// A text that is no `SEQUENCE:FINGERPRINT`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no head: write SEQUENCE:FINGERPRINT, as `efflux head` prints it")]
pub struct HeadError(String);

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let parse = || {
            let (sequence, fingerprint) = text.split_once(':')?;
            let sequence = sequence.parse().ok()?;
            Some(Self {
                sequence,
                fingerprint: fingerprint.parse().ok()?,
            })
        };
        parse().ok_or_else(|| HeadError(text.to_owned()))
    }
}
