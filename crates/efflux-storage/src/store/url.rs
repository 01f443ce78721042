//! URLs of stores.

use std::path::PathBuf;

use crate::error::{Error, Result};

/// Where a store is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StoreUrl {
    Memory,
    File(PathBuf),
    /// A node, at this URL.
    Node(String),
}

impl StoreUrl {
    /// Reads `mem:`, `file:PATH`, `file://PATH`, a bare path, `http://HOST:PORT` or
    /// `https://HOST:PORT`.
    pub(super) fn parse(url: &str) -> Result<Self> {
        if url == "mem:" {
            return Ok(Self::Memory);
        }
        if url.starts_with("http:") || url.starts_with("https:") {
            return Ok(Self::Node(url.to_owned()));
        }
        let path = match url.strip_prefix("file:") {
            Some(path) => path.strip_prefix("//").unwrap_or(path),
            None => match url.split_once(':') {
                Some((scheme, _)) if is_scheme(scheme) => {
                    return Err(Error::invalid(format!(
                        "store {url:?}: `{scheme}:` is unknown; use file:PATH, a path, mem:, or http(s)://HOST:PORT"
                    )));
                }
                _ => url,
            },
        };
        if path.is_empty() || path.contains('\0') {
            return Err(Error::invalid(format!(
                "store {url:?} names no folder: use file:PATH"
            )));
        }
        Ok(Self::File(PathBuf::from(path)))
    }
}

/// Whether what stands before a colon is a URL's scheme (RFC 3986) and not the start of a path.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_bare_paths_name_folders() {
        let file = |path: &str| StoreUrl::File(path.into());
        for (url, expected) in [
            ("mem:", StoreUrl::Memory),
            ("file:./data", file("./data")),
            ("file:///var/efflux", file("/var/efflux")),
            ("data", file("data")),
            ("./a:b", file("./a:b")),
        ] {
            assert_eq!(StoreUrl::parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn unknown_schemes_and_empty_paths_are_refused() {
        for url in ["", "file:", "s3://bucket", "mem:x", "htp://host"] {
            assert!(StoreUrl::parse(url).is_err(), "{url}");
        }
    }
}
