//! A consumer that a node keeps.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use efflux_particle::{ConsumerName, TopicName};
use tokio::time::Instant;

use super::call::{Call, topic_path, unreadable};
use super::client::{Client, WAIT_MAX};
use super::frames::{Order, particles};
use super::wire::{
    ConsumerShown, DELIVERIES, DeliveriesHead, Extend, Receive, Rollback, Seek, Tickets,
    encode_text, print_start,
};
use crate::consumer::{ConsumerStatus, Delivery, Start, Ticket};
use crate::error::{Error, Result};
use crate::host::HostedConsumer;

/// A consumer that a node keeps.
#[derive(Debug)]
pub(super) struct RemoteConsumer {
    client: Arc<Client>,
    topic: TopicName,
    name: ConsumerName,
}

/// The path of a consumer, and what stands behind it.
pub(super) fn consumer_path(topic: &TopicName, name: &ConsumerName, rest: &str) -> String {
    topic_path(
        topic,
        &format!("/consumers/{}{rest}", encode_text(name.as_str())),
    )
}

impl RemoteConsumer {
    pub(super) fn new(client: Arc<Client>, topic: &TopicName, name: &ConsumerName) -> Self {
        Self {
            client,
            topic: topic.clone(),
            name: name.clone(),
        }
    }

    fn post(&self, rest: &str) -> Call {
        Call::post(consumer_path(&self.topic, &self.name, rest))
    }

    async fn receive_once(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let receive = Receive {
            max,
            wait_ms: millis(wait),
        };
        let call = self.post("/receive").with_json(&receive)?;
        let reply = self
            .client
            .send(call.accepting(DELIVERIES).waiting(wait))
            .await?;
        let end = reply.body.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| unreadable("it has no line of tickets"))?;
        let head =
            serde_json::from_slice::<DeliveriesHead>(reply.body.get(..end).unwrap_or_default());
        let head = head.map_err(|error| unreadable(&error.to_string()))?;
        let particles = particles(&self.topic, &reply.body.slice(end + 1..), Order::Some)?;
        let counts = (head.tickets.len(), head.deliveries.len());
        if counts != (particles.len(), particles.len()) {
            return Err(unreadable("tickets and particles are not as many"));
        }
        let tickets = head.tickets.iter().zip(head.deliveries);
        let deliveries =
            particles
                .into_iter()
                .zip(tickets)
                .map(|(particle, (ticket, deliveries))| {
                    let ticket: Ticket = ticket.parse()?;
                    match ticket.sequence() == particle.sequence() {
                        true => Ok(Delivery {
                            particle,
                            ticket,
                            deliveries,
                        }),
                        false => Err(unreadable("a ticket is of another particle")),
                    }
                });
        deliveries.collect()
    }
}

#[async_trait]
impl HostedConsumer for RemoteConsumer {
    fn name(&self) -> &ConsumerName {
        &self.name
    }

    fn topic(&self) -> &TopicName {
        &self.topic
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        if max == 0 {
            return Err(Error::invalid(
                "a receive takes one particle at least, not 0",
            ));
        }
        let max = max.min(crate::limits::REMOTE_RECEIVE_MAX);
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let deliveries = self.receive_once(max, left.min(WAIT_MAX)).await?;
            if !deliveries.is_empty() || Instant::now() >= until {
                return Ok(deliveries);
            }
        }
    }

    async fn commit(&self, tickets: &[Ticket]) -> Result<()> {
        let tickets = texts(tickets);
        let call = self.post("/commit").with_json(&Tickets { tickets })?;
        self.client.send(call.repeatable()).await.map(drop)
    }

    async fn rollback(&self, tickets: &[Ticket], delay: Duration) -> Result<()> {
        let rollback = Rollback {
            tickets: texts(tickets),
            delay_ms: millis(delay),
        };
        let call = self.post("/rollback").with_json(&rollback)?;
        self.client.send(call.repeatable()).await.map(drop)
    }

    async fn extend(&self, tickets: &[Ticket], by: Duration) -> Result<()> {
        let extend = Extend {
            tickets: texts(tickets),
            by_ms: millis(by),
        };
        let call = self.post("/extend").with_json(&extend)?;
        self.client.send(call.repeatable()).await.map(drop)
    }

    async fn status(&self) -> Result<ConsumerStatus> {
        let call = Call::get(consumer_path(&self.topic, &self.name, ""));
        let shown: ConsumerShown = self.client.send(call).await?.json()?;
        shown.status()
    }

    async fn seek(&self, to: Start) -> Result<()> {
        let seek = Seek {
            to: print_start(to),
        };
        let call = self.post("/seek").with_json(&seek)?;
        self.client.send(call).await.map(drop)
    }
}

fn texts(tickets: &[Ticket]) -> Vec<String> {
    tickets.iter().map(ToString::to_string).collect()
}

/// Whole milliseconds, rounded up.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
