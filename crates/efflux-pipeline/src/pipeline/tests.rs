//! Tests of whole pipelines, over a store in memory and a port that does what the test says.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use efflux_storage::particle::{Message, Sequence};
use efflux_storage::{ReadLimit, Start, TopicOptions};
use parking_lot::Mutex;

use super::*;
use crate::aggregate::AggregateForm;
use crate::connector::{Intake, IntakeMax, IntakeReceipt};
use crate::counters::Counts;
use crate::parcel::Parcel;
use crate::policy::{Policy, Retry};
use crate::port::{Batch, Failed, Kept, Reader, TopicsPort};
use crate::{ByteSize, QueryFilter, closure};

mod fairness;
mod positions;
mod slices;
mod troubles;

/// What a port keeps, which outlives the pipeline.
#[derive(Debug, Default)]
struct Target {
    delivered: Mutex<Vec<String>>,
    batches: Mutex<Vec<usize>>,
    /// What the next deliveries answer; none for that all is well.
    answers: Mutex<VecDeque<Failed>>,
    /// The position in each source.
    positions: Mutex<HashMap<String, u64>>,
}

#[derive(Debug)]
struct TestPort {
    target: Arc<Target>,
    keeps_position: bool,
    /// Rejected whenever it comes.
    poison: Option<&'static str>,
    source: Mutex<String>,
}

#[async_trait]
impl Port for TestPort {
    async fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        self.source.lock().clone_from(&reader.source);
        let kept = self.target.positions.lock().get(&reader.source).copied();
        Ok(match self.keeps_position {
            true => Kept::Position(kept),
            false => Kept::Nothing,
        })
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let texts: Vec<_> = batch.parcels.iter().map(|it| it.text().unwrap()).collect();
        self.target.batches.lock().push(texts.len());
        let answer = self.target.answers.lock().pop_front();
        let left_out: Vec<usize> = match &answer {
            Some(Failed::Whole(_) | Failed::Refused(_)) => return Err(answer.unwrap()),
            Some(Failed::Parts(parts)) => parts.iter().map(|(at, _)| *at).collect(),
            None => Vec::new(),
        };
        if texts.iter().any(|text| Some(text.as_str()) == self.poison) {
            return Err(StageError::rejected("poison").into());
        }
        if let Some(position) = batch.position {
            let source = self.source.lock().clone();
            let before = self.target.positions.lock().insert(source, position.to);
            assert_eq!(before, position.from);
        }
        let numbered = texts.into_iter().enumerate();
        let kept = numbered.filter(|(at, _)| !left_out.contains(at));
        self.target
            .delivered
            .lock()
            .extend(kept.map(|(_, text)| text));
        answer.map_or(Ok(()), Err)
    }

    fn keeps_position(&self) -> bool {
        self.keeps_position
    }
}

struct Scene {
    store: Store,
    topic: Topic,
    target: Arc<Target>,
    keeps_position: bool,
    poison: Option<&'static str>,
}

impl Scene {
    async fn with(messages: impl IntoIterator<Item = Message>) -> Self {
        let store = Store::open("mem:").await.unwrap();
        let topic = store
            .create_topic(&"orders".parse().unwrap(), TopicOptions::default())
            .await
            .unwrap();
        for message in messages {
            topic.append(message).await.unwrap();
        }
        Self {
            store,
            topic,
            target: Arc::default(),
            keeps_position: false,
            poison: None,
        }
    }

    async fn numbers(count: usize) -> Self {
        Self::with((0..count).map(|number| Message::new(number.to_string()))).await
    }

    fn answering(self, answers: impl IntoIterator<Item = Failed>) -> Self {
        self.target.answers.lock().extend(answers);
        self
    }

    fn pipeline(&self) -> Pipeline {
        let port = TestPort {
            target: Arc::clone(&self.target),
            keeps_position: self.keeps_position,
            poison: self.poison,
            source: Mutex::default(),
        };
        Pipeline::from_topic("test".parse().unwrap(), self.topic.clone(), port)
            .with_options(options())
    }

    async fn run(&self, pipeline: Pipeline) -> Result<Counts, PipelineError> {
        let counters = pipeline.counters();
        pipeline.run(pending()).await?;
        Ok(counters.counts())
    }

    /// The position that the port keeps.
    fn position(&self) -> Option<u64> {
        self.target.positions.lock().values().copied().max()
    }

    fn delivered(&self) -> Vec<String> {
        self.target.delivered.lock().clone()
    }

