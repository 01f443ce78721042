//! The loop of a pipeline: takes in, takes through, delivers and answers, all at the same time.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, pending};
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use tokio::time::{Instant, sleep_until};

use super::delivery::{Outage, deliver};
use super::line::{Line, Stopped};
use crate::aggregate::{Gathering, Made, Part};
use crate::chain::Failure;
use crate::connector::{Intake, IntakeReceipt};
use crate::counters::Count;
use crate::parcel::Parcel;
use crate::port::{Advance, Kept};
use crate::stage::Stage;
use crate::stage_error::StageError;

/// Messages that are delivered together, and the intakes that wait for them: how many of each.
#[derive(Debug, Default)]
struct Load {
    parcels: Vec<Parcel>,
    settles: Vec<(IntakeReceipt, usize)>,
    /// The sequence that is reached with them.
    reaches: Option<u64>,
}

type Working<'a> = BoxFuture<'a, Result<(IntakeReceipt, Vec<Parcel>), Stopped>>;
type Delivering<'a> = BoxFuture<'a, Result<Vec<(IntakeReceipt, usize)>, Stopped>>;
type Answering<'a> = BoxFuture<'a, (IntakeReceipt, Result<(), StageError>)>;
type Polling<'a> = BoxFuture<'a, Result<Option<Intake>, Stopped>>;

/// All that is under way.
struct Run<'a> {
    line: &'a Line,
    polling: Option<Polling<'a>>,
    working: FuturesOrdered<Working<'a>>,
    loads: VecDeque<Load>,
    delivering: FuturesUnordered<Delivering<'a>>,
    answering: FuturesUnordered<Answering<'a>>,
    gathering: Option<Gathering>,
    /// How many messages of each intake are not settled.
    open: BTreeMap<IntakeReceipt, usize>,
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
    run.let_go(outcome.as_ref().err()).await;
    let closed = [line.connector.close().await, line.port.close().await];
    for error in closed.into_iter().filter_map(Result::err) {
        tracing::warn!(pipeline = %line.name, error = %error, "closing failed");
    }
    outcome
}

/// What happened next.
enum Event {
    Stop,
    Polled(Result<Option<Intake>, Stopped>),
    Worked(Result<(IntakeReceipt, Vec<Parcel>), Stopped>),
    Delivered(Result<Vec<(IntakeReceipt, usize)>, Stopped>),
    Answered(IntakeReceipt, Result<(), StageError>),
    Time,
}

