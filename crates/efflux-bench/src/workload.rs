//! The records that every program stores: the same ones each time, made from their number.

use bytes::Bytes;
use efflux_node::particle::{Id, Message, Timestamp};

const TYPES: u64 = 20;
const GROUPS: u64 = 10_000;
const KINDS: u64 = 50;
/// Odd and without pattern, each for a field of its own, so that no field follows from another.
const TYPE_SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
const GROUP_SCATTER: u64 = 0xc2b2_ae3d_27d4_eb4f;
const KIND_SCATTER: u64 = 0x1656_67b1_9e37_79f9;
/// Payloads begin at any of that many places of the pool, so that no two neighbours are the same.
const PAYLOAD_STARTS: usize = 4096;
const START_NANOS: i64 = 1_767_225_600_000_000_000;

/// One record: an id, two times, a type, a group, two properties and a payload.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    #[cfg_attr(
        not(feature = "alternatives"),
        expect(dead_code, reason = "the alternatives use it as their key")
    )]
    pub(crate) number: u64,
    pub(crate) id: [u8; 16],
    pub(crate) created: i64,
    pub(crate) timestamp: i64,
    pub(crate) data_type: String,
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) order: String,
    pub(crate) payload: Bytes,
}

impl Record {
    /// The message that Efflux is given. Without an own id the store makes one.
    pub(crate) fn message(&self, has_own_id: bool) -> Message {
        let message = Message::new(self.payload.clone())
            .with_data_type(&self.data_type)
            .with_message_group(&self.group)
            .with_property("kind", &self.kind)
            .with_property("order", &self.order)
            .with_timestamp(Timestamp::from_nanos(self.timestamp));
        if has_own_id {
            return message.with_id(Id::from_uuid(self.id));
        }
        message
    }

    /// The record as a key-value store keeps it: its fields one behind the other, then the payload.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.payload.len() + 128);
        value.extend_from_slice(&self.id);
        value.extend_from_slice(&self.created.to_le_bytes());
        value.extend_from_slice(&self.timestamp.to_le_bytes());
        for text in [&self.data_type, &self.group, &self.kind, &self.order] {
            value.push(u8::try_from(text.len()).unwrap_or(0));
            value.extend_from_slice(text.as_bytes());
        }
        value.extend_from_slice(&self.payload);
        value
    }
}

/// Makes records of one payload size.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) payload_bytes: usize,
    pool: Bytes,
}

impl Workload {
    pub(crate) fn new(payload_bytes: usize) -> Self {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let words = (payload_bytes + PAYLOAD_STARTS).div_ceil(8);
        let bytes = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_le_bytes()
        });
        Self {
            payload_bytes,
            pool: bytes.take(words).flatten().collect(),
        }
    }

    pub(crate) fn record(&self, number: u64) -> Record {
        let start = usize::try_from(number).unwrap_or(0) % PAYLOAD_STARTS;
        let mut id = [0; 16];
        let parts = number.to_le_bytes().into_iter();
        id.iter_mut()
            .zip(parts.chain(number.wrapping_mul(TYPE_SCATTER).to_le_bytes()))
            .for_each(|(place, byte)| *place = byte);
        let nanos = START_NANOS.saturating_add(i64::try_from(number).unwrap_or(0) * 1000);
        Record {
            number,
            id,
            created: nanos,
            timestamp: nanos - 1_000_000,
            data_type: data_type(number),
            group: group(number),
            kind: kind(number),
            order: format!("order-{number}"),
            payload: self.pool.slice(start..start + self.payload_bytes),
        }
    }
}

/// The type of the record with that number, one of 20.
pub(crate) fn data_type(number: u64) -> String {
    format!("order.type-{}", scattered(number, TYPE_SCATTER, TYPES))
}

/// The group of the record with that number, one of 10,000.
pub(crate) fn group(number: u64) -> String {
    format!("customer-{}", scattered(number, GROUP_SCATTER, GROUPS))
}

/// The first property of the record with that number, one of 50 values.
pub(crate) fn kind(number: u64) -> String {
    format!("kind-{}", scattered(number, KIND_SCATTER, KINDS))
}

/// What records are looked for by besides their type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Second {
    /// With the type, one record in 200,000.
    Group,
    /// With the type, one record in 1,000.
    Kind,
}

impl Second {
    /// The field of the record with that number.
    pub(crate) fn of(self, number: u64) -> String {
        match self {
            Self::Group => group(number),
            Self::Kind => kind(number),
        }
    }
}

/// One of `count`, evenly spread.
const fn scattered(number: u64, by: u64, count: u64) -> u64 {
    (number.wrapping_mul(by) >> 32) % count
}
