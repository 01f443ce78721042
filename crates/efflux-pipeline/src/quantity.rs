//! Times and sizes as settings tell them: with their unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// A length of time, as `250ms`, `30s`, `5m`, `2h` or `1d`. A number without a unit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes, as `512B`, `64KiB`, `4MiB` or `1GiB`; `kB`, `MB` and `GB` count by thousands. A
/// number without a unit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Why a text is no time or size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no {what}: write a whole number and its unit, as in {example}")]
pub struct QuantityError {
    text: String,
    what: &'static str,
    example: &'static str,
}

const TIMES: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

impl FromStr for Period {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let millis = parse(text, TIMES).ok_or_else(|| QuantityError {
            text: text.chars().take(80).collect(),
            what: "length of time",
            example: "250ms, 30s, 5m, 2h or 1d",
        })?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bytes = parse(text, SIZES).ok_or_else(|| QuantityError {
            text: text.chars().take(80).collect(),
            what: "size",
            example: "512B, 64KiB, 4MiB or 1GiB",
        })?;
        Ok(Self(bytes))
    }
}

impl ByteSize {
    /// The bytes, as many as this machine can address.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

macro_rules! from_text {
    ($name:ident, $schema:literal, $pattern:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "file")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

from_text!(Period, "Period", r"^[0-9]+\s*(ms|s|m|h|d)\s*$");
from_text!(
    ByteSize,
    "ByteSize",
    r"^[0-9]+\s*(B|KiB|MiB|GiB|kB|MB|GB)\s*$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_with_their_units() {
        let time = |text: &str| text.parse::<Period>().map(|time| time.0.as_millis());
        assert_eq!(time("250ms"), Ok(250));
        assert_eq!(time("5m"), Ok(300_000));
        let size = |text: &str| text.parse::<ByteSize>().map(|size| size.0);
        assert_eq!(size("4MiB"), Ok(4 << 20));
        assert_eq!(size("1kB"), Ok(1000));
    }

    #[test]
    fn what_has_no_unit_or_does_not_fit_is_refused() {
        for text in [
            "",
            "5",
            "5 parsecs",
            "-1s",
            "1.5s",
            "99999999999999999999s",
            "s",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        let told = "4".parse::<ByteSize>().unwrap_err().to_string();
        assert!(told.contains("4MiB"), "{told}");
    }
}
