//! The loop of a pipeline: takes in, takes through, delivers and answers, all at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Instrument, Span};

use super::delivery::deliver;
use super::line::{Line, Stopped};
use super::load::{Load, Loads, Taken};
use super::outage::Outage;
use super::trace;
use crate::aggregate::{Gathering, Made, Part};
use crate::chain::Failure;
use crate::connector::{Intake, IntakeMax, IntakeReceipt};
use crate::counters::Count;
use crate::limits::{SLICE_BYTES, WAITING_BYTES_MAX};
use crate::parcel::Parcel;
use crate::port::{Advance, Kept};
use crate::stage::Stage;
use crate::stage_error::StageError;

/// An intake that is not settled.
#[derive(Debug)]
struct Open {
    /// How many of its messages are not.
    left: usize,
    span: Span,
}

type Working<'a> = BoxFuture<'a, Result<Taken, Stopped>>;
type Delivering<'a> = BoxFuture<'a, Result<Delivered, Stopped>>;
type Answering<'a> = BoxFuture<'a, (IntakeReceipt, Result<(), StageError>)>;
type Polling<'a> = BoxFuture<'a, Result<Option<Intake>, Stopped>>;

/// How long giving back may take at least, whatever the time to drain: 5 s.
const LET_GO_MIN: Duration = Duration::from_secs(5);
/// What is as good as never: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// What a delivery settles, and how many bytes wait no longer.
#[derive(Debug)]
struct Delivered {
    settles: Vec<(IntakeReceipt, usize)>,
    weight: usize,
}

/// All that is under way.
struct Run<'a> {
    line: &'a Line,
    polling: Option<Polling<'a>>,
    working: FuturesOrdered<Working<'a>>,
    loads: Loads,
    delivering: FuturesUnordered<Delivering<'a>>,
    answering: FuturesUnordered<Answering<'a>>,
    /// The extension of leases that is under way.
    extending: Option<BoxFuture<'a, ()>>,
    /// Asks whether others hold messages that may still come.
    asking: Option<BoxFuture<'a, bool>>,
    gathering: Option<Gathering>,
    /// Bytes of messages that wait for delivery.
    waiting: watch::Sender<usize>,
    /// Whether the last intake stayed small in the steps. Others are worked on beside one only then.
    is_light: bool,
    /// How many messages are taken in at once: few at first, so that those which hang or become too
    /// much keep few others from being answered.
    window: usize,
    open: BTreeMap<IntakeReceipt, Open>,
    /// The position that the port keeps.
    position: Option<u64>,
    has_ended: bool,
    extended: Instant,
    /// When the last message came or left.
    active: Instant,
}

/// Runs a pipeline until it ends, is stopped, or cannot go on.
pub(super) async fn run(
    line: &Line,
    until: impl Future<Output = ()> + Send,
) -> Result<(), Stopped> {
    let mut run = Run::new(line);
    let outcome = run.go(until).await;
    let limit = line.options.drain.max(LET_GO_MIN);
    let let_go = async {
        run.let_go(outcome.as_ref().err()).await;
        for closed in [line.connector.close().await, line.port.close().await] {
            if let Err(error) = closed {
                tracing::warn!(pipeline = %line.name, error = %error, "closing failed");
            }
        }
    };
    if timeout(limit, let_go).await.is_err() {
        // What was not given back comes again when its lease is over.
        tracing::warn!(pipeline = %line.name, "who is away was not told that the pipeline ends");
    }
    outcome
}

/// What happened next.
enum Event {
    Stop,
    Polled(Result<Option<Intake>, Stopped>),
    Worked(Result<Taken, Stopped>),
    Delivered(Result<Delivered, Stopped>),
    Answered(IntakeReceipt, Result<(), StageError>),
    Extended,
    /// Whether messages that others hold may still come.
    Asked(bool),
    Time,
}

