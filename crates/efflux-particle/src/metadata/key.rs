//! The known keys of metadata and their order.

pub(crate) const VERSION: &str = "v";
pub(crate) const ID: &str = "id";
pub(crate) const SEQUENCE: &str = "sequence";
pub(crate) const CREATED: &str = "created";
pub(crate) const TIMESTAMP: &str = "timestamp";
pub(crate) const PAYLOAD_HASH: &str = "payload_hash";
pub(crate) const LINKED_FINGERPRINT: &str = "linked_fingerprint";
pub(crate) const BATCH_REMAINING: &str = "batch_remaining";
pub(crate) const DATA_TYPE: &str = "data_type";
pub(crate) const CONTENT_TYPE: &str = "content_type";
pub(crate) const CONTENT_ENCODING: &str = "content_encoding";
pub(crate) const MESSAGE_GROUP: &str = "message_group";
pub(crate) const PROPERTIES: &str = "properties";

/// A known key. The order of the variants is the one in which keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Known {
    Version,
    Id,
    Sequence,
    Created,
    Timestamp,
    PayloadHash,
    LinkedFingerprint,
    BatchRemaining,
    DataType,
    ContentType,
    ContentEncoding,
    MessageGroup,
    Properties,
}

impl Known {
    /// All of them, in order.
    pub(super) const ALL: [Self; 13] = [
        Self::Version,
        Self::Id,
        Self::Sequence,
        Self::Created,
        Self::Timestamp,
        Self::PayloadHash,
        Self::LinkedFingerprint,
        Self::BatchRemaining,
        Self::DataType,
        Self::ContentType,
        Self::ContentEncoding,
        Self::MessageGroup,
        Self::Properties,
    ];

    /// The ones that every particle has.
    pub(super) const NEEDED: [Self; 5] = [
        Self::Version,
        Self::Id,
        Self::Sequence,
        Self::Created,
        Self::PayloadHash,
    ];

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Version => VERSION,
            Self::Id => ID,
            Self::Sequence => SEQUENCE,
            Self::Created => CREATED,
            Self::Timestamp => TIMESTAMP,
            Self::PayloadHash => PAYLOAD_HASH,
            Self::LinkedFingerprint => LINKED_FINGERPRINT,
            Self::BatchRemaining => BATCH_REMAINING,
            Self::DataType => DATA_TYPE,
            Self::ContentType => CONTENT_TYPE,
            Self::ContentEncoding => CONTENT_ENCODING,
            Self::MessageGroup => MESSAGE_GROUP,
            Self::Properties => PROPERTIES,
        }
    }

    /// The known key with this text; none for an unknown key.
    pub(super) fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.text() == text)
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// Which known keys were seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen(u16);

impl Seen {
    pub(super) const fn add(&mut self, key: Known) {
        self.0 |= key.bit();
    }

    pub(super) const fn has(self, key: Known) -> bool {
        self.0 & key.bit() != 0
    }

    /// Whether neither this key was seen nor one that comes after it.
    pub(super) const fn is_before(self, key: Known) -> bool {
        self.0 < key.bit()
    }
}
