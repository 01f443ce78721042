//! What goes wrong, and what does not go wrong with it.

use std::sync::mpsc;

use efflux_storage::{Consumer, ConsumerOptions};

use super::*;
use crate::transform::{MetadataSettings, MetadataTransform};

/// A port that does not answer, or answers late.
#[derive(Debug, Default)]
struct LatePort {
    never_opens: bool,
    times_each: bool,
    delivered: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Port for LatePort {
    async fn open(&self, _reader: &Reader) -> Result<Kept, StageError> {
        match self.never_opens {
            true => Err(StageError::unavailable("away")),
            false => Ok(Kept::Nothing),
        }
    }

    /// The earlier a message is, the later it arrives.
    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        for parcel in batch.parcels {
            let text = parcel.text().unwrap();
            let number: u64 = text.parse().unwrap();
            let late = Duration::from_secs(100_u64.saturating_sub(number));
            let _ = tokio::time::timeout(late, pending::<()>()).await;
            self.delivered.lock().push(text);
        }
        Ok(())
    }

    fn times_each_message(&self) -> bool {
        self.times_each
    }
}

fn to(scene: &Scene, port: LatePort) -> Pipeline {
    Pipeline::from_topic("test".parse().unwrap(), scene.topic.clone(), port)
}

#[tokio::test]
async fn what_hangs_is_buried_and_answered_so_that_each_start_gets_further() {
    const HANG: usize = 8;
    let scene = Scene::numbers(12).await;
    let (release, held) = mpsc::sync_channel::<()>(0);
    let held = Arc::new(Mutex::new(held));
    let pipeline = || {
        let held = Arc::clone(&held);
        let hang = closure::transform(move |input: Parcel, out| {
            if input.text()?.parse::<usize>().unwrap() < HANG {
                let _ = held.lock().recv();
            }
            out.push(input.message)
        });
        let mut impatient = options();
        impatient.policy.step_timeout = Duration::from_millis(300);
        let step = Step::transform(name("hang"), hang);
        scene.pipeline().with_step(step).with_options(impatient)
    };
    let stopped = scene.run(pipeline()).await.unwrap_err().to_string();
    assert!(stopped.contains("5 messages hung"), "{stopped}");
    assert_eq!(scene.letters().await.len(), 5);
    scene.run(pipeline()).await.unwrap();
    assert_eq!(scene.letters().await.len(), HANG);
    assert_eq!(scene.delivered(), texts(HANG..12));
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_with_its_position_only_the_one_to_blame_is_refused() {
    for poison in ["0", "37", "99"] {
        let mut scene = Scene::numbers(100).await;
        scene.keeps_position = true;
        scene.poison = Some(poison);
        let counts = scene.run(scene.pipeline()).await.unwrap();
        assert_eq!((counts.delivered, counts.dead_lettered), (99, 1));
        let others = texts(0..100).into_iter().filter(|it| it != poison);
        assert_eq!(scene.delivered(), others.collect::<Vec<_>>());
        assert_eq!(scene.position(), Some(100));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_whose_target_is_away_from_the_beginning_can_be_stopped() {
    let scene = Scene::numbers(1).await;
    let port = LatePort {
        never_opens: true,
        ..LatePort::default()
    };
    let pipeline = to(&scene, port);
    let counters = pipeline.counters();
    pipeline.run(a_second()).await.unwrap();
    assert!(counters.counts().retries > 0);
    let told = counters.counts().last_error.unwrap();
    assert!(told.contains("away"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_port_that_times_each_message_is_given_up_for_none() {
    for (times_each, batches) in [(true, 1), (false, 2)] {
        let scene = Scene::numbers(5).await;
        let delivered = Arc::default();
        let port = LatePort {
            times_each,
            delivered: Arc::clone(&delivered),
            ..LatePort::default()
        };
        let pipeline = to(&scene, port).with_options(options());
        // The first delivery takes 490 s, of the 60 s that one may take as a whole.
        let _ = tokio::time::timeout(Duration::from_secs(600), scene.run(pipeline)).await;
        let first = delivered.lock().iter().filter(|it| *it == "0").count();
        assert_eq!(first == 1, batches == 1, "{:?}", delivered.lock());
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_get_their_group_in_a_step_come_in_its_order() {
    let scene = Scene::numbers(60).await;
    let settings = MetadataSettings {
        set: [("message_group".to_owned(), "one".parse().unwrap())].into(),
        ..MetadataSettings::default()
    };
    let regroup = MetadataTransform::new(&settings).unwrap();
    let delivered = Arc::default();
    let port = LatePort {
        times_each: true,
        delivered: Arc::clone(&delivered),
        ..LatePort::default()
    };
    let mut small = options();
    small.batch.messages = 2;
    let pipeline = to(&scene, port)
        .with_step(Step::transform(name("regroup"), regroup))
        .with_options(small);
    scene.run(pipeline).await.unwrap();
    assert_eq!(*delivered.lock(), texts(0..60));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_ends_when_idle_waits_for_what_others_have_leased() {
    let scene = Scene::numbers(3).await;
    let name = "test".parse().unwrap();
    let other = Consumer::open(&scene.topic, &name, ConsumerOptions::default()).await;
    let other = other.unwrap();
    let taken = other.receive(2, Duration::ZERO).await.unwrap();
    let pipeline = scene.pipeline();
    let counters = pipeline.counters();
    let gives_back = async {
        while counters.counts().delivered < 1 {
            tokio::task::yield_now().await;
        }
        a_second().await;
        a_second().await;
        let tickets: Vec<_> = taken.iter().map(|it| it.ticket).collect();
        other.rollback(&tickets, Duration::ZERO).await.unwrap();
    };
    let (ran, ()) = tokio::join!(scene.run(pipeline), gives_back);
    assert_eq!(ran.unwrap().delivered, 3);
}

#[test]
fn what_waits_for_a_thread_is_not_taken_for_what_hangs() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let counts = runtime.block_on(async {
        // The store needs the threads too: it is opened before they are taken.
        let scene = Scene::numbers(3).await;
        let (release, held) = mpsc::sync_channel::<()>(0);
        tokio::task::spawn_blocking(move || held.recv());
        let mut impatient = options();
        impatient.policy.step_timeout = Duration::from_millis(20);
        let filter = closure::filter(|_: &Parcel| Ok(true));
        let pipeline = scene
            .pipeline()
            .with_step(Step::filter(name("all"), filter));
        let frees = async {
            a_fifth_of_a_second().await;
            drop(release);
        };
        let (ran, ()) = tokio::join!(scene.run(pipeline.with_options(impatient)), frees);
        ran.unwrap()
    });
    assert_eq!((counts.delivered, counts.dead_lettered), (3, 0));
}

async fn a_fifth_of_a_second() {
    let _ = tokio::time::timeout(Duration::from_millis(200), pending::<()>()).await;
}

/// Leases that cannot be extended, since who keeps them does not answer.
#[derive(Debug)]
struct SilentKeeper(TestConnector);

#[async_trait]
impl Connector for SilentKeeper {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        self.0.poll(max).await
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        self.0.ack(receipt).await
    }

    async fn nack(&self, receipt: IntakeReceipt, why: &StageError) -> Result<(), StageError> {
        self.0.nack(receipt, why).await
    }

    fn lease(&self) -> Option<Duration> {
        Some(Duration::from_secs(30))
    }

    async fn extend(&self, _receipts: &[IntakeReceipt]) -> Result<(), StageError> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn leases_whose_keeper_is_silent_hold_up_no_delivery() {
    let scene = Scene::numbers(0).await;
    let intake = |number: u64| {
        let message = Message::new(number.to_string());
        Intake::new(IntakeReceipt(number), [message])
    };
    let connector = SilentKeeper(TestConnector {
        left: Mutex::new((0..10).map(intake).collect()),
        acknowledged: Mutex::default(),
    });
    let delivered = Arc::default();
    let port = LatePort {
        times_each: true,
        delivered: Arc::clone(&delivered),
        ..LatePort::default()
    };
    let pipeline = Pipeline::from_connector("in".parse().unwrap(), connector, port)
        .with_dead_letters(scene.store.clone(), "dead".parse().unwrap())
        .with_options(options());
    let ran = tokio::time::timeout(Duration::from_secs(3600), scene.run(pipeline)).await;
    assert_eq!(ran.unwrap().unwrap().delivered, 10);
}