impl<'a> Run<'a> {
    fn new(line: &'a Line) -> Self {
        let gather = line.gather.clone();
        // Where a pipeline begins is kept before anything is: it would be another place later.
        let mut loads = Loads::default();
        if line.begins.is_some() {
            loads.push(Load {
                reaches: line.begins,
                ..Load::default()
            });
        }
        Self {
            line,
            polling: None,
            working: FuturesOrdered::new(),
            loads,
            delivering: FuturesUnordered::new(),
            extending: None,
            asking: None,
            answering: FuturesUnordered::new(),
            gathering: gather.map(|(name, aggregate)| Gathering::new(aggregate, name)),
            waiting: watch::Sender::new(0),
            is_light: !line.before.expands(),
            window: match line.before.expands() {
                true => 1,
                false => line.options.batch.messages,
            },
            open: BTreeMap::new(),
            position: match line.position {
                Kept::Position(position) => position,
                Kept::Nothing => None,
            },
            has_ended: false,
            extended: Instant::now(),
            active: Instant::now(),
        }
    }

    async fn go(&mut self, until: impl Future<Output = ()> + Send) -> Result<(), Stopped> {
        let mut until = pin!(until);
        let mut stops: Option<Instant> = None;
        loop {
            let stuck = self.line.stuck();
            let is_stopping = stops.is_some() || self.has_ended || stuck.is_some();
            if is_stopping {
                self.polling = None;
                if self.working.is_empty() {
                    let made = self.gathering.as_mut().map(Gathering::take_all);
                    self.load_made(made.unwrap_or_default());
                }
                if let Some(stopped) = stuck.filter(|_| self.is_still()) {
                    return Err(stopped);
                }
                let is_late = stops.is_some_and(|deadline| Instant::now() >= deadline);
                if self.is_empty() || is_late {
                    return Ok(());
                }
            } else {
                self.begin_polling();
            }
            self.begin_delivering();
            self.line.counters.set_in_flight(self.open.len());
            match self.next(&mut until, stops).await {
                Event::Stop => stops = Some(later(Instant::now(), self.line.options.drain)),
                Event::Polled(intake) => self.take(intake?),
                Event::Worked(taken) => self.worked(taken?),
                Event::Delivered(delivered) => self.delivered(delivered?),
                Event::Answered(receipt, answer) => self.answered(receipt, answer)?,
                Event::Extended => self.extending = None,
                Event::Asked(others_hold_some) => self.asked(others_hold_some),
                Event::Time => self.on_time(),
            }
        }
    }

    async fn next(
        &mut self,
        until: &mut (impl Future<Output = ()> + Unpin),
        stops: Option<Instant>,
    ) -> Event {
        let wakes = self.wakes(stops);
        let polling = when_there(&mut self.polling);
        let extending = when_there(&mut self.extending);
        let asking = when_there(&mut self.asking);
        let event = tokio::select! {
            biased;
            Some((receipt, answer)) = self.answering.next() => Event::Answered(receipt, answer),
            Some(settled) = self.delivering.next() => Event::Delivered(settled),
            Some(worked) = self.working.next() => Event::Worked(worked),
            () = until, if stops.is_none() => Event::Stop,
            () = extending => Event::Extended,
            held = asking => Event::Asked(held),
            polled = polling => Event::Polled(polled),
            () = sleep_until(wakes) => Event::Time,
        };
        if matches!(event, Event::Polled(_)) {
            self.polling = None;
        }
        event
    }

    /// When something is to be done though nothing happened.
    fn wakes(&self, stops: Option<Instant>) -> Instant {
        let now = Instant::now();
        let lease = self.line.connector.lease();
        let extend = lease.map(|lease| later(self.extended, lease / 3));
        let due = self.gathering.as_ref().and_then(Gathering::due);
        let idle = self.idles().filter(|_| self.asking.is_none());
        let times = [extend, due, idle, stops].into_iter().flatten();
        times.min().unwrap_or(now + FAR).max(now)
    }

