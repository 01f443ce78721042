//! Topic, filter, jq, topic.

use std::time::Duration;

use efflux_node::particle::{ConsumerName, Id, Message, Particle, TopicName};
use efflux_node::pipeline::{
    CAUSE, CORRELATION, Jq, JqSettings, Pipeline, QueryFilter, Step, TopicsPort,
};
use efflux_node::storage::{Consumer, ConsumerOptions, TopicOptions};
use sha2::{Digest, Sha256};

use super::by_hand::{Program, goes_on};
use super::orders::{FILTER, PROGRAM};
use super::{BATCH_MESSAGES, Bench};
use crate::Result;

/// A loop as one writes it: receive, look, transform, append, commit. What is appended has an id that
/// follows from the order's, so that what is received twice is there once, and says what it was made
/// of, as with a pipeline.
pub(super) async fn by_hand(
    bench: &Bench<'_>,
    consumer: &ConsumerName,
    target: &TopicName,
) -> Result<u64> {
    let program = Program::compile()?;
    let target = bench
        .store
        .create_topic(target, TopicOptions::default())
        .await?;
    let consumer = Consumer::open(&bench.orders, consumer, ConsumerOptions::default()).await?;
    let mut count = 0;
    while count < bench.count {
        let received = consumer
            .receive(BATCH_MESSAGES, Duration::from_secs(1))
            .await?;
        let mut messages = Vec::with_capacity(received.len());
        for delivery in &received {
            messages.extend(transformed(&program, &delivery.particle)?);
        }
        if !messages.is_empty() {
            target.append_batch(messages).await?;
        }
        let tickets: Vec<_> = received.iter().map(|delivery| delivery.ticket).collect();
        consumer.commit(&tickets).await?;
        count += tickets.len() as u64;
    }
    Ok(count)
}

fn transformed(program: &Program, particle: &Particle) -> Result<Option<Message>> {
    let order = jaq_json::read::parse_single(&particle.payload()).map_err(|it| it.to_string())?;
    if !goes_on(&order) {
        return Ok(None);
    }
    let made = program.run(order)?;
    let cause = particle.metadata().id().to_string();
    let message = Message::from(particle).with_payload(made);
    let message = message
        .with_id(derived(&cause))
        .with_property(CAUSE, &cause)
        .with_property(CORRELATION, &cause);
    Ok(Some(message))
}

fn derived(cause: &str) -> Id {
    let hash = Sha256::digest(cause);
    let mut id = [0; 16];
    for (place, byte) in id.iter_mut().zip(hash) {
        *place = byte;
    }
    Id::from_uuid(id)
}

pub(super) async fn by_pipeline(
    bench: &Bench<'_>,
    name: ConsumerName,
    target: TopicName,
) -> Result<u64> {
    let settings = JqSettings {
        program: PROGRAM.to_owned(),
        steps_max: 10_000,
    };
    let port = TopicsPort::new(bench.store.clone(), target, Some(TopicOptions::default()));
    let pipeline = Pipeline::from_topic(name, bench.orders.clone(), port)
        .with_step(Step::filter(
            "filter".parse()?,
            QueryFilter::new(FILTER.parse()?),
        ))
        .with_step(Step::transform("jq".parse()?, Jq::new(&settings)?));
    bench.run(pipeline).await
}
