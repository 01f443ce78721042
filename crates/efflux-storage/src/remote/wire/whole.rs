//! Whole numbers in JSON, where `1` and `1.0` are the same number.

use serde::{Deserialize, Deserializer, de::Error};

/// Above this a number with a fraction's point may stand for several whole ones.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    WithPoint(f64),
}

impl Number {
    fn whole<T: TryFrom<u64>, E: Error>(self) -> Result<T, E> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and within the bounds"
        )]
        let number = match self {
            Self::Whole(number) => Some(number),
            Self::WithPoint(number) => {
                let is_whole = number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number);
                is_whole.then_some(number as u64)
            }
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| E::custom("a number is out of bounds, or not whole"))
    }
}

/// Reads a whole number.
///
/// # Errors
/// For what is none, or does not fit.
pub(super) fn number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    Number::deserialize(from)?.whole()
}

/// Reads a whole number or null.
///
/// # Errors
/// As for [`number`].
pub(super) fn or_null<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let number = Option::<Number>::deserialize(from)?;
    number.map(Number::whole).transpose()
}

#[cfg(test)]
mod tests {
    use super::super::{Receive, Verify};

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read = |text: &str| serde_json::from_str::<Receive>(text).map(|it| it.wait_ms);
        assert_eq!(read(r#"{"wait_ms":7}"#).unwrap(), 7);
        assert_eq!(read(r#"{"wait_ms":7.0}"#).unwrap(), 7);
        assert_eq!(read(r#"{"wait_ms":1e3}"#).unwrap(), 1000);
        let largest = r#"{"wait_ms":18446744073709551615}"#;
        assert_eq!(read(largest).unwrap(), u64::MAX);
        for other in [
            "7.5",
            "-1",
            "-0.5",
            "1e300",
            "\"7\"",
            "null",
            "true",
            "18446744073709551616",
        ] {
            assert!(
                read(&format!("{{\"wait_ms\":{other}}}")).is_err(),
                "{other}"
            );
        }
        let until = |text: &str| serde_json::from_str::<Verify>(text).map(|it| it.until);
        assert_eq!(until(r#"{"until":null}"#).unwrap(), None);
        assert_eq!(until(r#"{"until":7.0}"#).unwrap(), Some(7));
        assert_eq!(until("{}").unwrap(), None);
    }
}
