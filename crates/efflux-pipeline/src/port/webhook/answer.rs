//! What a service's answer means for the message.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderMap, LOCATION, RETRY_AFTER};

use crate::limits::RETRY_AFTER_SECONDS_MAX;
use crate::stage_error::StageError;

/// What follows from an answer, with the beginning of its body; `seconds` is the time.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    seconds: i64,
) -> Result<(), StageError> {
    if status.is_success() {
        return Ok(());
    }
    let body = String::from_utf8_lossy(body);
    let told = match body.trim() {
        "" => format!("the service answered {status}"),
        body => format!("the service answered {status}: {}", plain(body)),
    };
    let is_for_later = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    if is_for_later {
        return Err(StageError::Unavailable {
            source: told.into(),
            after: rest(headers, seconds),
        });
    }
    if status.is_redirection() {
        let to = headers.get(LOCATION).and_then(|to| to.to_str().ok());
        return Err(StageError::fatal(format!(
            "{told}; redirects are not followed, set url to where the service is ({})",
            plain(to.unwrap_or("it does not say where"))
        )));
    }
    Err(StageError::rejected(told))
}

/// How long the service asks to be left alone, by `retry-after`: seconds or a date.
fn rest(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            let date = date.duration_since(std::time::UNIX_EPOCH).ok()?;
            date.as_secs().saturating_sub(u64::try_from(now).ok()?)
        }
    };
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_SECONDS_MAX)))
}

/// Without control characters, which have no place in a log.
fn plain(text: &str) -> String {
    let plain = |letter: char| match letter.is_control() {
        true => ' ',
        false => letter,
    };
    text.chars().take(300).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(retry_after: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        match judge(StatusCode::SERVICE_UNAVAILABLE, &headers, b"", 784_111_770) {
            Err(StageError::Unavailable { after, .. }) => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_service_says_how_long_to_leave_it_alone() {
        assert_eq!(after("7"), Some(7));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(after("Sat, 06 Nov 1993 08:49:37 GMT"), Some(0));
        assert_eq!(after("999999999999"), Some(RETRY_AFTER_SECONDS_MAX));
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn the_status_says_what_follows() {
        for (status, expect) in [
            (204, "done"),
            (302, "fatal"),
            (400, "rejected"),
            (404, "rejected"),
            (408, "unavailable"),
            (429, "unavailable"),
            (500, "unavailable"),
            (503, "unavailable"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let kind = judge(status, &HeaderMap::new(), b"no\r\nway", 0);
            let kind = kind.map_err(|error| error.kind()).err().unwrap_or("done");
            assert_eq!(kind, expect, "{status}");
        }
    }
}
