//! A topic's log that a node keeps.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use efflux_particle::{Drafts, Fingerprint, HASH_BYTES, Head, Particle, Sequence, TopicName};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::ahead::Ahead;
use super::call::{Call, Reply, topic_path, unreadable};
use super::client::{Client, WAIT_MAX};
use super::frames::{Order, count, damage, particles};
use super::pipeline::Pipeline;
use super::wire::{FRAMES, HeadShown, Verified as VerifiedShown};
use crate::error::{Error, Result};
use crate::frames::Frames;
use crate::limits::{REMOTE_AHEAD_BYTES_MAX, REMOTE_VERIFY_TIME};
use crate::log::{Appended, Batch, ReadLimit, TopicLog};
use crate::verify::{Progress, Verified};

/// A topic's log that a node keeps. Every particle that comes is held against its hashes and its
/// neighbours, and where a read goes on after another, against the last one of that.
#[derive(Debug)]
pub(super) struct RemoteLog {
    name: TopicName,
    client: Arc<Client>,
    is_writable: bool,
    shown: watch::Sender<Shown>,
    pipeline: Arc<Pipeline>,
    /// The particle at which the last read upwards ended.
    read_through: Mutex<Option<Head>>,
    ahead: Ahead,
}

/// What this process knows of the topic.
#[derive(Clone, Copy, Debug)]
struct Shown {
    head: Head,
    is_closed: bool,
}

impl RemoteLog {
    pub(super) fn new(name: TopicName, client: Arc<Client>, is_writable: bool, head: Head) -> Self {
        let shown = Shown {
            head,
            is_closed: false,
        };
        let pipeline = Pipeline::new(Arc::clone(&client), name.clone());
        Self {
            name,
            client,
            is_writable,
            shown: watch::Sender::new(shown),
            pipeline: Arc::new(pipeline),
            read_through: Mutex::default(),
            ahead: Ahead::default(),
        }
    }

    fn path(&self, rest: &str) -> String {
        topic_path(&self.name, rest)
    }

    /// The topic reaches up to here, if it was not known to reach further.
    fn advance(&self, head: Head) {
        self.shown.send_if_modified(|shown| {
            let is_further = head.sequence > shown.head.sequence;
            if is_further {
                shown.head = head;
            }
            is_further
        });
    }

    fn refuse_closed(&self) -> Result<()> {
        match self.shown.borrow().is_closed {
            true => Err(self.closed()),
            false => Ok(()),
        }
    }

    fn closed(&self) -> Error {
        Error::closed(format!(
            "topic {} is closed: its store was closed, or it was deleted",
            self.name
        ))
    }

    fn asking(&self, asked: &str, limit: ReadLimit) -> Call {
        let limit = limit.bounded();
        let (count, bytes) = (limit.particles, limit.bytes);
        let path = self.path(&format!("/particles?{asked}&limit={count}&bytes={bytes}"));
        Call::get(path).accepting(FRAMES)
    }

    async fn read_as(&self, asked: &str, limit: ReadLimit) -> Result<Bytes> {
        Ok(self.client.send(self.asking(asked, limit)).await?.body)
    }

    /// The answer to a read upwards: the one that was asked for ahead, or one that is asked for here.
    async fn read_from(&self, from: Sequence, limit: ReadLimit) -> Result<Reply> {
        if let Some(running) = self.ahead.take(from, limit)
            && let Ok(reply) = running.await
            && !reply.body.is_empty()
        {
            return Ok(reply);
        }
        self.client
            .send(self.asking(&format!("from={from}"), limit))
            .await
    }

    /// Reads upwards, and checks what comes against what was read before.
    async fn read_up(&self, from: Sequence, limit: ReadLimit) -> Result<(Bytes, Vec<Particle>)> {
        let reply = self.read_from(from, limit).await?;
        let before = *self.read_through.lock();
        let before = before.filter(|before| before.sequence.next() == from);
        let told = reply.head()?;
        if before.is_some() && limit.bytes <= REMOTE_AHEAD_BYTES_MAX {
            // Whoever reads on is likely to read on: the next answer comes while this one is checked.
            let next = count(&reply.body).map(|count| from.plus(count));
            if let Some(next) = next.filter(|next| *next <= told.sequence) {
                let call = self.asking(&format!("from={next}"), limit);
                self.ahead.begin(next, limit, || self.client.begin(call));
            }
        }
        let body = reply.body;
        let read = particles(&self.name, &body, Order::Up)?;
        if let Some(first) = read.first() {
            let checked = match before {
                Some(before) => before.check_link(first).map(drop),
                None if first.sequence() == Sequence::ROOT => {
                    Head::check_root(&self.name, first).map(drop)
                }
                None => Ok(()),
            };
            let is_asked = first.sequence() == from;
            let checked = checked.map_err(|error| error.to_string()).and_then(|()| {
                is_asked.then_some(()).ok_or_else(|| {
                    format!("sequence {from} was asked for, {} came", first.sequence())
                })
            });
            checked.map_err(|why| damage(&self.name, Some(first.sequence()), why))?;
        }
        if let Some(last) = read.last() {
            let head = Head::on(last);
            *self.read_through.lock() = Some(head);
            self.advance(head);
        }
        // Where the topic goes on, whoever follows it need not ask for its head.
        self.advance(told);
        Ok((body, read))
    }
}

