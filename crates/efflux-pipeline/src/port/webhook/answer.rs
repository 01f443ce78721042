//! What a service's answer means for the message.

use std::time::SystemTime;

use hyper::StatusCode;
use hyper::header::{HeaderMap, LOCATION};

use crate::retry_after::retry_after;
use crate::stage_error::StageError;

/// What follows from an answer that came `now`, with the beginning of its body.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Result<(), StageError> {
    if status.is_success() {
        return Ok(());
    }
    let body = String::from_utf8_lossy(body);
    let told = match body.trim() {
        "" => format!("the service answered {status}"),
        body => format!("the service answered {status}: {}", plain(body)),
    };
    // What a service says that is too busy, and what stands before one that is away.
    let is_away = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let after = retry_after(headers, Some(now));
    if is_away {
        return Err(StageError::Unavailable {
            source: told.into(),
            after,
        });
    }
    // It is there, and failed at this message.
    if status.is_server_error() {
        return Err(StageError::failed_by_itself(told, after));
    }
    if status.is_redirection() {
        let to = headers.get(LOCATION).and_then(|to| to.to_str().ok());
        return Err(StageError::fatal(format!(
            "{told}; redirects are not followed, set url to where the service is ({})",
            plain(to.unwrap_or("it does not say where"))
        )));
    }
    Err(match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            StageError::fatal(format!("{told}; set authorization or secret"))
        }
        // All messages go to one place: that it is none is not the fault of this one.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => {
            StageError::fatal(format!("{told}; set url to where the service is"))
        }
        _ => StageError::rejected(told),
    })
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

    #[test]
    fn the_status_says_what_follows() {
        for (status, expect) in [
            (204, "done"),
            (302, "fatal"),
            (400, "rejected"),
            (401, "fatal"),
            (403, "fatal"),
            (404, "fatal"),
            (405, "fatal"),
            (407, "fatal"),
            (408, "unavailable"),
            (410, "fatal"),
            (413, "rejected"),
            (422, "rejected"),
            (429, "unavailable"),
            (500, "unavailable"),
            (503, "unavailable"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let kind = judge(
                status,
                &HeaderMap::new(),
                b"no\r\nway",
                SystemTime::UNIX_EPOCH,
            );
            let kind = kind.map_err(|error| error.kind()).err().unwrap_or("done");
            assert_eq!(kind, expect, "{status}");
        }
    }
}
