//! Appends of this process that are under way at the same time share requests.
//!
//! ```text
//! append ─┐             ┌─▶ one batch:      POST …/batches ─┐
//! append ─┼─▶ waiting ──┤                                   ├─▶ each caller its own answer
//! append ─┘             └─▶ several of them: POST …/appends ┘
//!              at most so many requests under way; what comes meanwhile waits for the next
//! ```
//!
//! A caller that is alone waits for nobody. Of many callers, those who come while requests are under
//! way go together in the next one: the node places each batch by itself, in one write and sync.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use efflux_particle::limits::BATCH_PARTICLES_MAX;
use efflux_particle::{Head, TopicName};
use http::HeaderName;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::call::{Call, Reply, topic_path, unreadable};
use super::client::Client;
use super::wire::{
    Appended, AppendedEach, EXPECT_HEADER, FRAMES, Outcome, Receipt as ReceiptShown, encode_text,
    print_expect,
};
use crate::error::{Error, ErrorKind, Result};
use crate::expect::{Expect, Receipt};
use crate::limits::{REMOTE_APPENDS_BYTES, REMOTE_APPENDS_MAX};

/// Sends the appends to one topic.
#[derive(Debug)]
pub(super) struct Pipeline {
    client: Arc<Client>,
    topic: TopicName,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Requests that are under way.
    requests: usize,
}

/// A batch that waits for its place.
#[derive(Debug)]
struct Waiting {
    frames: Bytes,
    count: usize,
    answer: oneshot::Sender<Result<Placed>>,
}

/// Where a batch came to stand.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) receipts: Vec<Receipt>,
    /// A head of the topic that has it.
    pub(super) head: Head,
    /// Whether it was sent before, and nobody knows what became of it then.
    pub(super) was_repeated: bool,
}

impl Pipeline {
    pub(super) fn new(client: Arc<Client>, topic: TopicName) -> Self {
        Self {
            client,
            topic,
            state: Mutex::default(),
        }
    }

    /// Appends a batch: `count` frames, one behind the other. One that expects something goes alone.
    ///
    /// # Errors
    /// Those that the node tells; `Unavailable` when there is no answer.
    pub(super) async fn append(
        self: &Arc<Self>,
        frames: Bytes,
        count: usize,
        expect: &Expect,
    ) -> Result<Placed> {
        if *expect != Expect::Any {
            let expect = encode_text(&print_expect(expect));
            let call = self.call("/batches", frames);
            let call = call.with_header(HeaderName::from_static(EXPECT_HEADER), &expect)?;
            return read(&self.client.send(call).await?, count, false);
        }
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            frames,
            count,
            answer,
        };
        let may_begin = {
            let mut state = self.state.lock();
            state.waiting.push_back(waiting);
            let may_begin = state.requests < REMOTE_APPENDS_MAX;
            state.requests += usize::from(may_begin);
            may_begin
        };
        if may_begin {
            let pipeline = Arc::clone(self);
            self.client.spawn(async move { pipeline.run().await });
        }
        let closed = || Error::closed("the store was closed meanwhile").with_may_have_applied();
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Sends what waits until nothing does.
    async fn run(&self) {
        while let Some(batches) = self.take() {
            self.send(batches).await;
        }
    }

    /// What goes into the next request: one batch at least.
    fn take(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state.lock();
        let (mut taken, mut bytes, mut count) = (Vec::new(), 0, 0);
        while let Some(next) = state.waiting.front() {
            bytes += next.frames.len();
            count += next.count;
            let is_full = bytes > REMOTE_APPENDS_BYTES || count > BATCH_PARTICLES_MAX;
            if is_full && !taken.is_empty() {
                break;
            }
            taken.extend(state.waiting.pop_front());
        }
        if taken.is_empty() {
            state.requests -= 1;
            return None;
        }
        Some(taken)
    }

