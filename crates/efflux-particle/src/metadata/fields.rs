//! Where the fields of metadata stand: reading them, and the rules they are read under.

use crate::content::ContentEncoding;
use crate::hash::{Fingerprint, HASH_BYTES, PayloadHash};
use crate::id::{self, Id};
use crate::limits::{
    BATCH_PARTICLES_MAX, METADATA_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME_BYTES_MAX,
    PROPERTY_VALUE_BYTES_MAX, TERM_BYTES_MAX,
};
use crate::metadata::key::{Known, Seen};
use crate::metadata::{FORMAT_VERSION, MetadataError};
use crate::msgpack::{Reader, Span};
use crate::sequence::Sequence;
use crate::timestamp::Timestamp;

/// Where each field stands in the metadata bytes, and the values of the short ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) id: Span,
    pub(crate) id_is_uuid: bool,
    pub(crate) sequence: Sequence,
    pub(crate) created: Timestamp,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) payload_hash: Span,
    pub(crate) linked_fingerprint: Option<Span>,
    pub(crate) batch_remaining: u32,
    pub(crate) data_type: Option<Span>,
    pub(crate) content_type: Option<Span>,
    pub(crate) content_encoding: Option<ContentEncoding>,
    pub(crate) message_group: Option<Span>,
    pub(crate) properties: Span,
    pub(crate) properties_count: u64,
    pub(crate) unknown: Span,
    pub(crate) unknown_count: usize,
}

/// What is left of the map, and which known keys were seen in it.
struct Entries {
    left: u64,
    seen: Seen,
}

impl Fields {
    /// The id.
    pub(crate) fn id(&self, bytes: &[u8]) -> Id {
        match <[u8; 16]>::try_from(self.id.of(bytes)) {
            Ok(uuid) if self.id_is_uuid => Id::from_uuid(uuid),
            _ => Id::from_stored(self.id.text(bytes)),
        }
    }

    /// The payload's hash.
    pub(crate) fn payload_hash(&self, bytes: &[u8]) -> PayloadHash {
        PayloadHash::from_bytes(hash_at(bytes, self.payload_hash))
    }

    /// The predecessor's fingerprint.
    pub(crate) fn linked_fingerprint(&self, bytes: &[u8]) -> Option<Fingerprint> {
        let span = self.linked_fingerprint?;
        Some(Fingerprint::from_bytes(hash_at(bytes, span)))
    }

    /// Reads the fields of metadata; before, none must have been read.
    pub(super) fn read_all(&mut self, bytes: &[u8]) -> Result<(), MetadataError> {
        if bytes.len() > METADATA_BYTES_MAX {
            return malformed(
                METADATA_BYTES_MAX,
                "the end: metadata has at most 65536 bytes",
            );
        }
        let mut reader = Reader::new(bytes);
        let mut entries = Entries {
            left: reader.map()?,
            seen: Seen::default(),
        };
        self.read_usual(&mut entries, &mut reader)?;
        self.read_others(&mut entries, &mut reader)?;
        if !reader.is_at_end() {
            return malformed(reader.position(), "the end");
        }
        match Known::NEEDED.iter().find(|key| !entries.seen.has(**key)) {
            Some(missing) => Err(MetadataError::Missing(missing.text())),
            None => Ok(()),
        }
    }

    /// Reads the known keys that stand in order and in their shortest form, as this crate writes
    /// them all; stops before the first entry that is otherwise.
    ///
    /// To compare the next bytes with the key that should come is several times faster than to read
    /// a key and look for it, and every particle that is read pays for it.
    fn read_usual(
        &mut self,
        entries: &mut Entries,
        reader: &mut Reader<'_>,
    ) -> Result<(), MetadataError> {
        self.read_if_next(Known::Version, entries, reader)?;
        self.read_if_next(Known::Id, entries, reader)?;
        self.read_if_next(Known::Sequence, entries, reader)?;
        self.read_if_next(Known::Created, entries, reader)?;
        self.read_if_next(Known::Timestamp, entries, reader)?;
        self.read_if_next(Known::PayloadHash, entries, reader)?;
        self.read_if_next(Known::LinkedFingerprint, entries, reader)?;
        self.read_if_next(Known::BatchRemaining, entries, reader)?;
        self.read_if_next(Known::DataType, entries, reader)?;
        self.read_if_next(Known::ContentType, entries, reader)?;
        self.read_if_next(Known::ContentEncoding, entries, reader)?;
        self.read_if_next(Known::MessageGroup, entries, reader)?;
        self.read_if_next(Known::Properties, entries, reader)
    }

    /// Inlined, so that what is compared and what is read are constants.
    #[inline(always)]
    fn read_if_next(
        &mut self,
        key: Known,
        entries: &mut Entries,
        reader: &mut Reader<'_>,
    ) -> Result<(), MetadataError> {
        if entries.left == 0 || !reader.pass(key.text()) {
            return Ok(());
        }
        entries.left -= 1;
        entries.seen.add(key);
        self.read(key, reader)
    }

    /// Reads what is left: keys in other forms, and unknown keys.
    fn read_others(
        &mut self,
        entries: &mut Entries,
        reader: &mut Reader<'_>,
    ) -> Result<(), MetadataError> {
        let mut last_unknown = "";
        while entries.left > 0 {
            entries.left -= 1;
            let start = reader.position();
            let key = reader.text()?.0.as_str();
            let misplaced = || malformed(start, "the next key in order");
            if let Some(known) = Known::of(key) {
                if self.unknown_count > 0 || !entries.seen.is_before(known) {
                    return misplaced();
                }
                entries.seen.add(known);
                self.read(known, reader)?;
            } else {
                if self.unknown_count > 0 && key <= last_unknown {
                    return misplaced();
                }
                last_unknown = key;
                reader.skip()?;
                self.add_unknown(start, reader.position());
            }
        }
        Ok(())
    }

