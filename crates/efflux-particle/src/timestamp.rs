//! A moment in UTC nanoseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A moment: UTC nanoseconds since the Unix epoch, from the year 1677 to the year 2262.
///
/// Its text form is RFC 3339 in UTC, as in `2026-01-01T00:00:00Z`.
///
/// ```
/// use efflux_particle::Timestamp;
///
/// let moment: Timestamp = "2026-01-01T01:00:00+01:00".parse()?;
/// assert_eq!(moment.nanos(), 1_767_225_600_000_000_000);
/// assert_eq!(moment.to_string(), "2026-01-01T00:00:00Z");
/// # Ok::<(), efflux_particle::TimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that names no moment Efflux can hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no time: {reason}; write it as 2026-01-01T00:00:00Z")]
pub struct TimestampError {
    text: String,
    reason: String,
}

impl Timestamp {
    /// The earliest moment, in the year 1677.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment, in the year 2262.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment that many nanoseconds after the Unix epoch, or before it when negative.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The moment `duration` later, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        // In 128 bits: from a moment before 1970, a duration of 500 years still ends before the end.
        let nanos = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        Self(i64::try_from(i128::from(self.0).saturating_add(nanos)).unwrap_or(i64::MAX))
    }

    /// How long `earlier` is before this moment; zero when it is not before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(moment) => fmt::Display::fmt(&moment, f),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339 with any offset: `2026-01-01T00:00:00Z`, `2026-01-01 01:00:00+01:00`.
    /// A date alone means its midnight in UTC.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: String| TimestampError {
            text: text.to_owned(),
            reason,
        };
        let moment = match text.parse::<jiff::Timestamp>() {
            Ok(moment) => moment,
            Err(error) => text
                .parse::<jiff::civil::Date>()
                .ok()
                .filter(|_| text.len() == "2026-01-01".len())
                .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
                .map(|zoned| zoned.timestamp())
                .ok_or_else(|| refuse(error.to_string()))?,
        };
        i64::try_from(moment.as_nanosecond())
            .map(Self)
            .map_err(|_| refuse("it lies outside of the years 1677 to 2262".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_what_it_prints() {
        for nanos in [0, 1, -1, 1_700_000_000_123_456_789, i64::MAX, i64::MIN] {
            let moment = Timestamp::from_nanos(nanos);
            assert_eq!(moment.to_string().parse(), Ok(moment), "{nanos}");
        }
    }

    #[test]
    fn adding_a_duration_stops_at_the_last_moment_and_not_before() {
        let all = Timestamp::MAX.since(Timestamp::MIN);
        assert_eq!(all, Duration::from_nanos(u64::MAX));
        assert_eq!(Timestamp::MIN.plus(all), Timestamp::MAX);
        assert_eq!(Timestamp::from_nanos(0).plus(all), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn offsets_and_plain_dates_are_read_as_utc() {
        let noon: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        assert_eq!("2026-01-01T13:00:00+01:00".parse(), Ok(noon));
        assert_eq!(
            "2026-01-01".parse(),
            "2026-01-01T00:00:00Z".parse::<Timestamp>()
        );
    }

    #[test]
    fn nonsense_and_far_years_are_refused() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
            "20260101",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
