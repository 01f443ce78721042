//! How messages get into a topic: encoded here, on the caller's thread, then sequenced by the log.

use std::sync::atomic::Ordering;

use efflux_particle::limits::BATCH_PARTICLES_MAX;
use efflux_particle::{Drafts, Message, Particle, Sequence};

use super::{Topic, refuse_data};
use crate::error::{Error, ErrorKind, Result};
use crate::expect::{Expect, Receipt};
use crate::find::{FindOptions, Finder};
use crate::index::TopicIndex;
use crate::limits::BATCH_BYTES_MAX;
use crate::log::{Appended, Batch, LookedUp};

/// Bytes of a frame beyond its payload, as a first guess.
const FRAME_BYTES_BEYOND_PAYLOAD: usize = 384;

/// Look-ups of one append before it gives up: each time, others appended more than is remembered.
const LOOK_UPS_MAX: usize = 16;

impl Topic {
    /// Appends a message. When this returns, the message is durable as the topic's sync policy says.
    ///
    /// A message with the id and payload of one that is there already is not added again: its place
    /// comes back, marked as duplicate.
    ///
    /// # Errors
    /// `Invalid` when the message is over a bound; `Conflict` when its id is taken by another
    /// payload; `Full`, `Unavailable`, `Closed` when writing fails, and then
    /// [`Error::may_have_applied`] tells whether it may be there all the same.
    pub async fn append(&self, message: Message) -> Result<Receipt> {
        let receipts = self.append_batch(vec![message]).await?;
        receipts.into_iter().next().ok_or_else(no_receipt)
    }

    /// Appends messages together: after any crash, all of them are there or none is.
    ///
    /// # Errors
    /// As for [`Topic::append`]; nothing of the batch is then appended.
    pub async fn append_batch(&self, messages: Vec<Message>) -> Result<Vec<Receipt>> {
        self.append_expecting(messages, Expect::Any).await
    }

    /// Appends messages together, if what is expected holds at that moment.
    ///
    /// Messages that are all there already are answered with their places, whatever is expected: so
    /// an append whose answer was lost can be made again.
    ///
    /// # Errors
    /// As for [`Topic::append`]; `Conflict` when the expectation does not hold, saying what is in
    /// the way.
    pub async fn append_expecting(
        &self,
        messages: Vec<Message>,
        expect: Expect,
    ) -> Result<Vec<Receipt>> {
        self.append_as(messages, expect, false).await
    }

    /// Appends a message from a thread that may wait: it writes and syncs itself when no other
    /// thread does so at that moment, which saves two changes of thread.
    ///
    /// Not for use in asynchronous tasks: it blocks the thread until the message is durable.
    ///
    /// # Examples
    /// ```
    /// use efflux_storage::particle::Message;
    /// use efflux_storage::{Store, TopicOptions};
    ///
    /// # async fn open() -> Result<efflux_storage::Topic, Box<dyn std::error::Error>> {
    /// # let store = Store::open("mem:").await?;
    /// # Ok(store.create_topic(&"orders".parse()?, TopicOptions::default()).await?)
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # let orders = runtime.block_on(open())?;
    /// let receipt = orders.append_blocking(Message::new("{\"total\":12}"))?;
    /// assert_eq!(orders.head().sequence, receipt.sequence);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`Topic::append`].
    pub fn append_blocking(&self, message: Message) -> Result<Receipt> {
        let receipts = self.append_batch_blocking(vec![message])?;
        receipts.into_iter().next().ok_or_else(no_receipt)
    }

    /// As [`Topic::append_batch`], from a thread that may wait: see [`Topic::append_blocking`].
    ///
    /// # Errors
    /// As for [`Topic::append_batch`].
    pub fn append_batch_blocking(&self, messages: Vec<Message>) -> Result<Vec<Receipt>> {
        self.append_expecting_blocking(messages, Expect::Any)
    }

    /// As [`Topic::append_expecting`], from a thread that may wait: see [`Topic::append_blocking`].
    ///
    /// # Errors
    /// As for [`Topic::append_expecting`].
    pub fn append_expecting_blocking(
        &self,
        messages: Vec<Message>,
        expect: Expect,
    ) -> Result<Vec<Receipt>> {
        // A task's budget would not be renewed while this waits, and be used up for ever.
        let append = tokio::task::unconstrained(self.append_as(messages, expect, true));
        pollster::block_on(append)
    }

    async fn append_as(
        &self,
        messages: Vec<Message>,
        expect: Expect,
        may_block: bool,
    ) -> Result<Vec<Receipt>> {
        if let Expect::NoMatch { query, .. } = &expect {
            refuse_data(query)?;
        }
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let ids_are_new = messages.iter().all(|message| message.id().is_none());
        let drafts = self.encode(&messages)?;
        drop(messages);
        let mut batch = Batch {
            drafts,
            expect,
            ids_are_new,
            may_block,
            looked_up: LookedUp::default(),
        };
        if !self.state.needs_look_ups.load(Ordering::Relaxed) {
            batch = match self.state.log.append(batch).await? {
                Appended::Placed(receipts) => return Ok(receipts),
                Appended::LookUpAgain { batch, .. } => *batch,
            };
            self.state.needs_look_ups.store(true, Ordering::Relaxed);
        }
        self.look_up_and_append(batch).await
    }