    /// When it is idle for so long that it ends; none while something is under way.
    fn idles(&self) -> Option<Instant> {
        let idle = self.line.options.ends_when_idle?;
        self.is_empty().then(|| later(self.active, idle))
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        let made = self.gathering.as_mut().map(|it| it.take_due(now));
        self.load_made(made.unwrap_or_default());
        let line = self.line;
        if self.asking.is_none() && self.idles().is_some_and(|ends| ends <= now) {
            // Leases of a process that is gone are over some time.
            let asking = async move { line.connector.waits_for_others().await.unwrap_or(true) };
            self.asking = Some(Box::pin(asking));
        }
        let lease = line.connector.lease();
        if lease.is_none_or(|lease| later(self.extended, lease / 3) > now) {
            return;
        }
        self.extended = now;
        if self.extending.is_none() {
            let held: Vec<_> = self.open.keys().copied().collect();
            self.extending = Some(Box::pin(extend(line, held)));
        }
    }

    /// Ends when no others hold messages that may still come.
    fn asked(&mut self, others_hold_some: bool) {
        self.asking = None;
        let now = Instant::now();
        match others_hold_some {
            true => self.active = now,
            false => self.has_ended |= self.idles().is_some_and(|ends| ends <= now),
        }
    }

    /// Whether nothing is under way.
    fn is_empty(&self) -> bool {
        let is_answered = self.open.is_empty() && self.answering.is_empty();
        is_answered && self.loads.is_empty() && self.delivering.is_empty()
    }

    /// Whether nothing is at work, though something may be left over.
    fn is_still(&self) -> bool {
        let is_through = self.working.is_empty() && self.loads.is_empty();
        is_through && self.delivering.is_empty() && self.answering.is_empty()
    }

    fn begin_polling(&mut self) {
        let underway = self.working.len() + self.loads.len() + self.delivering.len();
        let has_place = underway < self.line.options.in_flight;
        let has_room = *self.waiting.borrow() < WAITING_BYTES_MAX;
        let is_calm = self.is_light || self.working.is_empty();
        if self.polling.is_none() && has_place && has_room && is_calm {
            let max = IntakeMax {
                messages: self.window,
                ..self.line.options.batch
            };
            self.polling = Some(Box::pin(poll(self.line, max)));
        }
    }

    fn take(&mut self, intake: Option<Intake>) {
        let Some(intake) = intake else {
            self.has_ended = true;
            return;
        };
        self.active = Instant::now();
        let receipt = intake.receipt;
        let line = self.line;
        let span = trace::batch(line, intake.parcels.len() + intake.refused.len());
        let steps = trace::steps(&span);
        // It is open until it is worked on, however many messages it becomes.
        self.open.insert(receipt, Open { left: 1, span });
        let work = async move {
            let parcels = line.take_in(intake).await?;
            line.take_through(receipt, parcels).await
        };
        let work = async move { trace::noted(work.await) }.instrument(steps);
        self.working.push_back(Box::pin(work));
    }

    /// Loads what became of an intake, and goes on with the rest of it before any other.
    fn worked(&mut self, mut taken: Taken) {
        let weight: usize = taken.parcels.iter().map(Parcel::weight).sum();
        self.is_light = taken.rest.is_empty() && !taken.has_failures && weight < SLICE_BYTES;
        self.window = match self.line.before.hung() {
            0 => (self.window * 2).min(self.line.options.batch.messages),
            _ => 1,
        };
        let torn = match self.line.position {
            Kept::Position(_) => taken.split_off_torn(),
            Kept::Nothing => Vec::new(),
        };
        let receipt = taken.receipt;
        let rest = self.sort(taken);
        if !rest.is_empty() && self.line.stuck().is_none() {
            self.go_on(receipt, torn, rest);
        }
    }

    /// Takes the rest of an intake through the steps, once there is room. `torn` goes before it.
    fn go_on(&mut self, receipt: IntakeReceipt, torn: Vec<Parcel>, rest: Vec<Parcel>) {
        let line = self.line;
        let mut room = self.waiting.subscribe();
        let steps = self.open.get(&receipt).map(|open| trace::steps(&open.span));
        let work = async move {
            // Its sender is there for as long as this is.
            let _ = room.wait_for(|bytes| *bytes < WAITING_BYTES_MAX).await;
            let mut taken = trace::noted(line.take_through(receipt, rest).await)?;
            taken.parcels.splice(0..0, torn);
            Ok(taken)
        };
        let steps = steps.unwrap_or_else(Span::none);
        self.working.push_front(Box::pin(work.instrument(steps)));
    }

