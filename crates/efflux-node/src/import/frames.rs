//! Frames of particles, as an export has them.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use efflux_flow::particle::{DecodeError, FrameError, FrameSize, Particle};

use super::place::{Fault, Malformed, Place};
use super::record::{Body, Record};

/// Bytes of a frame that tell its size.
const PREFIX_BYTES: usize = 14;

/// Reads frames one after the other and checks each against its hashes.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    offset: u64,
    count: u64,
}

impl<R: BufRead> FrameReader<R> {
    /// A reader at the beginning of a file.
    pub const fn new(reader: R) -> Self {
        Self {
            reader,
            offset: 0,
            count: 0,
        }
    }

    /// The next particle; none at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, Fault> {
        let place = Place {
            record: self.count + 1,
            offset: Some(self.offset),
            ..Place::default()
        };
        let mut frame = Vec::new();
        self.fill(&mut frame, PREFIX_BYTES)?;
        if frame.is_empty() {
            return Ok(None);
        }
        let refuse = |error: &FrameError| Malformed::new(place, error.to_string(), b"").at_an_end();
        let size = FrameSize::forwards(&frame).map_err(|error| refuse(&error))?;
        self.fill(&mut frame, size.frame_bytes())?;
        self.offset += frame.len() as u64;
        self.count += 1;
        match Particle::decode(&Bytes::from(frame)) {
            Ok(particle) => Ok(Some(Record {
                place,
                body: Body::Frame(Box::new(particle)),
            })),
            Err(DecodeError::Frame(error)) => Err(refuse(&error).into()),
            Err(error @ DecodeError::Metadata(_)) => {
                Err(Malformed::new(place, error.to_string(), b"").into())
            }
            Err(error) => Err(Malformed::new(place, error.to_string(), b"")
                .altered()
                .into()),
        }
    }

    /// Reads until there are `bytes` bytes, or the file ends.
    fn fill(&mut self, frame: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
        let missing = bytes.saturating_sub(frame.len()) as u64;
        (&mut self.reader).take(missing).read_to_end(frame)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_flow::particle::{Draft, Head, Id, Message, Stamp, Timestamp};

    fn frames() -> Vec<u8> {
        let stamp = |number| Stamp {
            id: Id::from_uuid([number; 16]),
            created: Timestamp::from_nanos(7),
            in_batch: false,
        };
        let (head, root) = Head::root(&"t".parse().unwrap(), &stamp(0)).unwrap();
        let draft = Draft::encode(&Message::new("hello"), &stamp(1)).unwrap();
        let (_, particle) = head.link(draft);
        [root.frame().as_ref(), particle.frame()].concat()
    }

    fn read(bytes: &[u8]) -> Vec<String> {
        let mut reader = FrameReader::new(bytes);
        let mut found = Vec::new();
        loop {
            match reader.next_record() {
                Ok(None) => return found,
                Ok(Some(Record {
                    body: Body::Frame(particle),
                    ..
                })) => {
                    found.push(particle.sequence().to_string());
                }
                Ok(Some(other)) => panic!("{other:?}"),
                Err(Fault::Malformed(fault)) => {
                    let altered = if fault.is_altered {
                        "altered"
                    } else {
                        "malformed"
                    };
                    found.push(format!("{}: {altered}", fault.place));
                    if !fault.can_go_on {
                        return found;
                    }
                }
                Err(Fault::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn frames_come_one_by_one() {
        assert_eq!(read(&frames()), ["0", "1"]);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn altered_and_torn_frames_are_named_by_their_offset() {
        let whole = frames();
        let second = FrameSize::forwards(&whole).unwrap().frame_bytes();
        let mut altered = whole.clone();
        altered[whole.len() - 10] ^= 1;
        assert_eq!(
            read(&altered),
            ["0".to_owned(), format!("offset={second}: altered")]
        );
        let torn = &whole[..whole.len() - 3];
        assert_eq!(
            read(torn),
            ["0".to_owned(), format!("offset={second}: malformed")]
        );
        assert_eq!(read(b"no frame, but long enough"), ["offset=0: malformed"]);
    }
}
