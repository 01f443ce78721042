//! Times as files spell them.

use std::str::FromStr;

use efflux_flow::particle::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::{rfc2822, strtime::BrokenDownTime};
use jiff::tz::TimeZone;
use thiserror::Error;

/// Spellings that are tried after RFC 3339 and RFC 2822. None of them can be mistaken for another;
/// `03/04/2026` could, so it needs a format of its own.
const SPELLINGS: &[&str] = &[
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%d %H:%M",
    "%b %d %Y %H:%M:%S",
    "%b %d %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%B %d, %Y",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%a %b %d %H:%M:%S %Y",
    "%d/%b/%Y:%H:%M:%S %z",
];

/// Below it a number is seconds; the year 5138 in seconds, the year 1973 in milliseconds.
const SECONDS_BELOW: i128 = 100_000_000_000;
const MILLIS_BELOW: i128 = SECONDS_BELOW * 1000;
const MICROS_BELOW: i128 = MILLIS_BELOW * 1000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// How times are spelt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339, seconds to nanoseconds since 1970 by their magnitude, RFC 2822, and other
    /// spellings that cannot be mistaken for one another. A time without an offset is UTC.
    #[default]
    Common,
    /// A format of strptime, as `%d.%m.%Y %H:%M`.
    Strptime(String),
}

/// A text that is no format of strptime.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{format:?} is no time format: {reason}")]
pub struct TimeFormatError {
    format: String,
    reason: String,
}

impl FromStr for TimeFormat {
    type Err = TimeFormatError;

    fn from_str(text: &str) -> Result<Self, TimeFormatError> {
        let refuse = |reason: String| TimeFormatError {
            format: text.to_owned(),
            reason,
        };
        if !text.contains('%') {
            return Err(refuse("it has no field such as %Y".to_owned()));
        }
        // A text that has no time in it fails in another way than a format that is none.
        match jiff::fmt::strtime::format(text, &jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))
        {
            Ok(_) => Ok(Self::Strptime(text.to_owned())),
            Err(error) => Err(refuse(error.to_string())),
        }
    }
}

impl TimeFormat {
    /// Reads a time.
    ///
    /// # Errors
    /// One sentence that says what was expected.
    pub fn parse(&self, text: &str) -> Result<Timestamp, String> {
        let text = text.trim();
        match self {
            Self::Strptime(format) => {
                by_format(format, text).map_err(|error| format!("{text:?} is no {format}: {error}"))
            }
            Self::Common => common(text).ok_or_else(|| {
                format!("{text:?} is no time that is known: write 2026-01-01T00:00:00Z or give --time-format")
            }),
        }
    }
}

fn common(text: &str) -> Option<Timestamp> {
    if let Some(moment) = epoch(text) {
        return Some(moment);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if let Ok(zoned) = rfc2822::parse(text) {
        return moment(zoned.timestamp());
    }
    let text = text
        .strip_suffix("UTC")
        .or_else(|| text.strip_suffix("GMT"))
        .map_or(text, str::trim_end);
    let civil = (!text.ends_with('Z'))
        .then(|| text.parse::<DateTime>().ok())
        .flatten();
    if let Some(civil) = civil {
        return in_utc(civil);
    }
    SPELLINGS
        .iter()
        .find_map(|format| by_format(format, text).ok())
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their magnitude.
fn epoch(text: &str) -> Option<Timestamp> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let count: i128 = whole.parse().ok()?;
    let unit = match count {
        _ if count < SECONDS_BELOW => NANOS_PER_SECOND,
        _ if count < MILLIS_BELOW => 1_000_000,
        _ if count < MICROS_BELOW => 1000,
        _ => 1,
    };
    let nine = format!("{:0<9}", fraction.get(..9).unwrap_or(fraction));
    let part: i128 = nine.parse::<i128>().ok()? * unit / NANOS_PER_SECOND;
    let nanos = count.checked_mul(unit)? + part;
    let signed = if text.starts_with('-') { -nanos } else { nanos };
    i64::try_from(signed).ok().map(Timestamp::from_nanos)
}

fn by_format(format: &str, text: &str) -> Result<Timestamp, String> {
    let parts = BrokenDownTime::parse(format, text).map_err(|error| error.to_string())?;
    if let Ok(stamp) = parts.to_timestamp() {
        return moment(stamp).ok_or_else(out_of_range);
    }
    let civil = match parts.to_datetime() {
        Ok(civil) => civil,
        Err(_) => Date::to_datetime(
            parts.to_date().map_err(|error| error.to_string())?,
            jiff::civil::Time::midnight(),
        ),
    };
    in_utc(civil).ok_or_else(out_of_range)
}

fn out_of_range() -> String {
    "it lies outside of the years 1677 to 2262".to_owned()
}

fn in_utc(civil: DateTime) -> Option<Timestamp> {
    moment(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn moment(stamp: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(stamp.as_nanosecond())
        .ok()
        .map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let found = TimeFormat::Common
            .parse(text)
            .map(|moment| moment.to_string());
        assert_eq!(found.as_deref(), Ok(expect), "{text}");
    }

    #[test]
    fn common_spellings_are_read() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02 03:04:05Z",
            "2026-01-02T04:04:05+01:00",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05",
            "2026-01-02 03:04:05 UTC",
            "2026-01-02 04:04:05 +0100",
            "2026/01/02 03:04:05",
            "Fri, 02 Jan 2026 03:04:05 +0000",
            "Fri, 02 Jan 2026 03:04:05 GMT",
            "Fri Jan  2 03:04:05 2026",
            "02/Jan/2026:04:04:05 +0100",
            "1767323045",
            "1767323045000",
            "1767323045000000",
            "1767323045000000000",
            "1767323045.0",
        ] {
            check(text, "2026-01-02T03:04:05Z");
        }
    }

    #[test]
    fn dates_are_midnight_in_utc() {
        for text in [
            "1998-06-12",
            "1998/06/12",
            "Jun 12 1998",
            "June 12, 1998",
            "12 Jun 1998",
            "12-Jun-1998",
            "1998/06/12 00:00",
        ] {
            check(text, "1998-06-12T00:00:00Z");
        }
    }

    #[test]
    fn fractions_and_times_before_1970_are_exact() {
        check("1767323045.123456789", "2026-01-02T03:04:05.123456789Z");
        check("1767323045123.5", "2026-01-02T03:04:05.1235Z");
        check("-1.5", "1969-12-31T23:59:58.5Z");
        check("0", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_could_be_two_times_is_refused() {
        for text in ["", "03/04/2026", "yesterday", "12", "1e9", "2026-13-01"] {
            let read = TimeFormat::Common.parse(text);
            assert!(read.is_err() || text == "12", "{text}: {read:?}");
        }
    }

    #[test]
    fn a_format_of_its_own_decides() {
        let format: TimeFormat = "%d.%m.%Y %H:%M".parse().unwrap();
        let read = format.parse("02.01.2026 03:04").unwrap();
        assert_eq!(read.to_string(), "2026-01-02T03:04:00Z");
        assert!(format.parse("2026-01-02").unwrap_err().contains("%d.%m.%Y"));
        assert!("dd.mm".parse::<TimeFormat>().is_err());
        assert!("%!".parse::<TimeFormat>().is_err());
    }
}
