//! The golden vectors: their values in Rust, their frames, and what a reader should say of them.

mod broken;
mod json;
mod raw;
mod sound;

pub(crate) use sound::CONTENT;

use bytes::Bytes;
use efflux_particle::{Broken, Chain, DecodeError, FrameError, Head, MetadataError, Particle};

/// Where the vectors lie.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/vectors");

/// The topic of every vector.
pub(crate) const TOPIC: &str = "golden";

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One file of frames and what should be found in it.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) stream: Bytes,
    /// The kind of error that ends the reading; none when the whole stream checks.
    pub(crate) error: Option<&'static str>,
}

/// Where a stream breaks.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: &'static str,
    pub(crate) offset: usize,
    /// The sequence that the particle there should have.
    pub(crate) sequence: u64,
}

/// What was read of a stream: its particles with their offsets, and how it ended.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) particles: Vec<(usize, Particle)>,
    pub(crate) end: std::result::Result<Head, Fault>,
}

/// All vectors, the sound ones first.
pub(crate) fn vectors() -> Result<Vec<Vector>> {
    Ok([sound::vectors()?, broken::vectors()?]
        .into_iter()
        .flatten()
        .collect())
}

/// All files of the folder: their names and bytes.
pub(crate) fn files() -> Result<Vec<(String, Vec<u8>)>> {
    let vectors = vectors()?;
    let mut files = vec![(
        "vectors.json".to_owned(),
        json::render(&vectors)?.into_bytes(),
    )];
    for vector in &vectors {
        files.push((format!("{}.frames", vector.name), vector.stream.to_vec()));
    }
    Ok(files)
}

/// Reads and checks a stream from its root on, as docs/format.md describes it.
pub(crate) fn read(stream: &Bytes) -> Result<Reading> {
    let topic = TOPIC.parse()?;
    let mut particles = Vec::new();
    let mut chain: Option<Chain> = None;
    let mut offset = 0;
    loop {
        let sequence = chain.map_or(0, |chain| chain.head().sequence.next().get());
        let fault = |broken: &Broken| {
            Err(Fault {
                kind: kind(broken),
                offset,
                sequence,
            })
        };
        let rest = stream.slice(offset..);
        if rest.is_empty() {
            let end = match chain.map(Chain::end) {
                Some(Ok(head)) => Ok(head),
                Some(Err(broken)) => fault(&broken),
                None => return Err("an empty stream is no vector".into()),
            };
            return Ok(Reading { particles, end });
        }
        let checked = Particle::decode(&rest).map_err(Broken::from);
        let checked = checked.and_then(|particle| {
            match &mut chain {
                Some(chain) => chain.check(&particle).map(drop)?,
                None => chain = Some(Chain::root(&topic, &particle)?),
            }
            Ok(particle)
        });
        match checked {
            Ok(particle) => {
                particles.push((offset, particle.clone()));
                offset += particle.frame().len();
            }
            Err(broken) => {
                let end = fault(&broken);
                return Ok(Reading { particles, end });
            }
        }
    }
}

/// The name that docs/format.md gives the error.
fn kind(broken: &Broken) -> &'static str {
    match broken {
        Broken::Particle(DecodeError::Frame(frame)) => match frame {
            FrameError::Incomplete { .. } => "incomplete",
            FrameError::Header { .. } => "header",
            FrameError::Footer { .. } => "footer",
            FrameError::Size { .. } => "size",
            FrameError::SizesDiffer { .. } => "sizes_differ",
        },
        Broken::Particle(DecodeError::Metadata(MetadataError::Version(_))) => "version",
        Broken::Particle(DecodeError::Metadata(_)) => "metadata",
        Broken::Particle(DecodeError::Fingerprint { .. }) => "fingerprint",
        Broken::Particle(DecodeError::Payload { .. }) => "payload",
        Broken::Root { .. } => "root",
        Broken::Sequence { .. } => "sequence",
        Broken::Link { .. } => "link",
        Broken::Batch { .. } => "batch",
    }
}