    async fn send(&self, batches: Vec<Waiting>) {
        if batches.len() == 1 {
            return self.send_alone(batches, false).await;
        }
        match self.send_together(&batches).await {
            Ok((each, reply)) => self.hand_out(batches, each, reply.was_repeated).await,
            // Whatever is wrong with one of them is no fault of the others.
            Err(error) if error.kind() != ErrorKind::Unavailable => {
                self.send_alone(batches, error.may_have_applied()).await;
            }
            Err(error) => {
                for batch in batches {
                    drop(batch.answer.send(Err(alike(&error))));
                }
            }
        }
    }

    async fn send_together(&self, batches: &[Waiting]) -> Result<(AppendedEach, Reply)> {
        let bytes = batches.iter().map(|batch| batch.frames.len()).sum();
        let mut body = BytesMut::with_capacity(bytes);
        batches
            .iter()
            .for_each(|batch| body.extend_from_slice(&batch.frames));
        let reply = self.client.exchange(self.call("/appends", body)).await?;
        let each: Result<AppendedEach> = reply.json();
        let each = each.map_err(Error::with_may_have_applied)?;
        if each.outcomes.len() != batches.len() {
            let (sent, told) = (batches.len(), each.outcomes.len());
            let why = format!("{sent} batches were sent, {told} are answered");
            return Err(unreadable(&why).with_may_have_applied());
        }
        Ok((each, reply))
    }

    /// Tells each caller what became of its batch. What may succeed later is sent again.
    async fn hand_out(&self, batches: Vec<Waiting>, each: AppendedEach, was_repeated: bool) {
        let head = each.head();
        let mut again = Vec::new();
        for (batch, Outcome { receipts, problem }) in batches.into_iter().zip(each.outcomes) {
            let placed = match problem.as_ref().map(Error::from) {
                Some(error) if error.is_retryable() => {
                    again.push((batch, was_repeated || error.may_have_applied()));
                    continue;
                }
                Some(error) if was_repeated => Err(error.with_may_have_applied()),
                Some(error) => Err(error),
                None => placed(&receipts, batch.count, &head, was_repeated),
            };
            drop(batch.answer.send(placed));
        }
        for (batch, was_repeated) in again {
            self.send_alone(vec![batch], was_repeated).await;
        }
    }

    /// Sends each batch in a request of its own.
    async fn send_alone(&self, batches: Vec<Waiting>, was_repeated: bool) {
        for batch in batches {
            let call = self.call("/batches", batch.frames.clone());
            let reply = self.client.exchange(call).await;
            let placed = reply.and_then(|reply| read(&reply, batch.count, was_repeated));
            let placed = placed.map_err(|error| match was_repeated {
                true => error.with_may_have_applied(),
                false => error,
            });
            // A caller that went away asks no longer.
            drop(batch.answer.send(placed));
        }
    }

    fn call(&self, route: &str, body: impl Into<Bytes>) -> Call {
        let path = topic_path(&self.topic, route);
        Call::post(path).with_body(FRAMES, body).repeatable()
    }
}

/// What the node answered to one batch.
fn read(reply: &Reply, count: usize, was_repeated: bool) -> Result<Placed> {
    let appended: Result<Appended> = reply.json();
    let appended = appended.map_err(Error::with_may_have_applied)?;
    let was_repeated = was_repeated || reply.was_repeated;
    placed(&appended.receipts, count, &appended.head(), was_repeated)
}

/// What the node told of one batch.
fn placed(
    receipts: &[ReceiptShown],
    count: usize,
    head: &Result<Head>,
    was_repeated: bool,
) -> Result<Placed> {
    if receipts.len() != count {
        let told = receipts.len();
        let why = format!("{count} messages were sent, {told} are answered");
        return Err(unreadable(&why).with_may_have_applied());
    }
    let receipts: Result<Vec<Receipt>> = receipts.iter().map(Receipt::try_from).collect();
    let unread = |error: Error| error.with_may_have_applied();
    let head = head.as_ref().map_err(|error| unread(alike(error)))?;
    Ok(Placed {
        receipts: receipts.map_err(unread)?,
        head: *head,
        was_repeated,
    })
}

/// The same error for another caller.
fn alike(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.to_string());
    match error.may_have_applied() {
        true => same.with_may_have_applied(),
        false => same,
    }
}
