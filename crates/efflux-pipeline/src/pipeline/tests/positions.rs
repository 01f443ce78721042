//! A port that keeps the position: where it begins, and what goes back into it.

use super::*;

async fn keeping(count: usize) -> Scene {
    let mut scene = Scene::numbers(count).await;
    scene.keeps_position = true;
    scene
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_begins_at_the_head_begins_there_once() {
    let scene = keeping(3).await;
    let pipeline = || {
        scene.pipeline().with_options(PipelineOptions {
            start: Start::Head,
            ..options()
        })
    };
    assert_eq!(scene.run(pipeline()).await.unwrap().received, 0);
    assert_eq!(scene.position(), Some(3));
    for number in 3..5 {
        let message = Message::new(number.to_string());
        scene.topic.append(message).await.unwrap();
    }
    scene.run(pipeline()).await.unwrap();
    assert_eq!(scene.delivered(), texts(3..5));
}

#[tokio::test(start_paused = true)]
async fn what_is_replayed_is_delivered_once_and_leaves_the_pipelines_own_position_alone() {
    let mut scene = keeping(10).await;
    scene.poison = Some("3");
    scene.run(scene.pipeline()).await.unwrap();
    assert_eq!(scene.letters().await.len(), 1);
    assert_eq!(scene.delivered().len(), 9);

    scene.poison = None;
    let replay = scene.pipeline().replaying().await.unwrap();
    scene.run(replay).await.unwrap();
    assert_eq!(scene.delivered().last().map(String::as_str), Some("3"));

    // Neither the one nor the other does anything again.
    let replay = scene.pipeline().replaying().await.unwrap();
    assert_eq!(scene.run(replay).await.unwrap().received, 0);
    assert_eq!(scene.run(scene.pipeline()).await.unwrap().received, 0);
    assert_eq!(scene.delivered().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn letters_that_become_much_are_replayed_piece_by_piece_and_none_is_left_out() {
    let scene = keeping(40).await;
    // What the step says to the message 30; to the others it says so too when that is a rejection.
    let pipeline = |says: Option<fn(&'static str) -> StageError>, to_all: bool| {
        let grow = closure::transform(move |input: Parcel, out| {
            let text = input.text()?;
            match says {
                Some(says) if to_all || text == "30" => Err(says("not yet")),
                _ => out.push(Message::new(format!("{text}{}", " ".repeat(1 << 20)))),
            }
        });
        let step = Step::transform(name("grow"), grow);
        scene.pipeline().with_step(step)
    };
    let rejected = pipeline(Some(StageError::rejected), true);
    scene.run(rejected).await.unwrap();
    assert_eq!(scene.letters().await.len(), 40);
    // The replay is cut short in the middle, and goes on there.
    let cut_short = pipeline(Some(StageError::fatal), false);
    let cut_short = cut_short.replaying().await.unwrap();
    assert!(scene.run(cut_short).await.is_err());
    let begun = scene.delivered().len();
    assert!(begun > 0 && begun < 40, "{begun}");
    let replay = pipeline(None, false).replaying().await.unwrap();
    scene.run(replay).await.unwrap();
    let delivered = scene.delivered();
    let delivered: Vec<_> = delivered.iter().map(|text| text.trim_end()).collect();
    assert_eq!(delivered, texts(0..40));
}
