//! The place of a particle in its topic.

use std::fmt;
use std::str::FromStr;

/// The place of a particle in its topic: 0 for the root, then gapless upwards to 2^64 - 2.
///
/// ```
/// use efflux_particle::Sequence;
///
/// assert_eq!(Sequence::ROOT.next(), Sequence::FIRST);
/// assert_eq!(Sequence::ROOT.previous(), None);
/// assert_eq!(Sequence::new(9).past(Sequence::new(5)), 4);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// The root's place.
    pub const ROOT: Self = Self(0);
    /// The first place a message can take.
    pub const FIRST: Self = Self(1);
    /// A place no particle ever takes; reading backwards from it begins at the head.
    pub const MAX: Self = Self(u64::MAX);

    /// The place with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// This place's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The place after this one. Stays at [`Sequence::MAX`] at the end.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The place before this one, none before the root.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The place `count` further on. Stays at [`Sequence::MAX`] at the end.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many places this one is past `earlier`; 0 when it is not past it.
    #[must_use]
    pub const fn past(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<u64> for Sequence {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl FromStr for Sequence {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A number has one spelling: a sign is refused as any other letter is.
        let digits = if text.starts_with('+') { "+" } else { text };
        digits.parse().map(Self)
    }
}
