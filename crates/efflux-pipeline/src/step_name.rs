//! What a step is called.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::limits::STEP_NAME_BYTES_MAX;

/// What a step of a pipeline is called.
///
/// - 1 to 64 bytes of lower-case letters, digits, `-` and `_`.
/// - It stands in the ids of what the step makes: a step that gets another name makes other
///   messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepName(Arc<str>);

/// Why a text is no name of a step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no name of a step: 1 to {STEP_NAME_BYTES_MAX} lower-case letters, digits, '-' and '_'"
)]
pub struct StepNameError(String);

impl StepName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StepName {
    type Err = StepNameError;

    fn from_str(name: &str) -> Result<Self, StepNameError> {
        let is_letter = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
        };
        let fits = (1..=STEP_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_letter);
        if !fits {
            return Err(StepNameError(name.chars().take(80).collect()));
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["split", "split-2", "a_b", &"a".repeat(64)] {
            assert_eq!(name.parse::<StepName>().unwrap().as_str(), name);
        }
        for name in ["", "Split", "a b", "ä", &"a".repeat(65)] {
            assert!(name.parse::<StepName>().is_err(), "{name}");
        }
    }
}
