//! Messages that become much: they are taken through the steps and delivered piece by piece.

use std::collections::HashSet;

use super::*;
use crate::emit::Emit;
use crate::limits::{SLICE_BYTES, WAITING_BYTES_MAX};
use crate::transform::AsyncTransform;

/// Each message becomes this many, of a mebibyte each.
const PARTS: usize = 3;
const PART_BYTES: usize = 1024 * 1024;
const MESSAGES: usize = 24;

/// Looks at how much waits for it, and keeps the numbers of what comes.
#[derive(Debug, Default)]
struct Seen {
    numbers: Vec<String>,
    position: Option<u64>,
    bytes_most: usize,
    /// What the next deliveries answer.
    answers: VecDeque<Result<(), Failed>>,
}

#[derive(Debug)]
struct LookingPort {
    seen: Arc<Mutex<Seen>>,
    keeps_position: bool,
}

#[async_trait]
impl Port for LookingPort {
    async fn open(&self, _reader: &Reader) -> Result<Kept, StageError> {
        Ok(match self.keeps_position {
            true => Kept::Position(self.seen.lock().position),
            false => Kept::Nothing,
        })
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let mut seen = self.seen.lock();
        seen.answers.pop_front().unwrap_or(Ok(()))?;
        let bytes = batch.parcels.iter().map(Parcel::weight).sum();
        seen.bytes_most = seen.bytes_most.max(bytes);
        let number = |it: &Parcel| it.message.property("number").unwrap().to_owned();
        seen.numbers.extend(batch.parcels.iter().map(number));
        if let Some(position) = batch.position {
            assert_eq!(seen.position, position.from);
            assert!(Some(position.to) > position.from);
            seen.position = Some(position.to);
        }
        Ok(())
    }

    fn keeps_position(&self) -> bool {
        self.keeps_position
    }
}

fn parts() -> Step {
    let part = bytes::Bytes::from(vec![b'x'; PART_BYTES]);
    Step::transform(
        name("parts"),
        closure::transform(move |input, out| {
            for number in 0..PARTS {
                let number = format!("{}.{number}", input.text()?);
                let message = Message::new(part.clone()).with_property("number", number);
                out.push(message)?;
            }
            Ok(())
        }),
    )
}

async fn run(keeps_position: bool, seen: &Arc<Mutex<Seen>>, scene: &Scene) -> Counts {
    let port = LookingPort {
        seen: Arc::clone(seen),
        keeps_position,
    };
    let pipeline = Pipeline::from_topic("test".parse().unwrap(), scene.topic.clone(), port);
    let pipeline = pipeline.with_step(parts()).with_options(options());
    scene.run(pipeline).await.unwrap()
}

