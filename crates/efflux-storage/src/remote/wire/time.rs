//! Sync policies, told without loss.

use std::time::Duration;

use crate::error::Result;
use crate::options::Sync;

/// A sync policy's text: `always`, `os`, or an interval in `ms`, or in `us` where it is no whole
/// number of milliseconds.
#[must_use]
pub fn print_sync(sync: Sync) -> String {
    match sync {
        Sync::Interval(time) if !time.as_micros().is_multiple_of(1000) => {
            format!("{}us", time.as_micros())
        }
        other => other.to_string(),
    }
}

/// Reads what [`print_sync`] prints, and all that [`Sync::parse`] reads.
///
/// # Errors
/// `Invalid` for any other text.
pub fn parse_sync(text: &str) -> Result<Sync> {
    let micros = text.strip_suffix("us").and_then(|it| it.parse().ok());
    match micros {
        Some(micros) => Ok(Sync::Interval(Duration::from_micros(micros))),
        None => Sync::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_reads_back_what_it_prints() {
        for sync in [
            Sync::Always,
            Sync::Os,
            Sync::Interval(Duration::from_micros(1500)),
            Sync::Interval(Duration::from_millis(250)),
            Sync::Interval(Duration::from_secs(3600)),
        ] {
            assert_eq!(parse_sync(&print_sync(sync)).unwrap(), sync);
        }
        for text in ["", "us", "-1us", "1.5us", "never"] {
            assert!(parse_sync(text).is_err(), "{text}");
        }
    }
}
