//! The actions that a model test chooses from.

use efflux_node::storage;
use storage::particle::{Message, Sequence, Timestamp};
use storage::{FindOptions, Query, ReadLimit};

use crate::oracle::Expected;
use crate::pair::{Pair, Verdict};

const QUERIES: &[&str] = &[
    "data_type = 't1'",
    "data_type = 't1' or data_type = 't2'",
    "message_group = 'g0' and data_type = 't0'",
    "not data_type = 't1'",
    "properties.color = 'red' and not message_group = 'g1'",
    "properties.color = 'blue' or message_group = 'g2'",
    "timestamp >= 2026-01-01T00:00:10Z",
    "timestamp < 2026-01-01T00:00:20Z and data_type = 't0'",
    "data_type = 'none'",
    "",
];

impl Pair {
    /// Does something to both stores; what it was, and whether they agree.
    pub(crate) async fn act(&mut self) -> (String, Verdict) {
        match self.random.below(20) {
            0..=9 => self.append_something().await,
            10..=12 => self.read_something().await,
            13 | 14 => self.find_something().await,
            15 | 16 => {
                let message = self.message();
                let id = message.id().map(ToString::to_string);
                (format!("get {id:?}"), self.get(&message).await)
            }
            17 => self.reopen().await,
            18 => ("compare".to_owned(), self.compare_all().await),
            _ if self.random.chance(15) => ("delete".to_owned(), self.delete().await),
            _ => ("compare".to_owned(), self.compare_all().await),
        }
    }

    /// A message out of few, so that ids meet again with the same payload and with another one.
    fn message(&mut self) -> Message {
        let number = self.random.at_most(400);
        let payload = match self.random.chance(5) {
            true => format!("another payload of {number}"),
            false => format!("{number} ").repeat(1 + (number % 20)),
        };
        let seconds = 1_767_225_600 + i64::try_from(number % 30).unwrap_or(0);
        let id = format!("id {number}").parse().unwrap();
        let mut message = Message::new(payload)
            .with_id(id)
            .with_timestamp(Timestamp::from_nanos(seconds * 1_000_000_000));
        if !number.is_multiple_of(3) {
            message = message.with_data_type(format!("t{}", number % 4));
        }
        if number % 5 > 1 {
            message = message.with_message_group(format!("g{}", number % 3));
        }
        if number % 7 > 2 {
            let color = ["red", "blue"].get(number % 2).unwrap_or(&"red");
            message = message.with_property("color", *color);
        }
        message
    }

    async fn append_something(&mut self) -> (String, Verdict) {
        let count = match self.random.below(4) {
            0 => 2 + self.random.below(6),
            _ => 1,
        };
        let batch: Vec<_> = (0..count).map(|_| self.message()).collect();
        let head = self.oracle.head();
        let sequence = match self.random.chance(60) {
            true => head,
            false => self.random.below(head + 2),
        };
        let expected = match self.random.below(9) {
            0 => Expected::Empty,
            1 | 2 => Expected::Head {
                sequence,
                is_true: sequence <= head && self.random.chance(80),
            },
            3 | 4 => self.expected_group(sequence),
            5 | 6 => Expected::NoMatch {
                data_type: format!("t{}", self.random.below(4)),
                after: sequence,
            },
            _ => Expected::Any,
        };
        let ids: Vec<_> = batch.iter().filter_map(Message::id).collect();
        let action = format!("append {ids:?} expecting {expected:?}");
        (action, self.append(&batch, &expected).await)
    }

    fn expected_group(&mut self, sequence: u64) -> Expected {
        let group = format!("g{}", self.random.below(4));
        let in_group = |message: &Message| message.message_group() == Some(&group);
        let messages = self.oracle.messages.iter();
        let last = messages.rev().position(in_group);
        let last = last.map(|past| self.oracle.head() - past as u64);
        let last = match self.random.chance(70) {
            true => last,
            false => Some(sequence),
        };
        Expected::Group { group, last }
    }

    async fn read_something(&mut self) -> (String, Verdict) {
        let from = match self.random.chance(10) {
            true => Sequence::MAX.get(),
            false => self.random.below(self.oracle.head() + 3),
        };
        let particles = self.random.at_most(12);
        let bytes = self.random.at_most(4000);
        let limit = ReadLimit { particles, bytes };
        let back = self.random.chance(50);
        let action = format!("read from {from}, {limit:?}, back: {back}");
        (action, self.read(from, limit, back).await)
    }

    async fn find_something(&mut self) -> (String, Verdict) {
        let text = *self.random.pick(QUERIES).unwrap_or(&"");
        let query: Query = match text.parse() {
            Ok(query) => query,
            Err(error) => return (text.to_owned(), Err(format!("{error}"))),
        };
        let head = self.oracle.head();
        let mut options = FindOptions::default().with_reverse(self.random.chance(40));
        if self.random.chance(40) {
            options = options.with_from(Sequence::new(self.random.below(head + 2)));
        }
        if self.random.chance(30) {
            options = options.with_until(Sequence::new(self.random.below(head + 2)));
        }
        if self.random.chance(50) {
            options = options.with_limit(self.random.at_most(10));
        }
        let action = format!("find {text:?} {options:?}");
        (action, self.find(&query, options).await)
    }

    async fn reopen(&mut self) -> (String, Verdict) {
        let way = self.random.below(3);
        let open = self.file.take();
        let action = match (way, open) {
            (0, Some((store, _))) => {
                if let Err(error) = store.close().await {
                    return ("close".to_owned(), Err(error.to_string()));
                }
                "close and open"
            }
            (1, open) => {
                drop(open);
                "drop and open"
            }
            (_, open) => {
                self.disk = self.disk.kill();
                drop(open);
                "kill and open"
            }
        };
        (action.to_owned(), self.open().await)
    }
}
