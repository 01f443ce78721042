//! Many callers at once.

use std::collections::BTreeMap;

use efflux_particle::{Message, Sequence};
use tokio::task::JoinSet;

use super::fixture::Fixture;
use super::sample::{fill, id, kind, message, read_all, topic};
use crate::error::{Error, ErrorKind, Result};
use crate::expect::Expect;
use crate::query::Query;
use crate::topic::Topic;
use crate::verify::Progress;

const CALLERS: usize = 16;

/// Does the same as many tasks at once; what each of them answered.
async fn race<T, F>(work: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        tasks.spawn(work(caller));
    }
    let mut answers = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        answers.push(answer.map_err(|error| Error::invalid(error.to_string()))?);
    }
    Ok(answers)
}

/// Threads that wait for their appends and tasks that do not append side by side.
pub async fn waiting_threads_and_tasks_append_side_by_side(fixture: &dyn Fixture) -> Result<()> {
    const EACH: usize = 25;
    let topic = topic(fixture).await?;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let topic = topic.clone();
            std::thread::spawn(move || {
                let append = |_| topic.append_blocking(Message::new("waits"));
                (0..EACH).map(append).collect::<Result<Vec<_>>>()
            })
        })
        .collect();
    let handle = topic.clone();
    let answers = race(move |_| {
        let topic = handle.clone();
        async move { topic.append(Message::new("does not wait")).await }
    });
    let mut receipts = answers.await?.into_iter().collect::<Result<Vec<_>>>()?;
    for thread in threads {
        let joined = thread
            .join()
            .map_err(|_| Error::invalid("a thread panicked"))?;
        receipts.extend(joined?);
    }
    let mut places: Vec<_> = receipts
        .iter()
        .map(|receipt| receipt.sequence.get())
        .collect();
    places.sort_unstable();
    let expected: Vec<_> = (1..=(4 * EACH + CALLERS) as u64).collect();
    assert_eq!(places, expected);
    assert_eq!(topic.verify(Progress::default()).await?.head, topic.head());
    Ok(())
}

/// Each caller's particles stand in the order in which it appended them, and nobody's is missing.
pub async fn each_callers_particles_keep_their_order(fixture: &dyn Fixture) -> Result<()> {
    const EACH: usize = 40;
    let topic = topic(fixture).await?;
    let handle = topic.clone();
    let answers = race(move |caller| {
        let topic = handle.clone();
        async move {
            for number in 0..EACH {
                let message = Message::new(format!("{caller} {number}"));
                let batch = if number % 5 == 0 {
                    vec![message.clone(), message]
                } else {
                    vec![message]
                };
                topic.append_batch(batch).await?;
            }
            Ok::<_, Error>(())
        }
    });
    answers.await?.into_iter().collect::<Result<Vec<()>>>()?;
    let mut next = BTreeMap::<usize, usize>::new();
    for particle in read_all(&topic).await?.iter().skip(1) {
        let payload = particle.payload();
        let text = String::from_utf8_lossy(&payload);
        let mut numbers = text.split(' ').filter_map(|number| number.parse().ok());
        let (caller, number) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let expected = next.entry(caller).or_default();
        let is_first_of_two = particle.metadata().batch_remaining() > 0;
        assert_eq!(number, *expected, "caller {caller}");
        *expected += usize::from(!is_first_of_two);
    }
    assert!(next.len() == CALLERS && next.values().all(|count| *count == EACH));
    assert_eq!(topic.verify(Progress::default()).await?.head, topic.head());
    Ok(())
}

