//! Requests that a browser sends because some page told it to.
//!
//! A node on the loopback address without tokens is open to every program of its machine, a browser
//! among them, and the pages in it come from anywhere. A page of another origin says so in `Origin`;
//! one whose name was made to lead to the loopback address still sends that name as `Host`.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use http::uri::{Authority, Uri};

/// Whether the names in a request are those of the machine itself.
pub(crate) fn is_of_this_machine(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &http::HeaderValue| value.to_str())
    };
    let host = match text(HOST) {
        Some(Ok(host)) => host.parse::<Authority>().ok(),
        Some(Err(_)) => return false,
        // HTTP/2 has it in the URI; whoever sends none at all is no browser.
        None => uri.authority().cloned(),
    };
    let origin = match text(ORIGIN) {
        None => true,
        Some(Ok(origin)) => {
            let origin = origin.parse::<Uri>().ok();
            origin
                .and_then(|origin| Some(is_local(origin.authority()?)))
                .unwrap_or(false)
        }
        Some(Err(_)) => false,
    };
    origin && host.is_none_or(|host| is_local(&host))
}

fn is_local(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_machine_itself_are_served() {
        for (host, origin, expect) in [
            ("localhost:7150", None, true),
            ("127.0.0.1:7150", None, true),
            ("[::1]:7150", Some("http://localhost:3000"), true),
            ("evil.example:7150", None, false),
            ("evil.example:7150", Some("http://evil.example:7150"), false),
            ("localhost:7150", Some("https://evil.example"), false),
            ("localhost:7150", Some("null"), false),
            ("localhost.evil.example", None, false),
            ("127.0.0.1.evil.example", None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            let is_served = is_of_this_machine(&headers, &Uri::from_static("/v1/topics"));
            assert_eq!(is_served, expect, "{host} {origin:?}");
        }
    }
}
