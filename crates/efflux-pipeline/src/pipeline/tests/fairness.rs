//! Who is to blame when something fails, and who is not.

use super::*;

/// Fails as a connection does whenever this message is among what it gets; otherwise it takes a
/// moment.
#[derive(Debug)]
struct Choking {
    on: &'static str,
    delivered: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Port for Choking {
    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let texts: Vec<_> = batch.parcels.iter().map(|it| it.text().unwrap()).collect();
        if texts.iter().any(|text| text == self.on) {
            return Err(StageError::unavailable("the connection was lost").into());
        }
        a_second().await;
        self.delivered.lock().extend(texts);
        Ok(())
    }
}

fn three_tries() -> PipelineOptions {
    let mut options = options();
    options.policy.retry = Retry {
        attempts: 3,
        initial: Duration::from_secs(1),
        max: Duration::from_secs(1),
        outage: None,
    };
    options
}

#[tokio::test(start_paused = true)]
async fn a_message_that_breaks_the_connection_while_others_get_through_is_to_blame() {
    for batch in [1, 4] {
        let scene = Scene::numbers(120).await;
        let port = Choking {
            on: "2",
            delivered: Arc::default(),
        };
        let delivered = Arc::clone(&port.delivered);
        let pipeline = Pipeline::from_topic("test".parse().unwrap(), scene.topic.clone(), port);
        let mut options = three_tries();
        options.batch.messages = batch;
        options.in_flight = 2;
        scene.run(pipeline.with_options(options)).await.unwrap();
        let mut delivered = delivered.lock().clone();
        delivered.sort_by_key(|text| text.parse::<usize>().unwrap());
        let others = texts(0..120).into_iter().filter(|it| it != "2");
        assert_eq!(delivered, others.collect::<Vec<_>>());
        let letters = scene.letters().await;
        assert_eq!(letters.len(), 1);
        assert_eq!(
            (letters[0].0.as_str(), letters[0].1.as_str()),
            ("2", "port")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_waited_behind_a_message_of_its_group_is_tried_before_it_is_given_up() {
    let grouped = (0..4).map(|it| Message::new(it.to_string()).with_message_group("g"));
    let held = |first: usize| {
        let failed = (first..4).map(|at| (at - first, StageError::unavailable("busy")));
        Failed::Parts(failed.collect())
    };
    let scene = Scene::with(grouped).await;
    // The first is busy for three tries, the second for two.
    let scene = scene.answering([held(0), held(0), held(0), held(1), held(1)]);
    let strict = PipelineOptions {
        order: Order::Strict,
        ..three_tries()
    };
    scene
        .run(scene.pipeline().with_options(strict))
        .await
        .unwrap();
    assert_eq!(scene.delivered(), texts(1..4));
    let letters = scene.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].0, "0");
}

#[tokio::test(start_paused = true)]
async fn what_the_port_says_it_has_not_tried_has_not_failed() {
    let untried = |at: usize| {
        let why = StageError::untried("the server went away before it");
        Failed::Parts(vec![(at, why)])
    };
    let scene = Scene::numbers(3).await;
    let scene = scene.answering([untried(2), untried(0), untried(0), untried(0), untried(0)]);
    let strict = PipelineOptions {
        order: Order::Strict,
        ..three_tries()
    };
    let pipeline = scene.pipeline().with_options(strict);
    scene.run(pipeline).await.unwrap();
    assert_eq!(scene.delivered(), texts(0..3));
    assert!(scene.letters().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_that_of_all_deliveries_together() {
    let scene = Scene::numbers(100).await;
    let slow = PipelineOptions {
        rate_max: Some(10),
        batch: IntakeMax {
            messages: 5,
            bytes: 1024,
        },
        in_flight: 8,
        ..options()
    };
    let begun = tokio::time::Instant::now();
    scene
        .run(scene.pipeline().with_options(slow))
        .await
        .unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(9_900), "{took:?}");
    assert!(took < Duration::from_secs(13), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn times_without_bounds_are_as_good_as_never() {
    let scene = Scene::numbers(3).await;
    let endless = PipelineOptions {
        drain: Duration::MAX,
        ends_when_idle: Some(Duration::MAX),
        ..options()
    };
    let pipeline = scene.pipeline().with_options(endless);
    let counters = pipeline.counters();
    pipeline.run(a_second()).await.unwrap();
    assert_eq!(counters.counts().delivered, 3);
}
