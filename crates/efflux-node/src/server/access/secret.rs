//! Secrets of tokens: 256 random bits, of which only the SHA-256 is kept.

use efflux_flow::particle::PayloadHash;
use efflux_flow::storage::{Error, Result};

/// What every secret begins with, so that a leaked one is recognised.
const PREFIX: &str = "efflux_";

/// A new token's id and secret.
pub(super) struct Fresh {
    pub(super) id: String,
    /// What its owner sends. It cannot be had again.
    pub(super) secret: String,
    pub(super) hash: PayloadHash,
}

/// Makes a secret.
///
/// # Errors
/// `Unavailable` when the system has no randomness.
pub(super) fn fresh() -> Result<Fresh> {
    let mut bytes = [0; 36];
    getrandom::fill(&mut bytes).map_err(|error| {
        let what = format!("the system has no randomness: {error}");
        Error::new(efflux_flow::storage::ErrorKind::Unavailable, what)
    })?;
    let (id, secret) = bytes.split_at(4);
    let (id, secret) = (hex(id), hex(secret));
    let secret = format!("{PREFIX}{id}_{secret}");
    let hash = PayloadHash::of(secret.as_bytes());
    Ok(Fresh { id, secret, hash })
}

/// The id that a secret names; none when it is no secret.
pub(super) fn id_of(secret: &str) -> Option<&str> {
    let (id, _) = secret.strip_prefix(PREFIX)?.split_once('_')?;
    Some(id)
}

/// Whether the secret is the one of which this hash was kept, found out in a time that does not
/// depend on how much of it is right.
pub(super) fn is_of(secret: &str, kept: &PayloadHash) -> bool {
    let hash = PayloadHash::of(secret.as_bytes());
    let pairs = hash.as_bytes().iter().zip(kept.as_bytes());
    pairs.fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_names_its_id_and_no_two_are_the_same() {
        let (one, other) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(one.secret, other.secret);
        assert_eq!(one.secret.len(), PREFIX.len() + 8 + 1 + 64);
        assert_eq!(id_of(&one.secret), Some(one.id.as_str()));
        assert!(is_of(&one.secret, &one.hash) && !is_of(&other.secret, &one.hash));
        assert_eq!(id_of("efflux_"), None);
    }
}