    fn load(&mut self, mut load: Load) {
        if !load.is_empty() {
            load.weight = load.parcels.iter().map(Parcel::weight).sum();
            self.waiting.send_modify(|bytes| *bytes += load.weight);
            self.loads.push(load);
        }
    }

    /// Sorts what an intake became into what is delivered and what is gathered. Answers the rest of it.
    fn sort(&mut self, taken: Taken) -> Vec<Parcel> {
        let receipt = taken.receipt;
        if let Some(open) = self.open.get_mut(&receipt) {
            open.left += taken.parcels.len();
        }
        // The intake itself is settled with the last of its messages.
        let last = usize::from(taken.rest.is_empty());
        let mut load = Load::default();
        let keeps_position = matches!(self.line.position, Kept::Position(_));
        if keeps_position && (last > 0 || !taken.parcels.is_empty()) {
            load.reaches = Some(taken.reaches());
        }
        let Some((step, aggregate)) = &self.line.gather else {
            load.settles = vec![(receipt, taken.parcels.len() + last)];
            load.parcels = taken.parcels;
            self.load(load);
            return taken.rest;
        };
        if last > 0 {
            load.settles.push((receipt, last));
        }
        let now = Instant::now();
        let mut failures = Vec::new();
        for mut parcel in taken.parcels {
            if self.line.before.is_passed_by(&parcel) {
                load.settles.push((receipt, 1));
                load.parcels.push(parcel);
                continue;
            }
            match Gathering::key(aggregate, &mut parcel) {
                Ok(key) => {
                    let part = Part { parcel, receipt };
                    let made = self.gathering.as_mut().map(|it| it.add(&key, part, now));
                    self.load_made(made.unwrap_or_default());
                }
                Err(error) => {
                    let stage = Stage::Step(step.clone());
                    failures.push(Failure::new(parcel, stage, error));
                }
            }
        }
        self.load(load);
        self.settle(receipt, failures);
        taken.rest
    }

    /// Does with what failed as the policy says, beside everything else: the dead-letter topic may
    /// be away for a while.
    fn settle(&self, receipt: IntakeReceipt, failures: Vec<Failure>) {
        if failures.is_empty() {
            return;
        }
        let line = self.line;
        let settles = vec![(receipt, failures.len())];
        self.delivering.push(Box::pin(async move {
            line.settle(failures).await?;
            Ok(Delivered { settles, weight: 0 })
        }));
    }

    fn load_made(&mut self, made: Vec<Made>) {
        for made in made {
            self.load(Load {
                settles: made
                    .receipts
                    .into_iter()
                    .map(|receipt| (receipt, 1))
                    .collect(),
                parcels: vec![made.parcel],
                ..Load::default()
            });
        }
    }

    fn begin_delivering(&mut self) {
        let most = self.line.deliveries_max();
        while self.delivering.len() < most {
            let Some(mut load) = self.loads.next(self.line.options.order) else {
                return;
            };
            // What waits behind goes along where it may: larger batches cost less.
            let wanted = self.line.options.batch;
            while most == 1 && load.parcels.len() < wanted.messages && load.weight < wanted.bytes {
                let Some(next) = self.loads.first() else {
                    break;
                };
                load.weight += next.weight;
                load.parcels.extend(next.parcels);
                load.settles.extend(next.settles);
                load.reaches = next.reaches.or(load.reaches);
            }
            let position = load.reaches.map(|to| Advance {
                from: self.position.replace(to),
                to,
            });
            let line = self.line;
            let span = trace::delivery(line, &self.spans(&load), load.parcels.len());
            let delivery = async move {
                trace::noted(deliver(line, load.parcels, position).await)?;
                Ok(Delivered {
                    settles: load.settles,
                    weight: load.weight,
                })
            };
            self.delivering.push(Box::pin(delivery.instrument(span)));
        }
    }