    fn encode(&self, messages: &[Message]) -> Result<Drafts> {
        if messages.len() > BATCH_PARTICLES_MAX {
            return Err(Error::invalid(format!(
                "a batch of {} messages is too large: at most {BATCH_PARTICLES_MAX} are allowed",
                messages.len()
            )));
        }
        let payload_bytes: usize = messages.iter().map(|message| message.payload().len()).sum();
        let bytes = payload_bytes.saturating_add(messages.len() * FRAME_BYTES_BEYOND_PAYLOAD);
        let mut drafts = Drafts::with_capacity(messages.len(), bytes.min(BATCH_BYTES_MAX));
        let stamps = self.store.ids().stamps(messages.len() > 1);
        for (at, message) in messages.iter().enumerate() {
            drafts.push(message, &stamps.make()).map_err(|error| {
                let place = if messages.len() > 1 {
                    format!("message {at}: ")
                } else {
                    String::new()
                };
                Error::invalid(format!("{place}{error}")).with_source(error)
            })?;
            if drafts.frame_bytes() > BATCH_BYTES_MAX {
                return Err(Error::invalid(format!(
                    "the batch has more than {BATCH_BYTES_MAX} bytes: append it in parts"
                )));
            }
        }
        Ok(drafts)
    }

    async fn look_up_and_append(&self, mut batch: Batch) -> Result<Vec<Receipt>> {
        let (mut through, mut matched_through) = (Sequence::ROOT, Sequence::ROOT);
        for _ in 0..LOOK_UPS_MAX {
            batch.looked_up = self.look_up(&batch, through, matched_through).await?;
            match self.state.log.append(batch).await? {
                Appended::Placed(receipts) => return Ok(receipts),
                Appended::LookUpAgain {
                    batch: again,
                    through: ids,
                    matched_through: matches,
                } => {
                    (batch, through, matched_through) = (*again, ids, matches);
                }
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!(
                "topic {}: others append faster than this append could be judged; try again",
                self.name()
            ),
        ))
    }

    /// Finds out what the log no longer remembers: at least through the given sequences.
    async fn look_up(
        &self,
        batch: &Batch,
        through: Sequence,
        matched_through: Sequence,
    ) -> Result<LookedUp> {
        let mut looked_up = LookedUp {
            matched_through,
            ..LookedUp::default()
        };
        let index = self.state.index.as_ref().ok_or_else(|| {
            Error::invalid(format!("topic {} was opened for reading only", self.name()))
        })?;
        let group = match &batch.expect {
            Expect::Group { group, .. } => Some(group),
            _ => None,
        };
        if let Some(before) = through.previous() {
            self.state.log.wait_past(before).await?;
            index.wait_through(through).await?;
        }
        if !batch.ids_are_new || group.is_some() {
            looked_up.through = index.through().unwrap_or(Sequence::ROOT);
            looked_up.group_last = match group {
                Some(group) => index.group_last(group)?,
                None => None,
            };
        }
        if !batch.ids_are_new {
            looked_up.same_id = self.look_up_ids(index, &batch.drafts).await?;
        }
        // What came lately the log judges by itself; it says how far back it remembers.
        if let Expect::NoMatch { query, after } = &batch.expect
            && let Some(before) = matched_through.previous()
        {
            self.state.log.wait_past(before).await?;
            looked_up.matched_through = self.head().sequence;
            let options = FindOptions::default().with_from(after.next()).with_limit(1);
            let (log, index) = (self.state.log.clone(), Some(index.clone()));
            let mut finder = Finder::new(log, index, query.clone(), options);
            looked_up.matching = finder.next_batch().await?.first().map(Particle::sequence);
        }
        Ok(looked_up)
    }

    async fn look_up_ids(
        &self,
        index: &TopicIndex,
        drafts: &Drafts,
    ) -> Result<Vec<Option<Particle>>> {
        let mut same_id = Vec::with_capacity(drafts.len());
        for draft in drafts.iter() {
            let id = draft.id();
            let candidates = index.id(&id)?;
            let read = if candidates.is_empty() {
                Vec::new()
            } else {
                self.state.log.read_each(&candidates).await?
            };
            same_id.push(read.into_iter().find(|particle| particle.id() == id));
        }
        Ok(same_id)
    }
}

fn no_receipt() -> Error {
    Error::new(ErrorKind::Unavailable, "the log answered without a receipt").with_may_have_applied()
}