/// Frames of drafts. Their places are made up: the node gives each another one.
fn frames(drafts: Drafts) -> Result<Bytes> {
    let nowhere = Head {
        sequence: Sequence::ROOT,
        fingerprint: Fingerprint::from_bytes([0; HASH_BYTES]),
    };
    let linked = nowhere.link_all(drafts);
    let (_, linked) = linked.map_err(|error| Error::invalid(error.to_string()))?;
    Ok(linked.into_frames())
}

#[async_trait]
impl TopicLog for RemoteLog {
    fn name(&self) -> &TopicName {
        &self.name
    }

    fn head(&self) -> Head {
        self.shown.borrow().head
    }

    async fn append(&self, batch: Batch) -> Result<Appended> {
        self.refuse_closed()?;
        if !self.is_writable {
            let name = &self.name;
            return Err(Error::invalid(format!(
                "topic {name} was opened for reading only"
            )));
        }
        let (count, ids_are_new) = (batch.drafts.len(), batch.ids_are_new);
        let frames = frames(batch.drafts)?;
        let mut placed = self.pipeline.append(frames, count, &batch.expect).await?;
        if placed.was_repeated && ids_are_new {
            // What stood there already was put there by the attempt whose answer was lost.
            let receipts = placed.receipts.iter_mut();
            receipts.for_each(|receipt| receipt.duplicate = false);
        }
        self.advance(placed.head);
        Ok(Appended::Placed(placed.receipts))
    }

    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        Ok(self.read_up(from, limit).await?.1)
    }

    async fn read_frames(&self, from: Sequence, limit: ReadLimit) -> Result<Frames> {
        let (body, read) = self.read_up(from, limit).await?;
        Ok(match read.is_empty() {
            true => Frames::none(from),
            false => Frames::new(from, read.len(), body),
        })
    }

    async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        let body = self
            .read_as(&format!("until={from}&reverse=true"), limit)
            .await?;
        particles(&self.name, &body, Order::Down)
    }

    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>> {
        let mut all = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let asked = format!("from={sequence}");
            let body = self.read_as(&asked, ReadLimit::particles(1)).await?;
            let read = particles(&self.name, &body, Order::Up)?;
            let there = read.into_iter().find(|it| it.sequence() == *sequence);
            all.push(there.ok_or_else(|| {
                Error::not_found(format!("topic {} has no sequence {sequence}", self.name))
            })?);
        }
        Ok(all)
    }

    async fn wait_past(&self, sequence: Sequence) -> Result<Head> {
        let mut shown = self.shown.subscribe();
        let wait_ms = WAIT_MAX.as_millis();
        loop {
            let now = *shown.borrow_and_update();
            if now.head.sequence > sequence {
                return Ok(now.head);
            }
            if now.is_closed {
                return Err(self.closed());
            }
            let path = self.path(&format!("/head?past={sequence}&wait_ms={wait_ms}"));
            tokio::select! {
                reply = self.client.send(Call::get(path).waiting(WAIT_MAX)) => {
                    let told: HeadShown = reply?.json()?;
                    let head = told.head.parse();
                    self.advance(head.map_err(|error| unreadable(&format!("{error}")))?);
                }
                _ = shown.changed() => {}
            }
        }
    }

    fn indexed_through(&self, _sequence: Sequence) {}

    async fn verify(&self, progress: Progress) -> Result<Verified> {
        let call = Call::post(self.path("/verify"));
        let call = call.repeatable().waiting(REMOTE_VERIFY_TIME);
        let told: VerifiedShown = self.client.send(call).await?.json()?;
        let verified = Verified::try_from(told)?;
        progress.tell(verified.particles, verified.bytes);
        self.advance(verified.head);
        Ok(verified)
    }

    async fn close(&self) -> Result<()> {
        self.shown.send_modify(|shown| shown.is_closed = true);
        self.ahead.end();
        Ok(())
    }
}
