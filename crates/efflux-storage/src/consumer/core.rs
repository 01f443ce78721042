//! What all handles of one consumer share: its state, and how changes reach the journal.
//!
//! A change is made in memory first, under a lock that is never held across a wait, and its entry
//! is put behind those that wait to be written. Then whoever comes first writes all of them as one
//! record, and a call that is given up half-way loses nothing: its entries are still there for the
//! next. A commit then waits for a sync, which it shares with all that were written meanwhile;
//! nobody who only writes waits for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use efflux_particle::{ConsumerName, TopicName};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Mutex as Turn, watch};

use super::entry::Entry;
use super::ledger::{Ledger, Refused};
use super::limits::{JOURNAL_SLACK_BYTES, LEASE_MIN};
use super::options::{ConsumerOptions, Start, check_time};
use super::read_ahead::ReadAhead;
use super::registry::WriterGuard;
use super::replay;
use super::source::Source;
use super::start;
use super::status::ConsumerStatus;
use super::ticket::Ticket;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::log::Journal;

/// What a consumer works on.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) name: ConsumerName,
    pub(super) log: Arc<dyn Source>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether a commit is synced before it returns.
    pub(super) durable: bool,
}

/// What all handles of one consumer share.
pub(super) struct Core {
    pub(super) parts: Parts,
    state: Mutex<State>,
    /// Who receives reads ahead; one after the other.
    pub(super) reading: Turn<ReadAhead>,
    /// Who writes; one after the other.
    writing: Turn<()>,
    /// Told of every change after which there may be something to receive.
    pub(super) changed: watch::Sender<()>,
    /// Dropped last, when nothing more is written; none for a closed consumer.
    writer: Mutex<Option<WriterGuard>>,
}

/// The state in memory, and how much of it is kept.
pub(super) struct State {
    pub(super) ledger: Ledger,
    /// Why no further call is served.
    closed: Option<String>,
    /// Entries that are not known to be written.
    waiting: Vec<u8>,
    /// The number of the last entry; of the last one that is written; that is durable.
    last: u64,
    written: u64,
    durable: u64,
    journal_bytes: usize,
    summary_bytes: usize,
}

/// What is written next.
struct Record {
    bytes: Vec<u8>,
    through: u64,
    is_summary: bool,
    entries_bytes: usize,
}

impl Core {
    /// Opens what is kept of a consumer, or begins a new one.
    pub(super) async fn open(
        parts: Parts,
        options: &ConsumerOptions,
        writer: Option<WriterGuard>,
    ) -> Result<Self> {
        let records = parts.journal.load().await?;
        let now = parts.clock.now();
        let (mut ledger, last) = match replay::replay(parts.log.name(), &parts.name, &records)? {
            Some((mut ledger, last)) => {
                ledger.cut(parts.log.head());
                let changed = ledger.set_options(options).is_some();
                (ledger, last + u64::from(changed))
            }
            None => {
                let floor = start::resolve(&*parts.log, options.start).await?;
                (Ledger::new(floor, now, options.clone()), 0)
            }
        };
        ledger.begin_epoch();
        replay::tell_groups(&*parts.log, &mut ledger).await?;
        let mut summary = Vec::new();
        Entry::Summary(Box::new(ledger.summary())).encode(last, &mut summary);
        let summary_bytes = summary.len();
        // No ticket of the new epoch is given before the epoch is durable.
        parts.journal.replace(summary).await?;
        let state = State {
            ledger,
            closed: None,
            waiting: Vec::new(),
            last,
            written: last,
            durable: last,
            journal_bytes: summary_bytes,
            summary_bytes,
        };
        Ok(Self {
            parts,
            state: Mutex::new(state),
            reading: Turn::default(),
            writing: Turn::default(),
            changed: watch::Sender::new(()),
            writer: Mutex::new(writer),
        })
    }

    pub(super) fn topic(&self) -> &TopicName {
        self.parts.log.name()
    }

    /// The state at the current time, if the consumer is open.
    pub(super) fn state(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        if let Some(reason) = &state.closed {
            return Err(Error::closed(format!(
                "consumer {} of topic {} is closed: {reason}",
                self.parts.name,
                self.topic()
            )));
        }
        // The clock is read under the lock: it never goes backwards from one caller to the next.
        state.ledger.tick(self.parts.clock.now());
        Ok(state)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed.is_some()
    }

    /// Serves no further call.
    pub(super) fn close(&self, reason: impl Into<String>) {
        self.state
            .lock()
            .closed
            .get_or_insert_with(|| reason.into());
        self.changed.send_replace(());
    }

    /// Serves no further call. When this returns, nothing more is written.
    pub(super) async fn end(&self, reason: &str) {
        self.close(reason);
        let _turn = self.writing.lock().await;
        // What a call that was given up still has the journal do is done before this.
        let _ = self.parts.journal.sync().await;
        *self.writer.lock() = None;
    }

    pub(super) async fn commit(&self, tickets: &[Ticket]) -> Result<()> {
        let last = self.change("commit", |ledger| ledger.commit(tickets))?;
        self.keep(last, self.parts.durable).await
    }