    fn add_unknown(&mut self, start: usize, end: usize) {
        if self.unknown_count == 0 {
            self.unknown.start = place(start);
        }
        self.unknown.end = place(end);
        self.unknown_count += 1;
    }

    #[inline(always)]
    fn read(&mut self, key: Known, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        match key {
            Known::Version => match reader.unsigned()? {
                version if version == u64::from(FORMAT_VERSION) => {}
                version => return Err(MetadataError::Version(version)),
            },
            Known::Id => self.read_id(reader)?,
            Known::Sequence => self.sequence = read_sequence(reader)?,
            Known::Created => self.created = Timestamp::from_nanos(reader.signed()?),
            Known::Timestamp => self.timestamp = Some(Timestamp::from_nanos(reader.signed()?)),
            Known::PayloadHash => self.payload_hash = read_hash(reader)?,
            Known::LinkedFingerprint => self.linked_fingerprint = Some(read_hash(reader)?),
            Known::BatchRemaining => self.batch_remaining = read_batch_remaining(reader)?,
            Known::DataType => self.data_type = Some(read_term(reader)?),
            Known::ContentType => self.content_type = Some(read_term(reader)?),
            Known::ContentEncoding => self.content_encoding = Some(read_encoding(reader)?),
            Known::MessageGroup => self.message_group = Some(read_term(reader)?),
            Known::Properties => self.read_properties(reader)?,
        }
        Ok(())
    }

    fn read_id(&mut self, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        let at = reader.position();
        if reader.is_at_bin() {
            let (bytes, span) = reader.bin()?;
            self.id = span;
            self.id_is_uuid = true;
            return match bytes.len() {
                16 => Ok(()),
                _ => malformed(at, "a UUID of 16 bytes or text"),
            };
        }
        let (text, span) = reader.text()?;
        self.id = span;
        match id::check(text.as_str()) {
            Ok(None) => Ok(()),
            // Two spellings of one id would be two messages to whoever compares bytes.
            Ok(Some(_)) => malformed(at, "the 16 bytes of this UUID in place of its text"),
            Err(_) => malformed(
                at,
                "an id of 1 to 255 bytes of text without control characters",
            ),
        }
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        let at = reader.position();
        let count = reader.map()?;
        if count > u64::try_from(PROPERTIES_MAX).unwrap_or(u64::MAX) {
            return malformed(at, "at most 64 properties");
        }
        let start = reader.position();
        let mut last: Option<&[u8]> = None;
        for _ in 0..count {
            let at = reader.position();
            let (name, _) = reader.text()?;
            if last.is_some_and(|last| name.bytes <= last) {
                return malformed(at, "properties in ascending order");
            }
            last = Some(name.bytes);
            if name.fault(PROPERTY_NAME_BYTES_MAX).is_some() {
                return malformed(
                    at,
                    "a property name of 1 to 128 bytes without control characters",
                );
            }
            let at = reader.position();
            if reader.text()?.0.bytes.len() > PROPERTY_VALUE_BYTES_MAX {
                return malformed(at, "a property value of at most 4096 bytes");
            }
        }
        self.properties = Span {
            start: place(start),
            end: place(reader.position()),
        };
        self.properties_count = count;
        Ok(())
    }
}

const fn malformed<T>(at: usize, expected: &'static str) -> Result<T, MetadataError> {
    Err(MetadataError::Malformed { at, expected })
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn hash_at(bytes: &[u8], span: Span) -> [u8; HASH_BYTES] {
    span.of(bytes).try_into().unwrap_or([0; HASH_BYTES])
}

fn read_sequence(reader: &mut Reader<'_>) -> Result<Sequence, MetadataError> {
    let at = reader.position();
    match Sequence::new(reader.unsigned()?) {
        // A chain that stands there could never grow, and the place after it would be itself.
        Sequence::MAX => malformed(at, "a sequence below 2^64 - 1"),
        sequence => Ok(sequence),
    }
}

fn read_batch_remaining(reader: &mut Reader<'_>) -> Result<u32, MetadataError> {
    let at = reader.position();
    match u32::try_from(reader.unsigned()?) {
        Ok(remaining) if (remaining as usize) < BATCH_PARTICLES_MAX => Ok(remaining),
        _ => malformed(at, "fewer than 65536 particles to follow in the batch"),
    }
}

fn read_term(reader: &mut Reader<'_>) -> Result<Span, MetadataError> {
    let at = reader.position();
    let (text, span) = reader.text()?;
    match text.fault(TERM_BYTES_MAX) {
        None => Ok(span),
        Some(_) => malformed(at, "1 to 255 bytes of text without control characters"),
    }
}

fn read_encoding(reader: &mut Reader<'_>) -> Result<ContentEncoding, MetadataError> {
    let at = reader.position();
    let (name, _) = reader.text()?;
    name.as_str()
        .parse()
        .or_else(|_| malformed(at, "content encoding gzip or zstd"))
}

fn read_hash(reader: &mut Reader<'_>) -> Result<Span, MetadataError> {
    let at = reader.position();
    let (bytes, span) = reader.bin()?;
    if bytes.len() == HASH_BYTES {
        Ok(span)
    } else {
        malformed(at, "a hash of 32 bytes")
    }
}
