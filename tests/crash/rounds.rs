//! What a store is asked to do between two crashes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use efflux_node::storage;
use storage::particle::{Head, Message, Sequence, TopicName};
use storage::{Expect, Query, Receipt, TopicOptions};

use crate::history::{Outcome, Verdict, id};
use crate::session::{Presence, Session};

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    GoOn,
    /// The topic takes no appends any more.
    Closed,
}

type Append = Pin<Box<dyn Future<Output = storage::Result<Vec<Receipt>>>>>;

impl Session {
    /// New messages, and the number under which the history knows them.
    pub(crate) fn new_messages(&mut self, count: usize, has_ids: bool) -> (usize, Vec<Message>) {
        let attempt = self.history.attempts.len();
        let message = |at: usize| {
            let filler = match self.random.below(20) {
                0 => self.random.at_most(6000),
                _ => self.random.at_most(400),
            };
            let mut payload = format!("{attempt}.{at} ").into_bytes();
            payload.extend((0..filler).map(|_| self.random.number().to_le_bytes()[0]));
            let mut message = Message::new(payload);
            if has_ids {
                message = message.with_id(id(attempt, at));
            }
            if self.random.chance(60) {
                message = message.with_data_type(format!("type {}", self.random.below(4)));
            }
            if self.random.chance(60) {
                message = message.with_message_group(format!("group {}", self.random.below(4)));
            }
            if self.random.chance(30) {
                message = message.with_property("batch", attempt.to_string());
            }
            message
        };
        let messages: Vec<_> = (0..count).map(message).collect();
        (self.history.begin(messages.clone()), messages)
    }

    /// One step of the workload.
    pub(crate) async fn round(&mut self) -> Verdict<Round> {
        match self.random.below(16) {
            0..=4 => self.append(1).await,
            5..=7 => {
                let count = 2 + self.random.at_most(5);
                self.append(count).await
            }
            8..=11 => self.append_together().await,
            12 => self.retry().await,
            13 => self.change_topics().await,
            14 => self.reopen().await,
            _ => self.read().await,
        }
    }

    async fn append(&mut self, count: usize) -> Verdict<Round> {
        let Some(topic) = self.topic.clone() else {
            return Ok(Round::Closed);
        };
        let has_ids = self.random.chance(40);
        let expect = self.expectation(topic.head());
        let (attempt, messages) = self.new_messages(count, has_ids);
        let answer = topic.append_expecting(messages, expect).await;
        self.answered(attempt, answer)
    }

    fn answered(
        &mut self,
        attempt: usize,
        answer: storage::Result<Vec<Receipt>>,
    ) -> Verdict<Round> {
        let is_closed = answer.as_ref().is_err_and(Self::is_closed);
        self.has_failed |= is_closed;
        self.history.end(attempt, answer, self.disk.operations())?;
        Ok(match is_closed {
            true => Round::Closed,
            false => Round::GoOn,
        })
    }

    fn expectation(&mut self, head: Head) -> Expect {
        let after = match self.random.chance(70) {
            true => head.sequence,
            false => Sequence::new(self.random.below(head.sequence.get() + 1)),
        };
        match self.random.below(10) {
            0 => Expect::Empty,
            1 | 2 => Expect::Head(head),
            3 => Expect::NoMatch {
                query: Query::data_type(format!("type {}", self.random.below(4))),
                after,
            },
            4 => Expect::Group {
                group: format!("group {}", self.random.below(4)),
                last: self.random.chance(50).then_some(after),
            },
            _ => Expect::Any,
        }
    }

    /// An expectation that the log judges by itself. Ids and groups may have to wait for the index,
    /// whose threads come when they like: then a seed would not be the same case each time.
    fn quick_expectation(&mut self, head: Head) -> Expect {
        match self.random.below(6) {
            0 => Expect::Empty,
            1 => Expect::Head(head),
            2 => Expect::NoMatch {
                query: Query::data_type(format!("type {}", self.random.below(4))),
                after: head.sequence,
            },
            _ => Expect::Any,
        }
    }

