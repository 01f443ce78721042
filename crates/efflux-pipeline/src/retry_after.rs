//! How long an HTTP service asks to be left alone (RFC 9110, section 10.2.3).

use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::limits::RETRY_AFTER_MAX;

/// How long a service asks to be left alone: seconds, or until a date by its own clock, or by `now`
/// where it does not tell that. Longer than an hour is a mistake of its clock.
pub(crate) fn retry_after(headers: &HeaderMap, now: Option<SystemTime>) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let after = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let until = httpdate::parse_http_date(after).ok()?;
    let date = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let rest = until.duration_since(date.or(now)?);
    Some(rest.unwrap_or_default().min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(HeaderName, &str)], expect: Option<u64>) {
        let parsed = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        let found = retry_after(&parsed.collect(), Some(now));
        assert_eq!(found.map(|rest| rest.as_secs()), expect, "{headers:?}");
    }

    #[test]
    fn a_service_says_how_long_to_leave_it_alone() {
        check(&[], None);
        for (told, expect) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sat, 06 Nov 1993 08:49:37 GMT", Some(0)),
            ("999999999999", Some(3600)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
            ("soon", None),
        ] {
            check(&[(RETRY_AFTER, told)], expect);
        }
    }

    #[test]
    fn a_date_is_one_of_the_services_own_clock() {
        let date = (DATE, "Sun, 06 Nov 1994 08:49:00 GMT");
        check(
            &[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT"), date],
            Some(37),
        );
    }
}