    /// The spans of the intakes that a load belongs to.
    fn spans(&self, load: &Load) -> Vec<Span> {
        let receipts: BTreeSet<_> = load.settles.iter().map(|(receipt, _)| receipt).collect();
        let open = receipts.into_iter().filter_map(|it| self.open.get(it));
        open.map(|open| open.span.clone()).collect()
    }

    fn delivered(&mut self, delivered: Delivered) {
        self.active = Instant::now();
        self.waiting
            .send_modify(|bytes| *bytes = bytes.saturating_sub(delivered.weight));
        for (receipt, count) in delivered.settles {
            self.loads.done(receipt);
            let Some(open) = self.open.get_mut(&receipt) else {
                continue;
            };
            open.left = open.left.saturating_sub(count);
            if open.left > 0 {
                continue;
            }
            let span = open.span.clone();
            self.open.remove(&receipt);
            let connector = &self.line.connector;
            let answer = async move { (receipt, connector.ack(receipt).await) };
            self.answering.push(Box::pin(answer.instrument(span)));
        }
    }

    fn answered(
        &mut self,
        receipt: IntakeReceipt,
        answer: Result<(), StageError>,
    ) -> Result<(), Stopped> {
        self.active = Instant::now();
        match answer {
            Ok(()) => Ok(()),
            Err(error @ StageError::Fatal(_)) => Err((Stage::Connector, error)),
            Err(error) => {
                let told = format!(
                    "intake {} was delivered but not answered: {error}",
                    receipt.0
                );
                tracing::warn!(pipeline = %self.line.name, "{told}; it comes again");
                self.line.counters.add(Count::Unanswered, 1);
                self.line.counters.tell(told);
                Ok(())
            }
        }
    }

    /// Gives back what is not delivered.
    async fn let_go(&mut self, why: Option<&Stopped>) {
        self.polling = None;
        self.working = FuturesOrdered::new();
        self.delivering = FuturesUnordered::new();
        while let Some((receipt, answer)) = self.answering.next().await {
            if let Err((_, error)) = self.answered(receipt, answer) {
                tracing::warn!(pipeline = %self.line.name, error = %error, "an answer failed");
            }
        }
        let ended = StageError::unavailable("the pipeline ends");
        let why = why.map_or(&ended, |(_, error)| error);
        for receipt in std::mem::take(&mut self.open).into_keys() {
            if let Err(error) = self.line.connector.nack(receipt, why).await {
                tracing::warn!(pipeline = %self.line.name, error = %error, "not given back");
            }
        }
        self.line.counters.set_in_flight(0);
    }
}

/// Holds on to intakes for another lease.
async fn extend(line: &Line, held: Vec<IntakeReceipt>) {
    if let Err(error) = line.connector.extend(&held).await {
        // Who lost a lease delivers twice at worst; its commit is refused then.
        tracing::warn!(pipeline = %line.name, error = %error, "a lease was not extended");
    }
}

/// What a future becomes that is there; one that is not becomes nothing, ever.
async fn when_there<T>(future: &mut Option<BoxFuture<'_, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

fn later(from: Instant, time: Duration) -> Instant {
    from.checked_add(time).unwrap_or_else(|| from + FAR)
}

/// Polls the source, again and again while it is away.
async fn poll(line: &Line, max: IntakeMax) -> Result<Option<Intake>, Stopped> {
    let mut outage = Outage::new(&line.name, &line.options);
    loop {
        match line.connector.poll(max).await {
            Ok(intake) => return Ok(intake),
            Err(error) if error.is_retryable() => {
                let waited = outage.wait(error, &line.counters).await;
                waited.map_err(|error| (Stage::Connector, error))?;
            }
            Err(error) => return Err((Stage::Connector, error)),
        }
    }
}