    /// The payload of each dead letter, the stage that failed and what it said.
    async fn letters(&self) -> Vec<(String, String, String)> {
        let name = "orders.dead".parse().unwrap();
        let Ok(topic) = self.store.topic(&name).await else {
            return Vec::new();
        };
        let read = topic.read(Sequence::FIRST, ReadLimit::default()).await;
        let letter = |it: &efflux_storage::particle::Particle| {
            let metadata = it.metadata();
            let property = |name| metadata.property(name).unwrap_or_default().to_owned();
            let payload = String::from_utf8_lossy(&it.payload()).into_owned();
            let stage = property("efflux.error.stage");
            (payload, stage, property("efflux.error.text"))
        };
        read.unwrap().iter().map(letter).collect()
    }
}

/// Is ready when a second has passed on the test's clock.
async fn a_second() {
    let _ = tokio::time::timeout(Duration::from_secs(1), pending::<()>()).await;
}

/// Ends as soon as there is nothing to do.
fn options() -> PipelineOptions {
    PipelineOptions {
        ends_when_idle: Some(Duration::from_secs(1)),
        ..PipelineOptions::default()
    }
}

fn strict() -> PipelineOptions {
    PipelineOptions {
        order: Order::Strict,
        ..options()
    }
}

fn texts(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|it| it.to_string()).collect()
}