    pub(super) async fn rollback(&self, tickets: &[Ticket], delay: Duration) -> Result<()> {
        check_time("a delay", delay, Duration::ZERO)?;
        let last = self.change("roll back", |ledger| ledger.rollback(tickets, delay))?;
        self.keep(last, false).await
    }

    pub(super) async fn extend(&self, tickets: &[Ticket], by: Duration) -> Result<()> {
        check_time("an extension", by, LEASE_MIN)?;
        let last = self.change("extend", |ledger| ledger.extend(tickets, by))?;
        self.keep(last, false).await
    }

    pub(super) async fn seek(&self, to: Start) -> Result<()> {
        let mut ahead = self.reading.lock().await;
        let floor = start::resolve(&*self.parts.log, to).await?;
        let last = self.change("move", |ledger| Ok(Some(ledger.seek(floor))))?;
        ahead.clear();
        drop(ahead);
        self.keep(last, true).await
    }

    pub(super) async fn set_options(&self, options: &ConsumerOptions) -> Result<()> {
        let last = self.change("change", |ledger| Ok(ledger.set_options(options)))?;
        self.keep(last, true).await
    }

    pub(super) fn status(&self) -> Result<ConsumerStatus> {
        Ok(replay::status(&self.state()?.ledger, self.parts.log.head()))
    }

    /// Makes a change in memory; the number of the last entry then.
    fn change(
        &self,
        what: &str,
        make: impl FnOnce(&mut Ledger) -> Result<Option<Entry>, Refused>,
    ) -> Result<u64> {
        let mut state = self.state()?;
        let entry = make(&mut state.ledger).map_err(|Refused { ticket, reason }| {
            Error::conflict(format!(
                "consumer {} of topic {} cannot {what} ticket {ticket}: {reason}; \
                 nothing was changed",
                self.parts.name,
                self.topic()
            ))
        })?;
        if let Some(entry) = entry {
            state.push(&entry);
            self.changed.send_replace(());
        }
        Ok(state.last)
    }

    /// Waits until all entries through this one are written, and durable if asked.
    pub(super) async fn keep(&self, through: u64, durable: bool) -> Result<()> {
        let kept = async {
            self.write(through).await?;
            match durable {
                // The disk works beside the processor.
                true => tokio::join!(self.sync(through), self.read_on()).0,
                false => Ok(()),
            }
        };
        // The change was made in memory, and a record may hold it that someone else has written.
        kept.await.map_err(Error::with_may_have_applied)
    }

    /// Writes all entries that wait, unless those through this one are written.
    async fn write(&self, through: u64) -> Result<()> {
        let _turn = self.writing.lock().await;
        let Some(record) = self.state()?.record(through) else {
            return Ok(());
        };
        let Record {
            bytes,
            through,
            is_summary,
            entries_bytes,
        } = record;
        let bytes_count = bytes.len();
        let written = match is_summary {
            true => self.parts.journal.replace(bytes).await,
            false => self.parts.journal.append(bytes).await,
        };
        written.map_err(|error| self.fail(error))?;
        let mut state = self.state.lock();
        state.waiting.drain(..entries_bytes);
        state.written = through;
        if is_summary {
            state.durable = through;
            state.summary_bytes = bytes_count;
            state.journal_bytes = 0;
        }
        state.journal_bytes += bytes_count;
        Ok(())
    }

    /// Makes durable what is written, unless it is through this entry. Others go on writing.
    async fn sync(&self, through: u64) -> Result<()> {
        let written = {
            let state = self.state()?;
            if state.durable >= through {
                return Ok(());
            }
            state.written
        };
        let synced = self.parts.journal.sync().await;
        synced.map_err(|error| self.fail(error))?;
        let mut state = self.state.lock();
        state.durable = state.durable.max(written);
        Ok(())
    }

    /// Closes the consumer: its journal writes nothing more after a failure.
    fn fail(&self, error: Error) -> Error {
        self.close(format!(
            "writing its journal failed ({error}); open it again"
        ));
        *self.writer.lock() = None;
        error
    }
}

impl State {
    /// Puts an entry behind those that wait to be written; its number.
    pub(super) fn push(&mut self, entry: &Entry) -> u64 {
        self.last += 1;
        entry.encode(self.last, &mut self.waiting);
        self.last
    }

    /// The number of the last entry.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// What must be written so that all entries through this one are; none when they are.
    fn record(&self, through: u64) -> Option<Record> {
        if self.written >= through {
            return None;
        }
        let entries_bytes = self.waiting.len();
        let bound = self
            .summary_bytes
            .saturating_mul(4)
            .saturating_add(JOURNAL_SLACK_BYTES);
        let is_summary = self.journal_bytes.saturating_add(entries_bytes) > bound;
        let bytes = if is_summary {
            let mut bytes = Vec::new();
            Entry::Summary(Box::new(self.ledger.summary())).encode(self.last, &mut bytes);
            bytes
        } else {
            self.waiting.clone()
        };
        Some(Record {
            bytes,
            through: self.last,
            is_summary,
            entries_bytes,
        })
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("topic", self.topic())
            .field("name", &self.parts.name)
            .finish_non_exhaustive()
    }
}