/// Of many appends with one expectation, exactly one finds it true, and the others conflict.
pub async fn one_of_many_with_the_same_expectation_wins(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    for round in 0..20 {
        let head = topic.head();
        let expects = [
            Expect::Head(head),
            Expect::Group {
                group: format!("round {round}"),
                last: None,
            },
            Expect::NoMatch {
                query: Query::data_type(format!("round {round}")),
                after: Sequence::ROOT,
            },
            Expect::Empty,
        ];
        let at = if round == 0 { 3 } else { round % 3 };
        let expect = expects.get(at).cloned().unwrap_or_default();
        let handle = topic.clone();
        let answers = race(move |_| {
            let (topic, expect) = (handle.clone(), expect.clone());
            let message = Message::new("raced")
                .with_data_type(format!("round {round}"))
                .with_message_group(format!("round {round}"));
            async move { topic.append_expecting(vec![message], expect).await }
        });
        let answers = answers.await?;
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        let lost = answers
            .iter()
            .filter(|answer| kind(answer) == Some(ErrorKind::Conflict))
            .count();
        assert_eq!((won, lost), (1, CALLERS - 1), "round {round}");
        assert_eq!(topic.head().sequence, head.sequence.next());
    }
    Ok(())
}

/// One message that many append at once is added once, and all are told its place.
pub async fn one_message_appended_by_many_is_added_once(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    for round in 0..20 {
        let named = message(round).with_id(id(round)?);
        let handle = topic.clone();
        let answers = race(move |_| {
            let (topic, named) = (handle.clone(), named.clone());
            async move { topic.append(named).await }
        });
        let receipts = answers.await?.into_iter().collect::<Result<Vec<_>>>()?;
        let new = receipts.iter().filter(|receipt| !receipt.duplicate).count();
        let place = Sequence::new(round as u64 + 1);
        assert_eq!(new, 1);
        assert!(receipts.iter().all(|receipt| receipt.sequence == place));
        assert_eq!(topic.head().sequence, place);
    }
    Ok(())
}

/// Reads what the last particle counted and appends one more, if no other came in between.
async fn count_once(topic: &Topic) -> Result<()> {
    loop {
        let head = topic.head();
        let last = topic.get(head.sequence).await?;
        let payload = last.map(|last| last.payload()).unwrap_or_default();
        let count: u64 = String::from_utf8_lossy(&payload).parse().unwrap_or(0);
        let next = Message::new((count + 1).to_string()).with_data_type("count");
        let expect = Expect::NoMatch {
            query: Query::data_type("count"),
            after: head.sequence,
        };
        match topic.append_expecting(vec![next], expect).await {
            Err(error) if error.kind() == ErrorKind::Conflict => tokio::task::yield_now().await,
            done => return done.map(drop),
        }
    }
}

/// Deciders that read, decide and append on condition count without a slip.
pub async fn a_counter_kept_by_expectations_never_slips(fixture: &dyn Fixture) -> Result<()> {
    const EACH: usize = 10;
    let topic = topic(fixture).await?;
    let handle = topic.clone();
    let answers = race(move |_| {
        let topic = handle.clone();
        async move {
            for _ in 0..EACH {
                count_once(&topic).await?;
            }
            Ok::<_, Error>(())
        }
    });
    answers.await?.into_iter().collect::<Result<Vec<()>>>()?;
    for (number, particle) in read_all(&topic).await?.iter().enumerate().skip(1) {
        assert_eq!(particle.payload(), number.to_string());
    }
    assert_eq!(topic.head().sequence.get(), (CALLERS * EACH) as u64);
    Ok(())
}

/// Verifying a topic that grows meanwhile, segment by segment, finds nothing to tell.
pub async fn verifying_beside_appends_finds_nothing_wrong(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let handle = topic.clone();
    let mut filling = tokio::spawn(async move { fill(&handle, 0..1500).await });
    let mut last = Sequence::ROOT;
    let mut is_filled = false;
    while !is_filled {
        is_filled = filling.is_finished();
        let before = topic.head();
        let verified = topic.verify(Progress::default()).await?;
        assert_eq!(verified.notes, Vec::<String>::new());
        assert!(verified.head.sequence >= before.sequence.max(last));
        last = verified.head.sequence;
    }
    let filled = (&mut filling).await;
    filled.map_err(|error| Error::invalid(error.to_string()))??;
    assert_eq!(last.get(), 1500);
    Ok(())
}