fn expected() -> Vec<String> {
    let numbers = (0..MESSAGES).flat_map(|it| (0..PARTS).map(move |part| format!("{it}.{part}")));
    numbers.collect()
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_becomes_much_is_delivered_piece_by_piece_and_answered_once() {
    let scene = Scene::numbers(MESSAGES).await;
    let seen = Arc::default();
    let counts = run(false, &seen, &scene).await;
    assert_eq!(counts.delivered, (MESSAGES * PARTS) as u64);
    assert_eq!(seen.lock().numbers, expected());
    let most = SLICE_BYTES + PARTS * (PART_BYTES + 512);
    assert!(seen.lock().bytes_most <= most, "{}", seen.lock().bytes_most);
    assert!(most < WAITING_BYTES_MAX && MESSAGES * PARTS * PART_BYTES > WAITING_BYTES_MAX);
    assert_eq!(run(false, &seen, &scene).await.received, 0);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_keeps_the_position_gets_whole_particles_with_it() {
    let scene = Scene::numbers(MESSAGES).await;
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let away = || Err(Failed::Whole(StageError::unavailable("away")));
    seen.lock().answers.extend((0..3).map(|_| away()));
    run(true, &seen, &scene).await;
    assert_eq!(seen.lock().numbers, expected());
    assert_eq!(seen.lock().position, Some(MESSAGES as u64));
    assert!(seen.lock().bytes_most < 2 * SLICE_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_a_batch_gives_the_rest_back() {
    let scene = Scene::numbers(MESSAGES).await;
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let stop = Err(Failed::Whole(StageError::fatal("no such table")));
    seen.lock().answers.extend([Ok(()), Ok(()), stop]);
    let port = || LookingPort {
        seen: Arc::clone(&seen),
        keeps_position: true,
    };
    let pipeline = || {
        let name = "test".parse().unwrap();
        let pipeline = Pipeline::from_topic(name, scene.topic.clone(), port());
        pipeline.with_step(parts()).with_options(options())
    };
    assert!(scene.run(pipeline()).await.is_err());
    let delivered = seen.lock().numbers.len();
    assert!(delivered > 0 && delivered < MESSAGES * PARTS, "{delivered}");
    scene.run(pipeline()).await.unwrap();
    assert_eq!(seen.lock().numbers, expected());
}

/// Takes the longer, the earlier what it gets comes.
#[derive(Debug, Default)]
struct FasterAndFaster {
    begun: Mutex<u64>,
    numbers: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Port for FasterAndFaster {
    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let begun = {
            let mut begun = self.begun.lock();
            *begun += 1;
            *begun
        };
        let time = Duration::from_secs(60_u64.saturating_sub(5 * begun));
        let _ = tokio::time::timeout(time, pending::<()>()).await;
        let number = |it: &Parcel| it.message.property("number").unwrap().to_owned();
        self.numbers.lock().extend(batch.parcels.iter().map(number));
        Ok(())
    }
}

/// Gives each message a mebibyte; some at the second try only.
#[derive(Debug, Default)]
struct Growing {
    fails_first: bool,
    asked: Mutex<HashSet<String>>,
}

#[async_trait]
impl AsyncTransform for Growing {
    async fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let number = input.text()?;
        if self.asked.lock().insert(number.clone()) && self.fails_first {
            return Err(StageError::unavailable("away"));
        }
        let message = Message::new(vec![b'x'; PART_BYTES]);
        out.push(message.with_property("number", number))
    }
}

fn growing(fails_first: bool) -> Step {
    let growing = Growing {
        fails_first,
        asked: Mutex::default(),
    };
    Step::awaiting(name("fetch"), growing)
}

#[tokio::test(start_paused = true)]
async fn what_one_message_becomes_is_delivered_in_its_order_though_it_is_much() {
    let scene = Scene::numbers(1).await;
    let split = closure::transform(|_, out| {
        let numbers = texts(0..MESSAGES * PARTS).into_iter();
        numbers.map(Message::new).try_for_each(|it| out.push(it))
    });
    let port = FasterAndFaster::default();
    let numbers = Arc::clone(&port.numbers);
    let pipeline = Pipeline::from_topic("test".parse().unwrap(), scene.topic.clone(), port);
    let pipeline = pipeline
        .with_step(Step::transform(name("split"), split))
        .with_step(growing(false))
        .with_options(options());
    scene.run(pipeline).await.unwrap();
    assert_eq!(*numbers.lock(), texts(0..MESSAGES * PARTS));
}

#[tokio::test(start_paused = true)]
async fn what_becomes_much_after_an_outage_is_delivered_piece_by_piece_too() {
    let scene = Scene::numbers(200).await;
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let port = LookingPort {
        seen: Arc::clone(&seen),
        keeps_position: false,
    };
    let pipeline = Pipeline::from_topic("test".parse().unwrap(), scene.topic.clone(), port);
    let pipeline = pipeline.with_step(growing(true));
    let one = PipelineOptions {
        in_flight: 1,
        ..options()
    };
    scene.run(pipeline.with_options(one)).await.unwrap();
    assert_eq!(seen.lock().numbers, texts(0..200));
    let most = SLICE_BYTES + crate::limits::AWAITED_MAX * (PART_BYTES + 512);
    assert!(seen.lock().bytes_most <= most, "{}", seen.lock().bytes_most);
}

#[tokio::test(start_paused = true)]
async fn what_an_aggregate_becomes_is_delivered_piece_by_piece() {
    let scene = Scene::numbers(MESSAGES * PARTS).await;
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let port = LookingPort {
        seen: Arc::clone(&seen),
        keeps_position: false,
    };
    let back = closure::transform(|input: Parcel, out| {
        let numbers: Vec<u64> = serde_json::from_str(&input.text()?).unwrap();
        let numbers = numbers.into_iter().map(|it| Message::new(it.to_string()));
        numbers.into_iter().try_for_each(|it| out.push(it))
    });
    let pipeline = Pipeline::from_topic("test".parse().unwrap(), scene.topic.clone(), port);
    let pipeline = pipeline
        .with_step(aggregate(MESSAGES * PARTS))
        .with_step(Step::transform(name("back"), back))
        .with_step(growing(false))
        .with_options(options());
    scene.run(pipeline).await.unwrap();
    assert_eq!(seen.lock().numbers, texts(0..MESSAGES * PARTS));
    let most = SLICE_BYTES + crate::limits::AWAITED_MAX * (PART_BYTES + 512);
    assert!(seen.lock().bytes_most <= most, "{}", seen.lock().bytes_most);
}
