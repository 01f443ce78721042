//! Particles out of any bytes: no panic, no memory beyond the input, and what decodes checks.

use crate::allocations::of_this_thread;
use crate::particle::{FOOTER_ID, Fingerprint, HEADER_ID, Particle};
use bytes::Bytes;

/// The reference counts of shared buffers, whatever the input.
const SMALL_CHANGE_BYTES: usize = 256;

fn read(bytes: &Bytes) {
    let decode = || (Particle::decode(bytes), Particle::decode_unchecked(bytes));
    let ((decoded, unchecked), allocated) = of_this_thread(decode);
    assert!(
        allocated <= bytes.len() + SMALL_CHANGE_BYTES,
        "{allocated} bytes for {}",
        bytes.len()
    );
    if let Ok(particle) = decoded {
        assert!(particle.check_hashes().is_ok());
        assert_eq!(Some(&particle), unchecked.as_ref().ok());
        assert!(bytes.starts_with(particle.frame()));
    }
    if let Ok(particle) = unchecked {
        let whole = particle.frame().len();
        assert_eq!(
            whole,
            54 + particle.metadata().bytes().len() + particle.payload().len()
        );
    }
}

fn framed(metadata: &[u8], payload: &[u8]) -> Bytes {
    let size = |bytes: usize| (bytes as u32).to_le_bytes();
    let message_size = size(44 + metadata.len() + payload.len());
    [
        &HEADER_ID[..],
        &message_size,
        &size(metadata.len()),
        Fingerprint::of(metadata).as_bytes(),
        metadata,
        payload,
        &message_size,
        &FOOTER_ID,
    ]
    .concat()
    .into()
}

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    read(&Bytes::copy_from_slice(input));
    read(&[&HEADER_ID, input].concat().into());
    let (metadata, payload) = input.split_at(input.len() - input.len() / 4);
    read(&framed(metadata, payload));
}
