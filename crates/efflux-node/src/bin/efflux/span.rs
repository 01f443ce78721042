//! Lengths of time as users write them.

use std::time::Duration;

/// Reads `500ms`, `5s`, `2m` or `1h`; `0` alone is zero.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let refuse = || format!("{text:?} is no length of time: write 500ms, 5s, 2m or 1h");
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(at).ok_or_else(refuse)?;
    let count: u64 = digits.parse().map_err(|_| refuse())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if count == 0 => 0,
        _ => return Err(refuse()),
    };
    count
        .checked_mul(unit_ms)
        .map(Duration::from_millis)
        .ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_need_a_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1d", "99999999999999999999s", "1 s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