fn name(name: &str) -> StepName {
    name.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn all_is_delivered_once_and_committed() {
    let scene = Scene::numbers(1200).await;
    let counts = scene.run(scene.pipeline()).await.unwrap();
    assert_eq!((counts.received, counts.delivered), (1200, 1200));
    let mut delivered = scene.delivered();
    delivered.sort_by_key(|text| text.parse::<usize>().unwrap());
    assert_eq!(delivered, texts(0..1200));
    let again = scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(again.received, 0);
}

#[tokio::test(start_paused = true)]
async fn strict_order_is_the_order_of_the_topic_whatever_the_groups() {
    let grouped = (0..1200).map(|it| Message::new(it.to_string()).with_message_group("g"));
    let scene = Scene::with(grouped).await;
    scene
        .run(scene.pipeline().with_options(strict()))
        .await
        .unwrap();
    assert_eq!(scene.delivered(), texts(0..1200));
    let again = scene
        .run(scene.pipeline().with_options(strict()))
        .await
        .unwrap();
    assert_eq!(again.received, 0);
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_group_come_in_order_beside_those_of_others() {
    let messages =
        (0..60).map(|it| Message::new(it.to_string()).with_message_group(format!("g{}", it % 3)));
    let scene = Scene::with(messages).await;
    scene.run(scene.pipeline()).await.unwrap();
    let mut last: HashMap<usize, usize> = HashMap::new();
    for text in scene.delivered() {
        let number: usize = text.parse().unwrap();
        let before = last.insert(number % 3, number);
        assert!(before.is_none_or(|before| before < number), "{number}");
    }
    assert_eq!(scene.delivered().len(), 60);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_and_no_message_is_given_up() {
    let away = || Failed::Whole(StageError::unavailable("away"));
    let scene = Scene::numbers(3).await.answering((0..40).map(|_| away()));
    let counts = scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(counts.retries, 40);
    assert_eq!(scene.delivered(), texts(0..3));
    assert!(scene.letters().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_lasts_too_long_stops_the_pipeline_and_loses_nothing() {
    let away = || Failed::Whole(StageError::unavailable("away"));
    let scene = Scene::numbers(3).await.answering((0..400).map(|_| away()));
    let mut limited = options();
    limited.policy.retry.outage = Some(Duration::from_secs(60));
    let stopped = scene.run(scene.pipeline().with_options(limited)).await;
    let told = stopped.unwrap_err().to_string();
    assert!(told.contains("stopped at its port: away"), "{told}");
    scene.target.answers.lock().clear();
    scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(scene.delivered(), texts(0..3));
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_is_found_among_many_and_dead_lettered() {
    let mut scene = Scene::numbers(100).await;
    scene.poison = Some("37");
    let counts = scene.run(scene.pipeline()).await.unwrap();
    assert_eq!((counts.delivered, counts.dead_lettered), (99, 1));
    assert_eq!(scene.delivered(), texts((0..100).filter(|it| *it != 37)));
    let letters = scene.letters().await;
    assert_eq!(
        letters,
        [("37".to_owned(), "port".to_owned(), "poison".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn parts_that_fail_are_tried_again_alone_and_then_dead_lettered() {
    let part = |error| Failed::Parts(vec![(1, error)]);
    let one = || Failed::Parts(vec![(0, StageError::unavailable("busy"))]);
    let mut answers = vec![part(StageError::unavailable("busy"))];
    answers.extend((0..20).map(|_| one()));
    let scene = Scene::numbers(3).await.answering(answers);
    let counts = scene.run(scene.pipeline()).await.unwrap();
    assert_eq!((counts.delivered, counts.dead_lettered), (2, 1));
    assert_eq!(scene.delivered(), ["0", "2"]);
    assert_eq!(scene.letters().await[0].2, "busy");
    let tries = scene.target.batches.lock().len();
    assert_eq!(tries, Retry::default().attempts as usize);
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_transaction_from_being_done_is_taken_out_of_it() {
    let refused = Failed::Refused(vec![(0, StageError::rejected("too wide"))]);
    let scene = Scene::numbers(3).await.answering([refused]);
    scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(scene.delivered(), ["1", "2"]);
    assert_eq!(scene.letters().await[0].2, "too wide");
}

#[tokio::test(start_paused = true)]
async fn the_policy_may_skip_or_stop() {
    let mut scene = Scene::numbers(3).await;
    scene.poison = Some("1");
    let with = |then| {
        let mut options = options();
        options.policy = Policy {
            then,
            ..Policy::default()
        };
        scene.pipeline().with_options(options)
    };
    let told = scene.run(with(Then::Stop)).await.unwrap_err().to_string();
    assert!(told.contains("poison"), "{told}");
    let counts = scene.run(with(Then::Skip)).await.unwrap();
    assert_eq!(counts.skipped, 1);
    assert!(scene.letters().await.is_empty());
    assert!(scene.delivered().contains(&"2".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_keeps_the_position_gets_each_message_once() {
    let mut scene = Scene::numbers(10).await;
    scene.keeps_position = true;
    scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(scene.position(), Some(10));
    scene.topic.append(Message::new("10")).await.unwrap();
    scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(scene.delivered(), texts(0..11));
}

#[tokio::test(start_paused = true)]
async fn a_position_advances_over_what_is_filtered_out_or_rejected() {
    let mut scene = Scene::numbers(10).await;
    scene.keeps_position = true;
    scene.poison = Some("3");
    let below_five = closure::filter(|it| Ok(it.text()?.parse::<u8>().unwrap_or(9) < 5));
    let small = PipelineOptions {
        batch: IntakeMax {
            messages: 1,
            bytes: 1,
        },
        ..strict()
    };
    let pipeline = scene
        .pipeline()
        .with_step(Step::filter(name("small"), below_five));
    scene.run(pipeline.with_options(small)).await.unwrap();
    assert_eq!(scene.position(), Some(10));
    assert_eq!(scene.delivered().iter().filter(|it| *it == "3").count(), 0);
    assert_eq!(scene.letters().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_replayed_from_the_step_that_failed() {
    let scene = Scene::with([Message::new("a b c")]).await;
    let split = || {
        closure::transform(|input, out| {
            for word in input.text()?.split(' ') {
                out.push(Message::new(word.to_owned()))?;
            }
            Ok(())
        })
    };
    let checked = |bad: Option<&'static str>| {
        closure::filter(move |it: &Parcel| match Some(it.text()?.as_str()) == bad {
            true => Err(StageError::rejected("bad")),
            false => Ok(true),
        })
    };
    let pipeline = |bad| {
        scene
            .pipeline()
            .with_step(Step::transform(name("split"), split()))
            .with_step(Step::filter(name("check"), checked(bad)))
    };
    scene.run(pipeline(Some("b"))).await.unwrap();
    assert_eq!(scene.delivered(), ["a", "c"]);
    let letters = scene.letters().await;
    assert_eq!(letters[0].1, "step check");

    let replay = pipeline(Some("b")).replaying().await.unwrap();
    scene.run(replay).await.unwrap();
    assert_eq!(
        scene.letters().await.len(),
        2,
        "it failed again, and is there again"
    );

    let replay = pipeline(None).replaying().await.unwrap();
    scene.run(replay).await.unwrap();
    assert_eq!(scene.delivered(), ["a", "c", "b"]);
    let replay = pipeline(None).replaying().await.unwrap();
    assert_eq!(scene.run(replay).await.unwrap().received, 0);
}

fn aggregate(messages: usize) -> Step {
    let aggregate = Aggregate {
        messages,
        bytes: ByteSize(1 << 20).bytes(),
        period: Duration::from_secs(10),
        by: None,
        form: AggregateForm::JsonArray,
    };
    Step::aggregate(name("aggregate"), aggregate)
}

#[tokio::test(start_paused = true)]
async fn aggregates_are_committed_when_they_are_delivered() {
    let grouped = (0..7).map(|it| Message::new(it.to_string()).with_message_group("g"));
    let scene = Scene::with(grouped).await;
    let pipeline = scene.pipeline().with_step(aggregate(3));
    scene.run(pipeline).await.unwrap();
    assert_eq!(scene.delivered(), ["[0,1,2]", "[3,4,5]", "[6]"]);
    let again = scene.pipeline().with_step(aggregate(3));
    assert_eq!(scene.run(again).await.unwrap().received, 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_an_aggregate_is_delivered_when_the_pipeline_is_stopped() {
    let scene = Scene::numbers(2).await;
    let options = PipelineOptions::default();
    let pipeline = scene
        .pipeline()
        .with_step(aggregate(3))
        .with_options(options);
    pipeline.run(a_second()).await.unwrap();
    assert_eq!(scene.delivered(), ["[0,1]"]);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_is_stopped_in_an_outage_gives_back_what_it_holds() {
    let away = || Failed::Whole(StageError::unavailable("away"));
    let scene = Scene::numbers(3).await.answering((0..1000).map(|_| away()));
    let pipeline = scene.pipeline().with_options(PipelineOptions::default());
    pipeline.run(a_second()).await.unwrap();
    assert!(scene.delivered().is_empty());
    scene.target.answers.lock().clear();
    scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(scene.delivered(), texts(0..3));
}

#[tokio::test(start_paused = true)]
async fn leases_are_extended_while_a_delivery_takes_long() {
    let away = || Failed::Whole(StageError::unavailable("away"));
    let scene = Scene::numbers(3).await.answering((0..30).map(|_| away()));
    let short = PipelineOptions {
        lease: Duration::from_secs(30),
        ..options()
    };
    let counts = scene
        .run(scene.pipeline().with_options(short))
        .await
        .unwrap();
    assert_eq!((counts.unanswered, counts.delivered), (0, 3));
    assert_eq!(scene.delivered(), texts(0..3));
}

/// Gives its messages again until they are acknowledged.
#[derive(Debug)]
struct TestConnector {
    left: Mutex<VecDeque<Intake>>,
    acknowledged: Mutex<Vec<u64>>,
}

#[async_trait]
impl Connector for TestConnector {
    async fn poll(&self, _max: IntakeMax) -> Result<Option<Intake>, StageError> {
        Ok(self.left.lock().pop_front())
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        self.acknowledged.lock().push(receipt.0);
        Ok(())
    }

    async fn nack(&self, _receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_connectors_messages_are_in_the_topic_once_though_they_come_twice() {
    let scene = Scene::numbers(0).await;
    let intake = |receipt: u64| {
        let id = format!("m-{}", receipt / 2).parse().unwrap();
        let message = Message::new((receipt / 2).to_string()).with_id(id);
        let mut intake = Intake::new(IntakeReceipt(receipt), [message]);
        let odd = Message::new("odd").with_id("odd".parse().unwrap());
        intake
            .refused
            .push((odd, StageError::rejected("no message")));
        intake
    };
    let connector = TestConnector {
        left: Mutex::new((0..10).map(intake).collect()),
        acknowledged: Mutex::default(),
    };
    let into: TopicName = "orders".parse().unwrap();
    let port = TopicsPort::new(scene.store.clone(), into, None);
    let letters: TopicName = "orders.dead".parse().unwrap();
    let pipeline = Pipeline::from_connector("in".parse().unwrap(), connector, port)
        .with_dead_letters(scene.store.clone(), letters);
    let counts = scene.run(pipeline).await.unwrap();
    assert_eq!(counts.delivered, 10);
    assert_eq!(scene.topic.head().sequence.get(), 5);
    assert_eq!(scene.letters().await.len(), 1);
}

#[tokio::test]
async fn what_is_put_together_wrongly_is_told() {
    let scene = Scene::numbers(0).await;
    let told = |pipeline: Pipeline| pipeline.check().unwrap_err().to_string();
    let filter = || Step::filter(name("a"), QueryFilter::new("true".parse().unwrap()));
    let twice = scene.pipeline().with_step(filter()).with_step(filter());
    assert!(told(twice).contains("two of its steps are called a"));
    let mut zero = options();
    zero.batch.messages = 0;
    assert!(told(scene.pipeline().with_options(zero)).contains("batch of 0"));
    let own = scene.pipeline();
    let own = own.with_dead_letters(scene.store.clone(), "orders".parse().unwrap());
    assert!(told(own).contains("is the topic that it reads"));
    let connector = TestConnector {
        left: Mutex::default(),
        acknowledged: Mutex::default(),
    };
    let port = TopicsPort::new(scene.store.clone(), "a".parse::<TopicName>().unwrap(), None);
    let without = Pipeline::from_connector("in".parse().unwrap(), connector, port);
    assert!(told(without).contains("no dead-letter topic"));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_may_begin_at_the_head() {
    let scene = Scene::numbers(3).await;
    for order in [Order::ByGroup, Order::Strict] {
        let from_head = PipelineOptions {
            start: Start::Head,
            order,
            ..options()
        };
        let counts = scene
            .run(scene.pipeline().with_options(from_head))
            .await
            .unwrap();
        assert_eq!(counts.received, 0);
    }
}