impl<'a> Run<'a> {
    fn new(line: &'a Line) -> Self {
        let gather = line.gather.clone();
        Self {
            line,
            polling: None,
            working: FuturesOrdered::new(),
            loads: VecDeque::new(),
            delivering: FuturesUnordered::new(),
            answering: FuturesUnordered::new(),
            gathering: gather.map(|(name, aggregate)| Gathering::new(aggregate, name)),
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
            let is_stopping = stops.is_some() || self.has_ended;
            if is_stopping {
                self.polling = None;
                if self.working.is_empty() {
                    let made = self.gathering.as_mut().map(Gathering::take_all);
                    self.load_made(made.unwrap_or_default());
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
                Event::Stop => {
                    stops = Some(Instant::now() + self.line.options.drain);
                }
                Event::Polled(intake) => self.take(intake?),
                Event::Worked(worked) => {
                    let (receipt, parcels) = worked?;
                    self.sort(receipt, parcels).await?;
                }
                Event::Delivered(settled) => self.settled(settled?),
                Event::Answered(receipt, answer) => self.answered(receipt, answer)?,
                Event::Time => self.on_time().await?,
            }
        }
    }

    async fn next(
        &mut self,
        until: &mut (impl Future<Output = ()> + Unpin),
        stops: Option<Instant>,
    ) -> Event {
        let wakes = self.wakes(stops);
        let polling = async {
            match &mut self.polling {
                Some(polling) => polling.await,
                None => pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            Some((receipt, answer)) = self.answering.next() => Event::Answered(receipt, answer),
            Some(settled) = self.delivering.next() => Event::Delivered(settled),
            Some(worked) = self.working.next() => Event::Worked(worked),
            () = until, if stops.is_none() => Event::Stop,
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
        let far = now + std::time::Duration::from_secs(3600);
        let lease = self.line.connector.lease();
        let extend = lease.map(|lease| self.extended + lease / 3);
        let due = self.gathering.as_ref().and_then(Gathering::due);
        let idle = self.line.options.ends_when_idle;
        let idle = idle
            .filter(|_| self.is_empty())
            .map(|idle| self.active + idle);
        let times = [extend, due, idle, stops].into_iter().flatten();
        times.min().map_or(far, |first| first.max(now))
    }

    async fn on_time(&mut self) -> Result<(), Stopped> {
        let now = Instant::now();
        let made = self.gathering.as_mut().map(|it| it.take_due(now));
        self.load_made(made.unwrap_or_default());
        let idle = self.line.options.ends_when_idle;
        if self.is_empty() && idle.is_some_and(|idle| self.active + idle <= now) {
            self.has_ended = true;
        }
        let lease = self.line.connector.lease();
        if lease.is_none_or(|lease| self.extended + lease / 3 > now) {
            return Ok(());
        }
        self.extended = now;
        let held: Vec<_> = self.open.keys().copied().collect();
        if let Err(error) = self.line.connector.extend(&held).await {
            // Who lost a lease delivers twice at worst; its commit is refused then.
            tracing::warn!(pipeline = %self.line.name, error = %error, "a lease was not extended");
        }
        Ok(())
    }

    /// Whether nothing is under way.
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.answering.is_empty()
    }

    fn begin_polling(&mut self) {
        let underway = self.working.len() + self.loads.len() + self.delivering.len();
        if self.polling.is_none() && underway < self.line.options.in_flight {
            self.polling = Some(Box::pin(poll(self.line)));
        }
    }

    fn take(&mut self, intake: Option<Intake>) {
        let Some(intake) = intake else {
            self.has_ended = true;
            return;
        };
        self.active = Instant::now();
        let receipt = intake.receipt;
        // It is open until it is worked on, however many messages it becomes.
        self.open.insert(receipt, 1);
        let line = self.line;
        self.working.push_back(Box::pin(async move {
            Ok((receipt, line.take_through(intake).await?))
        }));
    }

    /// Sorts what an intake became into what is delivered and what is gathered.
    async fn sort(&mut self, receipt: IntakeReceipt, parcels: Vec<Parcel>) -> Result<(), Stopped> {
        self.open.insert(receipt, parcels.len() + 1);
        let mut load = Load {
            settles: vec![(receipt, 1)],
            ..Load::default()
        };
        if let Kept::Position(_) = self.line.position {
            load.reaches = Some(receipt.0);
        }
        let Some((step, aggregate)) = &self.line.gather else {
            load.settles = vec![(receipt, parcels.len() + 1)];
            load.parcels = parcels;
            self.loads.push_back(load);
            return Ok(());
        };
        let now = Instant::now();
        for mut parcel in parcels {
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
                    let failure = Failure::new(parcel, stage, error);
                    self.line.settle(vec![failure]).await?;
                    load.settles.push((receipt, 1));
                }
            }
        }
        self.loads.push_back(load);
        Ok(())
    }

    fn load_made(&mut self, made: Vec<Made>) {
        for made in made {
            self.loads.push_back(Load {
                settles: made
                    .receipts
                    .into_iter()
                    .map(|receipt| (receipt, 1))
                    .collect(),
                parcels: vec![made.parcel],
                reaches: None,
            });
        }
    }

    fn begin_delivering(&mut self) {
        let most = self.line.deliveries_max();
        while self.delivering.len() < most {
            let Some(mut load) = self.loads.pop_front() else {
                return;
            };
            // What waits behind goes along where it may: larger batches cost less.
            let wanted = self.line.options.batch.messages;
            while most == 1 && load.parcels.len() < wanted {
                let Some(next) = self.loads.pop_front() else {
                    break;
                };
                load.parcels.extend(next.parcels);
                load.settles.extend(next.settles);
                load.reaches = next.reaches.or(load.reaches);
            }
            let position = load.reaches.map(|to| Advance {
                from: self.position.replace(to),
                to,
            });
            let line = self.line;
            self.delivering.push(Box::pin(async move {
                deliver(line, load.parcels, position).await?;
                Ok(load.settles)
            }));
        }
    }

    fn settled(&mut self, settles: Vec<(IntakeReceipt, usize)>) {
        self.active = Instant::now();
        for (receipt, count) in settles {
            let Some(left) = self.open.get_mut(&receipt) else {
                continue;
            };
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.open.remove(&receipt);
                let connector = &self.line.connector;
                self.answering.push(Box::pin(
                    async move { (receipt, connector.ack(receipt).await) },
                ));
            }
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

/// Polls the source, again and again while it is away.
async fn poll(line: &Line) -> Result<Option<Intake>, Stopped> {
    let mut outage = Outage::new(&line.options);
    loop {
        match line.connector.poll(line.options.batch).await {
            Ok(intake) => return Ok(intake),
            Err(error) if error.is_retryable() => {
                let waited = outage.wait(error, Some(&line.counters)).await;
                waited.map_err(|error| (Stage::Connector, error))?;
            }
            Err(error) => return Err((Stage::Connector, error)),
        }
    }
}
