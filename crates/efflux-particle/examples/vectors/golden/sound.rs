//! Vectors that check.

use bytes::Bytes;
use efflux_particle::{
    ContentEncoding, Draft, Head, Id, Message, Particle, PayloadHash, Stamp, Timestamp,
};

use super::raw::{bin, frame, metadata, text};
use super::{Result, TOPIC, Vector};

const CREATED: i64 = 1_767_225_600_000_000_000;

/// The content of the two compressed payloads.
pub(crate) const CONTENT: &str = r#"{"items":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"#;

/// [`CONTENT`] as `gzip -9n` writes it. Kept as bytes: another compressor may write others.
const GZIP: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0xca, 0x2c, 0x49, 0xcd,
    0x2d, 0x56, 0xb2, 0x8a, 0x36, 0xd4, 0xc1, 0x0b, 0x63, 0x6b, 0x01, 0x3e, 0x43, 0x42, 0xe6, 0x2b,
    0x00, 0x00, 0x00,
];

/// [`CONTENT`] as `zstd -3` writes it.
const ZSTD: &[u8] = &[
    0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x2b, 0xa5, 0x00, 0x00, 0x70, 0x7b, 0x22, 0x69, 0x74, 0x65, 0x6d,
    0x73, 0x22, 0x3a, 0x5b, 0x31, 0x2c, 0x5d, 0x7d, 0x01, 0x00, 0xdd, 0x2e, 0x09, 0x2a, 0x32, 0xef,
    0xbb,
];

/// A chain in the making.
pub(super) struct Writer {
    pub(super) head: Head,
    pub(super) frames: Vec<Bytes>,
}

impl Writer {
    pub(super) fn root() -> Result<Self> {
        let (head, root) = Head::root(&TOPIC.parse()?, &stamp(0, false))?;
        Ok(Self {
            head,
            frames: vec![root.frame().clone()],
        })
    }

    pub(super) fn single(&mut self, message: &Message) -> Result {
        let draft = Draft::encode(message, &stamp(self.next_number(), false))?;
        let (head, particle) = self.head.link(draft);
        self.push(head, particle.frame().clone());
        Ok(())
    }

    pub(super) fn in_batch(&mut self, message: &Message, remaining: u32) -> Result {
        let draft = Draft::encode(message, &stamp(self.next_number(), true))?;
        let (head, particle) = self.head.link_in_batch(draft, remaining)?;
        self.push(head, particle.frame().clone());
        Ok(())
    }

    /// Adds a frame that another writer made; it must check.
    pub(super) fn foreign(&mut self, frame: Bytes) -> Result {
        let head = self.head.check(&Particle::decode(&frame)?)?;
        self.push(head, frame);
        Ok(())
    }

    pub(super) fn next_number(&self) -> u64 {
        self.head.sequence.next().get()
    }

    pub(super) fn stream(&self) -> Bytes {
        self.frames.concat().into()
    }

    fn push(&mut self, head: Head, frame: Bytes) {
        self.head = head;
        self.frames.push(frame);
    }
}

fn stamp(number: u64, in_batch: bool) -> Stamp {
    // A UUID of version 7: 48 bits of milliseconds, the version, the variant, then the number.
    let [last, ..] = number.to_le_bytes();
    let uuid = [
        0x01, 0x9b, 0x76, 0xda, 0xa8, 0x00, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, last,
    ];
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    Stamp {
        id: Id::from_uuid(uuid),
        created: Timestamp::from_nanos(CREATED + number),
        in_batch,
    }
}

/// All sound vectors.
pub(super) fn vectors() -> Result<Vec<Vector>> {
    let vector = |name, says, chain: Writer| Vector {
        name,
        says,
        stream: chain.stream(),
        error: None,
    };
    Ok(vec![
        vector(
            "root",
            "the root alone, the smallest export",
            Writer::root()?,
        ),
        vector("singles", "ids, times, texts of every kind", singles()?),
        vector(
            "batches",
            "a batch of three, a single, a batch of one",
            batches()?,
        ),
        vector(
            "contents",
            "payloads compressed with gzip and zstd",
            contents()?,
        ),
        vector(
            "foreign",
            "another writer: unknown keys, integers and texts of other widths",
            foreign()?,
        ),
        vector("bounds", "texts and properties at their bounds", bounds()?),
    ])
}

