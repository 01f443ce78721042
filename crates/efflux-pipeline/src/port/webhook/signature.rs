//! Signatures by which a service knows who sent a message, as Standard Webhooks has them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// Signs messages with HMAC-SHA-256.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    /// The key is the Base64 behind `whsec_`.
    pub(super) fn new(secret: &Secret) -> Result<Self, String> {
        let fault = || "secret is no whsec_ with a key in Base64 behind it".to_owned();
        let text = secret.expose().strip_prefix("whsec_").ok_or_else(fault)?;
        let key = STANDARD.decode(text).map_err(|_| fault())?;
        if key.is_empty() {
            return Err(fault());
        }
        let mac = Hmac::new_from_slice(&key).map_err(|_| fault())?;
        Ok(Self(mac))
    }

    /// The value of the header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the reference implementations of Standard Webhooks are tested with.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signer = Signer::new(&secret).unwrap();
        let signature = signer.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_and_not_shown() {
        for text in ["", "hunter2", "whsec_", "whsec_hunter-2"] {
            let error = Signer::new(&Secret::new(text)).err().unwrap();
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
