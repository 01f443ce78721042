//! What may be asked.

use http::Uri;

/// The hosts and beginnings of addresses that may be asked.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Host(String),
    /// All hosts whose name ends with this, dot included.
    Beneath(String),
    Beginning {
        scheme: String,
        authority: String,
        path: String,
    },
}

impl Allowed {
    pub(super) fn read(entries: &[String]) -> Result<Self, String> {
        if entries.is_empty() {
            return Err("nothing may be fetched: name what is allowed".to_owned());
        }
        let entries = entries
            .iter()
            .map(|entry| Entry::read(entry))
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// Tells why an address may not be asked, or not with secrets.
    pub(super) fn check(&self, address: &Uri, has_secrets: bool) -> Result<(), String> {
        let (Some(scheme), Some(authority)) = (address.scheme_str(), address.authority()) else {
            return Err(format!("{address} is no whole address: https://HOST/PATH"));
        };
        if !matches!(scheme, "http" | "https") {
            return Err(format!("{address} is neither http nor https"));
        }
        if authority.as_str().contains('@') {
            return Err("an address with a user in it is refused".to_owned());
        }
        let path = address.path().to_ascii_lowercase();
        let climbs = path.split('/').any(|folder| matches!(folder, ".." | "."));
        if climbs
            || ["%2e", "%2f", "%5c", "\\"]
                .iter()
                .any(|hidden| path.contains(hidden))
        {
            return Err(format!("{address} has a path that leads upwards, or could"));
        }
        let covering = self
            .entries
            .iter()
            .filter(|entry| entry.covers(scheme, address));
        let mut covering = covering.peekable();
        if covering.peek().is_none() {
            return Err(format!("{address} is not among what may be fetched"));
        }
        // A message that names the address must not choose that secrets go in the clear.
        let is_named = covering.any(|entry| matches!(entry, Entry::Beginning { .. }));
        if has_secrets && scheme == "http" && !is_named {
            return Err(format!(
                "{address} would get the headers in the clear: ask by https, or allow the address \
                 with its http:// in front"
            ));
        }
        Ok(())
    }
}

impl Entry {
    fn read(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is no host and no beginning of an address");
        if text.contains("://") {
            let address: Uri = text.parse().map_err(|_| fault())?;
            let authority = address
                .authority()
                .ok_or_else(fault)?
                .as_str()
                .to_ascii_lowercase();
            if address.query().is_some() || authority.contains('@') {
                return Err(fault());
            }
            return Ok(Self::Beginning {
                scheme: address.scheme_str().ok_or_else(fault)?.to_owned(),
                authority,
                path: address.path().to_owned(),
            });
        }
        let host = text.to_ascii_lowercase();
        let is_host = |host: &str| {
            !host.is_empty()
                && !host
                    .contains(|letter: char| letter.is_whitespace() || "/@*?#:".contains(letter))
        };
        match host.strip_prefix("*.") {
            Some(beneath) if is_host(beneath) => Ok(Self::Beneath(format!(".{beneath}"))),
            None if is_host(&host) => Ok(Self::Host(host)),
            _ => Err(fault()),
        }
    }

    fn covers(&self, scheme: &str, address: &Uri) -> bool {
        let host = address.host().unwrap_or_default().to_ascii_lowercase();
        match self {
            Self::Host(allowed) => host == *allowed,
            Self::Beneath(allowed) => host.ends_with(allowed) && host.len() > allowed.len(),
            Self::Beginning {
                scheme: allowed,
                authority,
                path,
            } => {
                let asked = address
                    .authority()
                    .map(|asked| asked.as_str().to_ascii_lowercase());
                let is_within = address
                    .path()
                    .strip_prefix(path.as_str())
                    .is_some_and(|rest| {
                        path.ends_with('/') || rest.is_empty() || rest.starts_with('/')
                    });
                scheme == allowed && asked.as_ref() == Some(authority) && is_within
            }
        }
    }
}
