//! Where a request goes to by its own account, and which page sent it.
//!
//! A node without tokens is open to whoever reaches it, a browser among them, and the pages in it come
//! from anywhere. A page of another origin says so in `Origin`; one whose name was made to lead to the
//! loopback address still sends that name as `Host`.

use http::header::{HOST, ORIGIN};
use http::uri::{Authority, Uri};
use http::{HeaderName, Version};

use super::refusal::{Answer, Refusal};

/// Where a request goes to by its own account, and which page sent it.
#[derive(Debug)]
pub(crate) struct Origin {
    /// None in HTTP/1.0 only.
    host: Option<Authority>,
    page: Page,
}

#[derive(Debug)]
enum Page {
    /// No page in a browser, or one that may not be told from none: it asks its own origin.
    None,
    Of(Authority),
    /// One that says nothing of itself, such as a file.
    Unknown,
}

impl Origin {
    /// Reads both. The pages of these origins are let in as programs are.
    ///
    /// # Errors
    /// `Invalid` when the request names no host, none that can be one, or two.
    pub(crate) fn of<B>(request: &http::Request<B>, pages: &[String]) -> Answer<Self> {
        let text = |name: HeaderName| request.headers().get(name).map(|value| value.to_str());
        let named = match text(HOST) {
            None => None,
            Some(host) => {
                let host = host.ok().and_then(|host| host.parse::<Authority>().ok());
                let host = host.filter(|host| !host.as_str().contains('@'));
                Some(host.ok_or_else(|| Refusal::invalid("header host is no host"))?)
            }
        };
        let host = match (named, request.uri().authority().cloned()) {
            (Some(named), Some(asked)) if !is_same(&named, &asked) => {
                return Err(Refusal::invalid("the request names two hosts"));
            }
            (None, None) if request.version() > Version::HTTP_10 => {
                return Err(Refusal::invalid(
                    "the request names no host: send the header host",
                ));
            }
            (named, asked) => named.or(asked),
        };
        let page = match text(ORIGIN) {
            None => Page::None,
            Some(Ok(origin)) if pages.iter().any(|page| page == origin) => Page::None,
            Some(origin) => {
                let origin = origin.ok().and_then(|origin| origin.parse::<Uri>().ok());
                let origin = origin.and_then(|origin| origin.authority().cloned());
                origin.map_or(Page::Unknown, Page::Of)
            }
        };
        Ok(Self { host, page })
    }

    /// Whether both are the machine itself.
    pub(crate) fn is_of_this_machine(&self) -> bool {
        let is_page_local = match &self.page {
            Page::None => true,
            Page::Of(page) => is_local(page),
            Page::Unknown => false,
        };
        is_page_local && self.host.as_ref().is_none_or(is_local)
    }

    /// Whether no page sent it, or one of the host that it goes to. On the machine itself its
    /// programs trust each other.
    pub(crate) fn is_of_its_host(&self) -> bool {
        match &self.page {
            Page::None => true,
            Page::Of(page) => {
                let is_same = self.host.as_ref().is_some_and(|host| is_same(host, page));
                is_same || self.is_of_this_machine()
            }
            Page::Unknown => false,
        }
    }
}

fn is_same(one: &Authority, other: &Authority) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
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

    fn origin(host: Option<&str>, page: Option<&str>) -> Answer<Origin> {
        let mut request = http::Request::builder().uri("/v1/topics");
        for (name, value) in [("host", host), ("origin", page)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        Origin::of(&request.body(()).unwrap(), &[])
    }

    #[test]
    fn only_names_of_the_machine_itself_are_of_it() {
        for (host, page, expect) in [
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
            let origin = origin(Some(host), page).unwrap();
            assert_eq!(origin.is_of_this_machine(), expect, "{host} {page:?}");
        }
    }

    #[test]
    fn pages_are_of_the_host_that_they_came_from() {
        for (host, page, expect) in [
            ("node.example:7150", None, true),
            ("node.example:7150", Some("http://Node.example:7150"), true),
            ("node.example:7150", Some("http://node.example"), false),
            ("node.example:7150", Some("https://evil.example"), false),
            ("node.example:7150", Some("null"), false),
            ("localhost:7150", Some("http://localhost:3000"), true),
        ] {
            let origin = origin(Some(host), page).unwrap();
            assert_eq!(origin.is_of_its_host(), expect, "{host} {page:?}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        for host in [
            None,
            Some(""),
            Some("a b@:::"),
            Some("user@host"),
            Some("a/b"),
        ] {
            assert!(origin(host, None).is_err(), "{host:?}");
        }
        let both = |host: &str| {
            let request = http::Request::builder().uri("http://node.example/healthz");
            Origin::of(&request.header("host", host).body(()).unwrap(), &[])
        };
        assert!(both("evil.example").is_err() && both("node.example").is_ok());
    }
}
