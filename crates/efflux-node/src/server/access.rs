//! Who may do what. Everything is denied that no permission allows.

mod action;
mod bucket;
mod identity;
mod permission;
mod secret;
mod tokens;

pub(crate) use self::action::{Need, need};
pub(crate) use self::identity::Identity;
pub use self::permission::{Action, Permission};
pub use self::tokens::{NewToken, Token, Tokens};

use std::path::PathBuf;
use std::time::SystemTime;

use efflux_flow::particle::Timestamp;
use efflux_flow::storage::remote::wire::ProblemKind;
use efflux_flow::storage::{Error, Result};
use http::HeaderMap;
use http::header::AUTHORIZATION;
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

    /// Finds out who sends a request.
    pub(crate) fn identify(&self, headers: &HeaderMap, now: Timestamp) -> Answer<Identity> {
        let Some(watched) = &self.tokens else {
            return Ok(Identity::everyone());
        };
        let mut watched = watched.lock();
        watched.refresh();
        let refuse = || {
            Refusal::new(
                ProblemKind::Unauthenticated,
                "send a token that is valid: authorization: Bearer TOKEN",
            )
        };
        let secret = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let secret = secret.and_then(|text| text.split_once(' '));
        let secret = secret.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, secret) = secret.ok_or_else(refuse)?;
        let token = watched
            .tokens
            .identify(secret.trim(), now)
            .ok_or_else(refuse)?;
        if !token.bucket.take(Instant::now()) {
            let why = format!("the rate of token {} is used up: slow down", token.id);
            return Err(Refusal::new(ProblemKind::TooManyRequests, why));
        }
        Ok(Identity::of(token))
    }
}

impl Watched {
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

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|it| it.modified()).ok()
}
