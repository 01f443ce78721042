//! Tests of steps in a row.

use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use efflux_storage::particle::Message;
use parking_lot::Mutex;

use super::*;
use crate::closure;
use crate::filter::QueryFilter;

fn policy() -> Policy {
    Policy::default()
}

/// Long enough for what does not hang, also on a busy machine.
fn impatient() -> Policy {
    Policy {
        step_timeout: Duration::from_secs(1),
        ..Policy::default()
    }
}

fn parcels(payloads: &[&'static str]) -> Vec<Parcel> {
    let messages = payloads.iter().map(|payload| Message::new(*payload));
    let numbered = messages.enumerate();
    numbered
        .map(|(number, message)| message.with_id(format!("m-{number}").parse().unwrap()))
        .map(Parcel::of_message)
        .collect()
}

fn name(name: &str) -> crate::StepName {
    name.parse().unwrap()
}

/// Makes one message of each letter.
fn letters() -> Step {
    Step::transform(
        name("letters"),
        closure::transform(|input, out| {
            for letter in input.text()?.chars() {
                out.push(Message::new(letter.to_string()))?;
            }
            Ok(())
        }),
    )
}

fn texts(outcome: &Outcome) -> Vec<String> {
    let parcels = outcome.parcels.iter();
    parcels.map(|parcel| parcel.text().unwrap()).collect()
}

fn without(letter: &'static str) -> Step {
    Step::filter(
        name("without"),
        closure::filter(move |parcel| Ok(parcel.text()? != letter)),
    )
}

/// Does not bear one letter.
fn hating(letter: &'static str, how: fn() -> StageError) -> Step {
    Step::transform(
        name("hating"),
        closure::transform(move |input, out| {
            if input.text()? == letter {
                return Err(how());
            }
            out.push(input.message)
        }),
    )
}

#[tokio::test]
async fn what_becomes_of_messages_keeps_their_order() {
    let chain = Chain::new(vec![letters(), without("b")], policy());
    let outcome = chain.apply(parcels(&["abc", "", "bd"]), 1).await.unwrap();
    assert_eq!(texts(&outcome), ["a", "c", "d"]);
    assert_eq!(outcome.filtered, 2);
}

#[tokio::test]
async fn one_that_fails_among_many_fails_alone_and_is_told_as_it_came_to_the_step() {
    let steps = vec![letters(), hating("b", || StageError::rejected("no b"))];
    let chain = Chain::new(steps, policy());
    let outcome = chain.apply(parcels(&["abc"]), 1).await.unwrap();
    assert_eq!(texts(&outcome), ["a", "c"]);
    let failure = &outcome.failures[0];
    assert_eq!(failure.stage.to_string(), "step hating");
    assert_eq!(failure.parcel.text().unwrap(), "b");
}

#[tokio::test]
async fn one_that_panics_is_rejected() {
    let panicking = closure::transform(|input, out| {
        assert!(input.text()? != "b", "b is not borne");
        out.push(input.message)
    });
    let chain = Chain::new(vec![Step::transform(name("x"), panicking)], policy());
    let outcome = chain.apply(parcels(&["a", "b", "c"]), 1).await.unwrap();
    assert_eq!(texts(&outcome), ["a", "c"]);
    let told = outcome.failures[0].error.to_string();
    assert!(told.contains("b is not borne"), "{told}");
}

/// Hangs at one payload until the sender is dropped.
fn hanging(release: mpsc::Receiver<()>) -> Step {
    let release = Mutex::new(release);
    let hanging = closure::transform(move |input, out| {
        if input.text()? == "b" {
            let _ = release.lock().recv();
        }
        out.push(input.message)
    });
    Step::transform(name("hanging"), hanging)
}

#[tokio::test]
async fn one_that_hangs_is_rejected_and_the_others_go_on() {
    let (release, held) = mpsc::sync_channel::<()>(0);
    let chain = Chain::new(vec![hanging(held)], impatient());
    let outcome = chain.apply(parcels(&["a", "b", "c"]), 1).await.unwrap();
    assert_eq!(texts(&outcome), ["a", "c"]);
    assert!(
        outcome.failures[0]
            .error
            .to_string()
            .contains("longer than")
    );
    drop(release);
}

#[tokio::test]
async fn when_too_many_hang_no_other_is_begun() {
    let (release, held) = mpsc::sync_channel::<()>(0);
    let chain = Chain::new(vec![hanging(held)], impatient());
    let outcome = chain.apply(parcels(&["b"; 9]), 1).await.unwrap();
    assert_eq!((outcome.failures.len(), outcome.rest.len()), (5, 4));
    let (_, error) = chain.stuck().unwrap();
    assert!(matches!(error, StageError::Fatal(_)), "{error:?}");
    let later = chain.apply(parcels(&["a"]), 1).await.unwrap();
    assert_eq!(later.rest.len(), 1);
    drop(release);
}

/// Is away for the first times it is asked.
#[derive(Debug)]
struct Away(Mutex<u32>);

#[async_trait]
impl AsyncTransform for Away {
    async fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        if input.text()? == "b" {
            let mut times = self.0.lock();
            if *times > 0 {
                *times -= 1;
                return Err(StageError::unavailable("away"));
            }
        }
        out.push(input.message)
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_work_later_is_tried_again_and_keeps_its_place() {
    let away = Step::awaiting(name("away"), Away(Mutex::new(3)));
    let chain = Chain::new(vec![away], policy());
    let outcome = chain.apply(parcels(&["a", "b", "c"]), 1).await.unwrap();
    assert_eq!(texts(&outcome), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn what_never_works_ends_after_its_attempts() {
    let away = Step::awaiting(name("away"), Away(Mutex::new(1000)));
    let chain = Chain::new(vec![away], policy());
    let outcome = chain.apply(parcels(&["a", "b"]), 1).await.unwrap();
    assert_eq!(texts(&outcome), ["a"]);
    assert_eq!(outcome.failures[0].attempts, policy().retry.attempts);
}

#[tokio::test]
async fn a_chain_without_steps_changes_nothing() {
    let chain = Chain::new(Vec::new(), policy());
    let outcome = chain.apply(parcels(&["a", "b"]), 1).await.unwrap();
    assert_eq!(texts(&outcome), ["a", "b"]);
}

#[tokio::test]
async fn a_filter_by_query_is_a_step() {
    let filter = QueryFilter::new("data.total > 100".parse().unwrap());
    let chain = Chain::new(vec![Step::filter(name("large"), filter)], policy());
    let inputs = parcels(&["{\"total\":120}", "{\"total\":7}"]);
    let outcome = chain.apply(inputs, 1).await.unwrap();
    assert_eq!(texts(&outcome), ["{\"total\":120}"]);
}

#[tokio::test]
async fn what_becomes_much_leaves_the_others_for_later_in_their_order() {
    let chain = Chain::new(vec![letters(), without("b")], policy()).in_slices_of(3 * 512);
    let mut inputs = parcels(&["abc", "dbe", "fgh", "i"]);
    let mut slices = Vec::new();
    while !inputs.is_empty() {
        let outcome = chain.apply(inputs, 1).await.unwrap();
        slices.push(texts(&outcome).concat());
        inputs = outcome.rest;
    }
    assert_eq!(slices, ["acde", "fgh", "i"]);
}

#[tokio::test]
async fn what_is_left_in_the_middle_of_the_steps_goes_on_there() {
    let away = || Step::awaiting(name("away"), Away(Mutex::new(0)));
    let behind = Step::transform(
        name("twice"),
        closure::transform(|input, out| {
            out.push(input.message.clone())?;
            out.push(input.message)
        }),
    );
    let chain = Chain::new(vec![letters(), away(), behind], policy()).in_slices_of(2 * 512);
    let mut inputs = parcels(&["abcde", "fg"]);
    let (mut made, mut slices) = (String::new(), 0);
    while !inputs.is_empty() {
        let outcome = chain.apply(inputs, 1).await.unwrap();
        assert!(outcome.parcels.len() <= 4, "{}", outcome.parcels.len());
        made.push_str(&texts(&outcome).concat());
        inputs = outcome.rest;
        slices += 1;
    }
    assert_eq!(made, "aabbccddeeffgg");
    assert!(slices > 3, "{slices}");
}
