//! Whatever bytes come, the decoders answer.

use bytes::Bytes;
use efflux_particle::{
    ContentEncoding, Draft, FrameSize, HEADER_ID, Metadata, Particle, frame_bytes_backwards,
};
use proptest::prelude::*;

use crate::arbitrary::{check, frame, message, root, stamp};

fn read_all(bytes: &Bytes) {
    let _ = FrameSize::whole(bytes);
    let _ = frame_bytes_backwards(bytes);
    let _ = Metadata::decode(bytes.clone());
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zstd] {
        let _ = encoding.decode(bytes, 1 << 16);
    }
    if let Ok(particle) = Particle::decode_unchecked(bytes) {
        let _ = particle.check_hashes();
        let _ = particle.content(1 << 16);
        let _ = efflux_particle::Message::from(&particle);
        assert!(particle.frame().len() <= bytes.len());
        assert!(particle.payload().len() < particle.frame().len());
    }
}

#[test]
fn arbitrary_bytes_are_answered() {
    let bytes = proptest::collection::vec(any::<u8>(), 0..500);
    check((bytes, any::<bool>()), |(bytes, begins_well)| {
        let start = if begins_well { &HEADER_ID[..] } else { &[] };
        read_all(&[start, &bytes].concat().into());
        Ok(())
    });
}

#[test]
fn arbitrary_metadata_in_a_whole_frame_is_answered() {
    let marker = prop_oneof![
        any::<u8>(),
        proptest::sample::select(vec![0x8f, 0xde, 0xdf, 0xdb, 0xc6, 0xdd, 0xc9, 0xa1, b'v'])
    ];
    check(proptest::collection::vec(marker, 1..300), |metadata| {
        read_all(&frame(&metadata, b"payload"));
        Ok(())
    });
}

#[test]
fn mutated_frames_are_answered() {
    let place = (any::<prop::sample::Index>(), any::<u8>());
    let case = (message(), stamp(), proptest::collection::vec(place, 1..6));
    check(case, |(message, stamp, places)| {
        let (_, particle) = root().0.link(Draft::encode(&message, &stamp).unwrap());
        let mut whole = particle.frame().to_vec();
        let mut metadata = particle.metadata().bytes().to_vec();
        for (place, byte) in &places {
            whole[place.index(particle.frame().len())] = *byte;
            metadata[place.index(particle.metadata().bytes().len())] = *byte;
        }
        read_all(&whole.into());
        read_all(&frame(&metadata, message.payload()));
        Ok(())
    });
}
