//! Who may do what. Everything is denied that no permission allows.

mod action;
mod bucket;
mod certificate;
mod identity;
mod permission;
mod secret;
mod tokens;

pub(crate) use self::action::{Need, need};
pub(crate) use self::certificate::Certified;
pub(crate) use self::identity::Identity;
pub use self::permission::{Action, Permission};
pub use self::tokens::{NewToken, Token, Tokens};

use std::path::PathBuf;
use std::time::SystemTime;

use efflux_flow::particle::Timestamp;
use efflux_flow::storage::remote::wire::ProblemKind;
use efflux_flow::storage::{Error, Result};
use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::limits::TOKENS_CHECK_TIME;
use super::refusal::{Answer, Refusal};

/// Who may use a node.
#[derive(Debug, Default)]
pub struct Access {
    tokens: Option<Mutex<Watched>>,
}

/// A file of tokens that is read again when it has changed.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    tokens: Tokens,
    modified: Option<SystemTime>,
    checked: Instant,
}

impl Access {
    /// Everyone who reaches the node may do everything.
    #[must_use]
    pub fn everyone() -> Self {
        Self::default()
    }

    /// Those with a token in this file may do what it says. The file is read again when it changes.
    ///
    /// # Errors
    /// `Invalid` when it is not there or holds something else.
    pub fn tokens(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let modified = modified(&path);
        if modified.is_none() {
            return Err(Error::invalid(format!(
                "there is no file of tokens {}: `efflux token create` makes one",
                path.display()
            )));
        }
        let tokens = Tokens::read(&path)?;
        Ok(Self {
            tokens: Some(Mutex::new(Watched {
                path,
                tokens,
                modified,
                checked: Instant::now(),
            })),
        })
    }

    /// Whether a token is needed.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.tokens.is_some()
    }

    /// Finds out who sends a request: by its token, or else by the certificate of its connection.
    pub(crate) fn identify(
        &self,
        headers: &HeaderMap,
        certified: Option<&Certified>,
        now: Timestamp,
    ) -> Answer<Identity> {
        let Some(watched) = &self.tokens else {
            return Ok(Identity::everyone());
        };
        let mut watched = watched.lock();
        watched.refresh();
        match (certified, headers.get(AUTHORIZATION)) {
            (Some(certified), None) => watched.by_certificate(headers, certified),
            (_, shown) => watched.by_token(shown, now),
        }
    }
}

impl Access {
    /// Whether a request that was let in would be let in now. It is not counted.
    pub(crate) fn is_still_allowed(
        &self,
        who: &Identity,
        action: Action,
        topic: &str,
        now: Timestamp,
    ) -> bool {
        let Some(watched) = &self.tokens else {
            return true;
        };
        let mut watched = watched.lock();
        watched.refresh();
        let permissions = watched.tokens.permissions(who.name(), now);
        permissions.is_some_and(|permissions| who.with(permissions).may(action, topic))
    }
}

impl Watched {
    fn by_token(&mut self, shown: Option<&HeaderValue>, now: Timestamp) -> Answer<Identity> {
        let refuse = || {
            Refusal::new(
                ProblemKind::Unauthenticated,
                "send a token that is valid: authorization: Bearer TOKEN",
            )
        };
        let secret = shown.and_then(|it| it.to_str().ok());
        let secret = secret.and_then(|text| text.split_once(' '));
        let secret = secret.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, secret) = secret.ok_or_else(refuse)?;
        let token = self.tokens.identify(secret.trim(), now);
        let token = token.ok_or_else(refuse)?;
        if !token.bucket.take(Instant::now()) {
            return Err(too_many(&format!("token {}", token.id)));
        }
        Ok(Identity::of(token))
    }

    /// A browser shows a certificate for any page that asks it to, so no page is let in by one.
    fn by_certificate(&mut self, headers: &HeaderMap, certified: &Certified) -> Answer<Identity> {
        let refuse = |why| Err(Refusal::new(ProblemKind::Forbidden, why));
        if headers.contains_key(ORIGIN) {
            return refuse("a page in a browser is let in by a token, not by a certificate");
        }
        let Some(certificate) = self.tokens.certified(certified) else {
            return refuse("the file of tokens says nothing of a certificate for this name");
        };
        if !certificate.take(Instant::now()) {
            return Err(too_many(&format!("certificate {}", certificate.form.name)));
        }
        Ok(Identity::certified(&certificate.form))
    }

    /// Reads the file again when it has changed. While it cannot be read, what it held is valid.
    fn refresh(&mut self) {
        if self.checked.elapsed() < TOKENS_CHECK_TIME {
            return;
        }
        self.checked = Instant::now();
        let modified = modified(&self.path);
        if modified == self.modified {
            return;
        }
        match Tokens::read(&self.path) {
            Ok(mut tokens) => {
                tokens.keep_rates(&self.tokens);
                self.tokens = tokens;
                self.modified = modified;
                tracing::info!(path = %self.path.display(), "tokens were read again");
            }
            Err(error) => tracing::error!(%error, "tokens cannot be read again"),
        }
    }
}

fn too_many(whose: &str) -> Refusal {
    let why = format!("the rate of {whose} is used up: slow down");
    Refusal::new(ProblemKind::TooManyRequests, why)
}

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|it| it.modified()).ok()
}