    /// Several callers at once: the disk holds the first one's write until all others are in, so
    /// that they share the next one.
    async fn append_together(&mut self) -> Verdict<Round> {
        let Some(topic) = self.topic.clone() else {
            return Ok(Round::Closed);
        };
        let mut waiting: Vec<(usize, Append)> = Vec::new();
        let mut round = Round::GoOn;
        self.disk.hold();
        for at in 0..2 + self.random.at_most(6) {
            let count = 1 + self.random.at_most(3);
            let expect = match at {
                0 => Expect::Any,
                _ => self.quick_expectation(topic.head()),
            };
            let (attempt, messages) = self.new_messages(count, false);
            let handle = topic.clone();
            let mut append: Append =
                Box::pin(async move { handle.append_expecting(messages, expect).await });
            match poll_once(&mut append).await {
                Some(answer) => round = self.answered(attempt, answer)?,
                None => waiting.push((attempt, append)),
            }
            if at == 0 && !waiting.is_empty() {
                self.disk.wait_until_held();
            }
        }
        self.disk.release();
        for (attempt, append) in waiting {
            let answer = append.await;
            if self.answered(attempt, answer)? == Round::Closed {
                round = Round::Closed;
            }
        }
        Ok(round)
    }

    /// Appends again what was appended before, without knowing how that ended.
    async fn retry(&mut self) -> Verdict<Round> {
        let Some(topic) = self.topic.clone() else {
            return Ok(Round::Closed);
        };
        let may_be_retried = |attempt: &crate::history::Attempt| {
            attempt.has_ids() && attempt.outcome != Outcome::Gone
        };
        let attempts = self.history.attempts.iter().enumerate();
        let candidates: Vec<_> = attempts
            .filter(|(_, attempt)| may_be_retried(attempt))
            .map(|(number, attempt)| (number, attempt.messages.clone()))
            .collect();
        let Some((attempt, messages)) = self.random.pick(&candidates).cloned() else {
            return Ok(Round::GoOn);
        };
        let answer = topic.append_batch(messages).await;
        let is_closed = answer.as_ref().is_err_and(Self::is_closed);
        self.has_failed |= is_closed;
        let operations = self.disk.operations();
        self.history.end_retry(attempt, answer, operations)?;
        Ok(match is_closed {
            true => Round::Closed,
            false => Round::GoOn,
        })
    }

    /// Makes or deletes another topic.
    async fn change_topics(&mut self) -> Verdict<Round> {
        let Some(store) = self.store.clone() else {
            return Ok(Round::Closed);
        };
        let name: TopicName = format!("other-{}", self.random.below(3))
            .parse()
            .map_err(|error| format!("{error}"))?;
        let before = self.others.insert(name.clone(), Presence::Unknown);
        let (done, after) = match before {
            Some(Presence::There) => (store.delete_topic(&name).await, Presence::Absent),
            Some(Presence::Unknown) => return Ok(Round::GoOn),
            _ => {
                let made = store.create_topic(&name, TopicOptions::default()).await;
                (made.map(drop), Presence::There)
            }
        };
        if done.is_ok() {
            self.others.insert(name, after);
        }
        Ok(Round::GoOn)
    }

    /// Closes the store and opens it again in the same process.
    async fn reopen(&mut self) -> Verdict<Round> {
        self.close().await;
        Ok(match self.open().await? {
            true => Round::GoOn,
            false => Round::Closed,
        })
    }

    async fn read(&mut self) -> Verdict<Round> {
        match self.disk.is_down() {
            true => Ok(Round::Closed),
            false => self.check_quietly().await,
        }
    }

    async fn check_quietly(&mut self) -> Verdict<Round> {
        let Some(topic) = &self.topic else {
            return Ok(Round::Closed);
        };
        let from = Sequence::new(self.random.below(topic.head().sequence.get() + 1));
        let read = topic.get(from).await.map_err(|error| error.to_string())?;
        match read.map(|particle| particle.sequence()) == Some(from) {
            true => Ok(Round::GoOn),
            false => Err(format!("sequence {from} is not there")),
        }
    }
}

/// What a future answers at once, if it does.
async fn poll_once<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Option<T> {
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        })
    })
    .await
}
