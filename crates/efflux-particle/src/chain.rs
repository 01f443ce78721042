//! A chain that is being checked, batches included.

use crate::head::{Broken, Head};
use crate::name::TopicName;
use crate::particle::Particle;

/// A chain that is being checked from one of its particles on, batches included.
///
/// [`Head::check`] holds one particle against the one before it. A chain also remembers how many
/// particles the current batch lacks, so it notices a batch that ends too early or too late.
///
/// ```
/// use efflux_particle::{Chain, Draft, Head, Id, Message, Stamp, Timestamp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stamp = Stamp { id: Id::from_uuid([1; 16]), created: Timestamp::from_nanos(0), in_batch: true };
/// let topic = "orders".parse()?;
/// let (head, root) = Head::root(&topic, &stamp)?;
/// let (head, first) = head.link_in_batch(Draft::encode(&Message::new("a"), &stamp)?, 1)?;
/// let (head, second) = head.link_in_batch(Draft::encode(&Message::new("b"), &stamp)?, 0)?;
///
/// let mut chain = Chain::root(&topic, &root)?;
/// chain.check(&first)?;
/// assert!(chain.end().is_err(), "one particle of the batch is still to come");
/// chain.check(&second)?;
/// assert_eq!(chain.end(), Ok(head));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    head: Head,
    batch_remaining: u32,
}

impl Chain {
    /// Begins at the root of `topic`, every byte of which is checked.
    ///
    /// # Errors
    /// [`Broken::Particle`] or [`Broken::Root`] with what differs.
    pub fn root(topic: &TopicName, particle: &Particle) -> Result<Self, Broken> {
        Head::check_root(topic, particle).map(Self::after)
    }

    /// Begins after a head that is known to be right, at the end of a batch or within one.
    #[must_use]
    pub const fn after(head: Head) -> Self {
        Self {
            head,
            batch_remaining: 0,
        }
    }

    /// Checks that `particle` continues the chain and its batch, every byte of it.
    ///
    /// The chain stays where it was when it does not.
    ///
    /// # Errors
    /// [`Broken`] with what was expected and what was found.
    pub fn check(&mut self, particle: &Particle) -> Result<Head, Broken> {
        particle.check_hashes()?;
        self.check_link(particle)
    }

    /// As [`Chain::check`], for a particle whose own bytes were checked before.
    ///
    /// # Errors
    /// [`Broken`] with what was expected and what was found.
    pub fn check_link(&mut self, particle: &Particle) -> Result<Head, Broken> {
        let head = self.head.check_link(particle)?;
        let remaining = particle.metadata().batch_remaining();
        if self.batch_remaining > 0 && remaining != self.batch_remaining - 1 {
            return Err(Broken::Batch {
                expected: self.batch_remaining,
                found: remaining.saturating_add(1),
            });
        }
        (self.head, self.batch_remaining) = (head, remaining);
        Ok(head)
    }

    /// Where the chain stands.
    #[must_use]
    pub const fn head(self) -> Head {
        self.head
    }

    /// How many particles the last one's batch still lacks; 0 between batches.
    #[must_use]
    pub const fn batch_remaining(self) -> u32 {
        self.batch_remaining
    }

    /// Where the chain stands, if no batch is unfinished.
    ///
    /// # Errors
    /// [`Broken::Batch`] when particles of the last batch are still to come.
    pub const fn end(self) -> Result<Head, Broken> {
        match self.batch_remaining {
            0 => Ok(self.head),
            expected => Err(Broken::Batch { expected, found: 0 }),
        }
    }
}
