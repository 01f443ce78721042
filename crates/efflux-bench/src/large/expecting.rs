//! Appends that expect that nothing matches, against appends that expect nothing.

use efflux_node::particle::{Message, Sequence};
use efflux_node::storage::{Expect, Query, Topic};

use super::{Bench, EFFLUX};
use crate::Result;
use crate::growth::FAR;
use crate::measure::{Lane, Measured, Outcome};
use crate::workload::data_type;

/// Appends of one run, one after the other, with the sync policy `os`.
const APPENDS: u64 = 5000;
/// How far back an expectation was formed: a moment ago, and long ago.
const RECENT: u64 = 100;
const OLD: u64 = 200_000;
const GOAL: f64 = 0.5;

impl Bench<'_> {
    pub(super) fn expect(&self) -> Result<Measured> {
        self.with_data(|data| {
            let topic = &data.topic;
            let plain = || self.append(topic, &|_| Expect::Any);
            let recent = || self.append(topic, &|head| no_match_after(head, RECENT));
            let old = || self.append(topic, &|head| no_match_after(head, OLD));
            // The first look-up opens the index.
            old()?;
            let lanes = vec![
                Lane::new("efflux, unconditional", plain),
                Lane::new(EFFLUX, recent),
                Lane::new("efflux, formed long ago", old),
            ];
            self.measure("expect", GOAL, lanes)
        })
    }

    /// Appends one by one, from a thread that waits, each as `expect` says of the head at that moment.
    fn append(&self, topic: &Topic, expect: &dyn Fn(u64) -> Expect) -> Result<Outcome> {
        let messages: Vec<Message> = (FAR..FAR + APPENDS)
            .map(|number| self.workload.record(number).message(false))
            .collect();
        Outcome::timed(|| {
            for message in messages {
                let expect = expect(topic.head().sequence.get());
                topic.append_expecting_blocking(vec![message], expect)?;
            }
            Ok(APPENDS)
        })
    }
}

/// Two terms that never match together, though many particles match one of them.
fn no_match_after(head: u64, back: u64) -> Expect {
    Expect::NoMatch {
        query: Query::data_type(data_type(1)).and(Query::property("order", "none")),
        after: Sequence::new(head.saturating_sub(back)),
    }
}
