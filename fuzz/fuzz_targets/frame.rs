//! Particles out of any bytes: no panic, no memory beyond the input, and what decodes checks.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use efflux_particle::{FOOTER_ID, Fingerprint, HEADER_ID, Particle};
use libfuzzer_sys::fuzz_target;

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: both calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|count| count.set(count.get() + layout.size()));
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The reference counts of shared buffers, whatever the input.
const SMALL_CHANGE_BYTES: usize = 256;

fn read(bytes: &Bytes) {
    let before = ALLOCATED.with(Cell::get);
    let decoded = Particle::decode(bytes);
    let unchecked = Particle::decode_unchecked(bytes);
    let allocated = ALLOCATED.with(Cell::get) - before;
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

fuzz_target!(|input: &[u8]| {
    read(&Bytes::copy_from_slice(input));
    read(&[&HEADER_ID, input].concat().into());
    let (metadata, payload) = input.split_at(input.len() - input.len() / 4);
    read(&framed(metadata, payload));
});
