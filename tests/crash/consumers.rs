//! Consumers over crashes: a commit that returned lasts, and every particle is delivered.
//!
//! Tables of sealed segments are written in the background, so that a seed gives the same workload
//! each time, but not the same interleaving.

use std::collections::BTreeSet;
use std::time::Duration;

use efflux_node::storage;
use storage::conformance::{Guard, Random};
use storage::particle::Particle;
use storage::{Consumer, ConsumerOptions, Sync, Ticket, TopicOptions};

use crate::every::block_on;
use crate::history::Verdict;
use crate::random::first_failure;
use crate::session::{Ending, Session, read_all};

const CASES: u64 = 600;

/// What a consumer was given and what it committed, by fingerprint.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// Commits that returned and must last.
    pub(crate) committed: BTreeSet<String>,
    /// Commits that were tried: their particles need not come again.
    tried: BTreeSet<String>,
}

pub(crate) fn key(particle: &Particle) -> String {
    particle.fingerprint().to_string()
}

pub(crate) async fn consumer(session: &Session) -> Verdict<Consumer> {
    let topic = session.topic.as_ref().ok_or("nothing is open")?;
    let name = "keeper".parse().map_err(|error| format!("{error}"))?;
    let options = ConsumerOptions::default().with_max_deliveries(None);
    let opened = Consumer::open(topic, &name, options).await;
    opened.map_err(|error| format!("opening the consumer: {error}"))
}

/// Opens the topic and the consumer; none when the disk failed meanwhile.
pub(crate) async fn opened_consumer(session: &mut Session) -> Verdict<Option<Consumer>> {
    let faults = session.disk.faults();
    if !session.open().await? {
        return Ok(None);
    }
    let opened = consumer(session).await;
    if session.disk.faults() > faults {
        return Ok(None);
    }
    opened.map(Some)
}

pub(crate) async fn consume(
    session: &mut Session,
    consumer: &Consumer,
    kept: &mut Kept,
) -> Verdict {
    let most = 1 + session.random.at_most(4);
    let Ok(deliveries) = consumer.receive(most, Duration::ZERO).await else {
        return Ok(());
    };
    for delivery in &deliveries {
        if kept.committed.contains(&key(&delivery.particle)) {
            let place = delivery.particle.sequence();
            return Err(format!("sequence {place} was committed and comes again"));
        }
    }
    let tickets: Vec<Ticket> = deliveries.iter().map(|one| one.ticket).collect();
    match session.random.below(4) {
        0 => drop(consumer.rollback(&tickets, Duration::ZERO).await),
        1 => {}
        _ => {
            let keys: Vec<_> = deliveries.iter().map(|one| key(&one.particle)).collect();
            kept.tried.extend(keys.iter().cloned());
            let at = session.random.at_most(tickets.len());
            let ((one, other), (one_keys, other_keys)) = (tickets.split_at(at), keys.split_at(at));
            // The second is written while the first is synced.
            let done = tokio::join!(consumer.commit(one), consumer.commit(other));
            if done.0.is_ok() {
                kept.committed.extend(one_keys.iter().cloned());
            }
            if done.1.is_ok() {
                kept.committed.extend(other_keys.iter().cloned());
            }
        }
    }
    Ok(())
}

pub(crate) async fn append(session: &mut Session) -> Verdict {
    let Some(topic) = session.topic.clone() else {
        return Ok(());
    };
    let count = 1 + session.random.at_most(3);
    let (attempt, messages) = session.new_messages(count, false);
    let answer = topic.append_batch(messages).await;
    let operations = session.disk.operations();
    session.has_failed |= answer.is_err();
    session.history.end(attempt, answer, operations)
}

async fn life(session: &mut Session, kept: &mut Kept) -> Verdict {
    let Some(consumer) = opened_consumer(session).await? else {
        return Ok(());
    };
    let at = session.disk.operations() + 1 + session.random.below(80);
    match session.random.below(4) {
        0 => {}
        1 => session.disk.fail_at(at),
        _ => session.disk.crash_at(at),
    }
    for _ in 0..session.random.below(20) {
        if session.disk.is_down() || session.has_failed {
            break;
        }
        match session.random.below(3) {
            0 => append(session).await?,
            _ => consume(session, &consumer, kept).await?,
        }
    }
    Ok(())
}

/// All that is left comes, nothing that was committed does, and together they are everything.
pub(crate) async fn drain(session: &mut Session, kept: &mut Kept) -> Verdict {
    session.disk.plan_nothing();
    if !session.open().await? {
        return Err("opening failed although no fault was planned".to_owned());
    }
    // Leases from before run out.
    session.clock.advance(Duration::from_secs(3600));
    let consumer = consumer(session).await?;
    loop {
        let received = consumer.receive(100, Duration::ZERO).await;
        let deliveries = received.map_err(|error| format!("receiving: {error}"))?;
        if deliveries.is_empty() {
            break;
        }
        for delivery in deliveries {
            let (particle, place) = (key(&delivery.particle), delivery.particle.sequence());
            if kept.committed.contains(&particle) {
                return Err(format!("sequence {place} was committed and comes again"));
            }
            let committed = consumer.commit(&[delivery.ticket]).await;
            committed.map_err(|error| format!("committing {place}: {error}"))?;
            kept.tried.insert(particle.clone());
            kept.committed.insert(particle);
        }
    }
    let topic = session.topic.clone().ok_or("nothing is open")?;
    for particle in read_all(&topic).await?.iter().skip(1) {
        let particle_key = key(particle);
        if !kept.committed.contains(&particle_key) && !kept.tried.contains(&particle_key) {
            let place = particle.sequence();
            return Err(format!("sequence {place} was never delivered"));
        }
    }
    Ok(())
}

/// The case that follows from a seed.
pub(crate) async fn live(seed: u64, guard_off: Option<Guard>) -> Verdict {
    let mut random = Random::new(!seed);
    let policies = [
        Sync::Always,
        Sync::Os,
        Sync::Interval(Duration::from_secs(3600)),
    ];
    let sync = *random.pick(&policies).unwrap_or(&Sync::Always);
    let options = TopicOptions::default()
        .with_sync(sync)
        .with_segment_bytes(4096);
    let mut session = Session::new(seed, options, guard_off);
    session.is_off_for_consumers = true;
    let mut kept = Kept::default();
    for _ in 0..=session.random.below(4) {
        life(&mut session, &mut kept).await?;
        let ending = *session.random.pick(&Ending::ALL).unwrap_or(&Ending::Kill);
        session.end(ending).await?;
        if sync == Sync::Os && matches!(ending, Ending::PowerCut | Ending::CloseAndPowerCut) {
            kept.committed.clear();
        }
    }
    let drained = drain(&mut session, &mut kept).await;
    drained.map_err(|problem| format!("sync {sync}: {problem}"))?;
    session.end(Ending::PowerCut).await?;
    if sync == Sync::Os {
        kept.committed.clear();
    }
    drain(&mut session, &mut kept).await
}

#[test]
fn commits_last_and_every_particle_is_delivered() {
    if let Some((seed, problem)) = first_failure(1, CASES, |seed| block_on(live(seed, None))) {
        panic!("seed {seed}: {problem}");
    }
}