pub(super) fn singles() -> Result<Writer> {
    let mut chain = Writer::root()?;
    chain.single(&Message::new(""))?;
    chain.single(
        &Message::new("{\"total\":12}")
            .with_id("0197A4A2-1111-7ABC-8DEF-0123456789AB".parse()?)
            .with_timestamp("2025-12-31T23:59:59.999999999Z".parse()?)
            .with_data_type("order.placed")
            .with_content_type("application/json")
            .with_message_group("customer-42")
            .with_property("region", "eu")
            .with_property("customer", "42"),
    )?;
    chain.single(
        &Message::new("Grüße, 世界 🌍")
            .with_id("bestellung № 7".parse()?)
            .with_timestamp(Timestamp::from_nanos(-1))
            .with_data_type("größe.geändert")
            .with_content_type("text/plain; charset=utf-8")
            .with_message_group("顧客-42")
            .with_property("emoji", "👩‍👩‍👧")
            .with_property("leer", "")
            .with_property("zeilen", "eins\nzwei\0drei"),
    )?;
    chain.single(&Message::new(vec![0, 1, 2, 0xff]).with_timestamp(Timestamp::MIN))?;
    chain.single(&Message::new("later").with_timestamp(Timestamp::MAX))?;
    // A payload may hold a whole frame: nothing is ever found by searching for a header ID.
    let root = chain.frames.first().cloned().unwrap_or_default();
    chain.single(&Message::new(root).with_data_type("efflux.root"))?;
    Ok(chain)
}

fn batches() -> Result<Writer> {
    let mut chain = Writer::root()?;
    for remaining in [2, 1, 0] {
        let message = Message::new(format!("{remaining} to come")).with_message_group("batch");
        chain.in_batch(&message, remaining)?;
    }
    chain.single(&Message::new("single"))?;
    chain.in_batch(&Message::new("alone in its batch"), 0)?;
    Ok(chain)
}

fn contents() -> Result<Writer> {
    let mut chain = Writer::root()?;
    for (payload, encoding) in [(GZIP, ContentEncoding::Gzip), (ZSTD, ContentEncoding::Zstd)] {
        let message = Message::new(payload)
            .with_content_type("application/json")
            .with_content_encoding(encoding);
        chain.single(&message)?;
    }
    Ok(chain)
}

fn foreign() -> Result<Writer> {
    let mut chain = Writer::root()?;
    let linked = |chain: &Writer| bin(chain.head.fingerprint.as_bytes());
    let hash = |payload: &[u8]| bin(PayloadHash::of(payload).as_bytes());
    // Every integer in its shortest form, text with a longer header than it needs.
    let shortest = metadata(&[
        ("v", vec![0x01]),
        ("id", [&[0xd9, 1][..], b"1"].concat()),
        ("sequence", vec![0x01]),
        ("created", vec![0xff]),
        ("timestamp", vec![0xd0, 0x80]),
        ("payload_hash", hash(b"short")),
        ("linked_fingerprint", linked(&chain)),
        ("batch_remaining", vec![0x00]),
        ("data_type", [&[0xda, 0, 1][..], b"d"].concat()),
        (
            "properties",
            [&[0xde, 0, 1][..], &text("p"), &text("v")].concat(),
        ),
    ]);
    chain.foreign(frame(&shortest, b"short"))?;
    // Unknown keys of every kind of value, and integers in the signed kinds.
    let unknown = metadata(&[
        ("v", vec![0xcc, 0x01]),
        ("id", text("2")),
        ("sequence", vec![0xd3, 0, 0, 0, 0, 0, 0, 0, 2]),
        ("created", vec![0xd2, 0x7f, 0xff, 0xff, 0xff]),
        (
            "payload_hash",
            [&[0xc5, 0, 32][..], PayloadHash::of(b"").as_bytes()].concat(),
        ),
        ("linked_fingerprint", linked(&chain)),
        ("properties", vec![0x80]),
        ("", vec![0xc0]),
        ("x-array", vec![0x93, 0xc2, 0xca, 0x3f, 0x80, 0, 0, 0x90]),
        ("x-bytes", bin(&[1, 2, 3])),
        ("x-ext", vec![0xd6, 0xff, 0x69, 0x55, 0xb9, 0x00]),
        ("x-map", vec![0x81, 0x07, 0x81, 0xa1, b'k', 0xa1, 0xff]),
        ("ü", text("last")),
    ]);
    chain.foreign(frame(&unknown, b""))?;
    let copy = Message::from(&Particle::decode(&frame(&unknown, b""))?);
    chain.single(&copy.with_id("copy of 2".parse()?))?;
    Ok(chain)
}

fn bounds() -> Result<Writer> {
    let mut chain = Writer::root()?;
    let longest = Message::new("bounds")
        .with_id("i".repeat(255).parse()?)
        .with_data_type("d".repeat(255))
        .with_content_type("c".repeat(255))
        .with_message_group("é".repeat(127))
        .with_property("n".repeat(128), "v".repeat(4096));
    chain.single(&longest)?;
    let many = (0..64).fold(Message::new("many"), |message, number| {
        message.with_property(format!("p{number:02}"), number.to_string())
    });
    chain.single(&many)?;
    Ok(chain)
}
