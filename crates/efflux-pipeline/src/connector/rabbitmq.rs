//! Messages of a queue of RabbitMQ, by AMQP 0.9.1.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;

use crate::amqp::limits::PREFETCH_DEFAULT;
use crate::amqp::{Broker, arrival, failed, short};
use crate::arrival::{WithoutId, nonce};
use crate::connector::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::derived_id::derived_id;
use crate::parcel::Parcel;
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;

/// What a connector of RabbitMQ has to know.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct RabbitMqConnectorSettings {
    /// Where the broker is: `amqp://USER:PASSWORD@HOST:5672/VHOST`, `amqps://` for TLS. The virtual
    /// host `/` is written `%2f`.
    pub url: Secret,
    /// A file of certificates, in PEM, that are believed in place of those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The queue. It has to be there.
    pub queue: String,
    /// How many messages the broker delivers before it is answered: what the connector holds in
    /// memory at most. At least 1.
    #[serde(default = "prefetch_default")]
    #[cfg_attr(feature = "file", schemars(range(min = 1)))]
    pub prefetch: u16,
    /// Which id a message gets whose sender gave it none.
    #[serde(default)]
    pub without_id: WithoutId,
}

const fn prefetch_default() -> u16 {
    PREFETCH_DEFAULT
}

impl RabbitMqConnectorSettings {
    /// All that is wrong, without asking the broker.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let of_url = Broker::new(&self.url, None).err();
        let of_url = of_url.map(|error| SettingFault::from(error).within("url"));
        let mut faults: Vec<_> = of_url.into_iter().collect();
        let of_queue = short("the queue's name", &self.queue).err();
        faults.extend(of_queue.map(|error| SettingFault::from(error).within("queue")));
        let no_queue = "no queue is named";
        faults.extend(SettingFault::unless(
            !self.queue.is_empty(),
            "queue",
            no_queue,
        ));
        let what = "prefetch has to be at least 1";
        faults.extend(SettingFault::unless(self.prefetch > 0, "prefetch", what));
        faults
    }
}

/// Brings the messages of a queue.
///
/// The broker is told that a message is taken when all that became of it is durable, and not
/// before. When the connection is lost, it delivers again what it was not told of. So that this
/// adds nothing to a topic, senders give their messages a message id; see
/// [`RabbitMqConnectorSettings::without_id`] for messages that have none.
#[derive(Debug)]
pub struct RabbitMqConnector {
    settings: RabbitMqConnectorSettings,
    broker: Broker,
    link: AsyncMutex<Option<Link>>,
    is_linked: AtomicBool,
    unanswered: Mutex<Unanswered>,
}

/// A connection on which the queue is consumed.
#[derive(Debug)]
struct Link {
    connection: Connection,
    // Consuming ends when this is dropped.
    _channel: Channel,
    consumer: lapin::Consumer,
    number: u64,
    /// Which no other connection has: what was delivered is told apart by it.
    nonce: [u8; 16],
    /// A delivery that the last intake had no room for.
    held: Option<Delivery>,
    /// Why nothing more comes, found when there was something to return first.
    ended: Option<StageError>,
}

/// Intakes that the broker was not told of, by their receipts. Receipts ascend.
#[derive(Debug, Default)]
struct Unanswered {
    links: u64,
    receipts: u64,
    intakes: BTreeMap<u64, Delivered>,
}

/// What was delivered as one intake, in the order of the deliveries.
#[derive(Clone, Debug)]
struct Delivered {
    link: u64,
    ackers: Vec<Acker>,
}

impl RabbitMqConnector {
    /// A connector; it connects when it is polled.
    ///
    /// # Errors
    /// `Fatal` when the url is none, or a setting is out of its bounds.
    pub fn new(settings: RabbitMqConnectorSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        Ok(Self {
            broker: Broker::new(&settings.url, settings.ca_file.clone())?,
            settings,
            link: AsyncMutex::default(),
            is_linked: AtomicBool::new(false),
            unanswered: Mutex::default(),
        })
    }

    async fn connect(&self) -> Result<Link, StageError> {
        let queue = &self.settings.queue;
        let (connection, channel) = self.broker.connect(&format!("efflux: {queue}")).await?;
        let name = short("the queue's name", queue)?;
        // Consuming would tell it too, with an error that tells less.
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let doing = format!("consume the queue {queue:?}");
        let tell = |error: lapin::Error| failed(&error, &doing);
        let there = channel.queue_declare(name.clone(), passive, FieldTable::default());
        there.await.map_err(tell)?;
        let qos = channel.basic_qos(self.settings.prefetch, BasicQosOptions::default());
        qos.await.map_err(tell)?;
        let options = BasicConsumeOptions::default();
        let consume = channel.basic_consume(name, "".into(), options, FieldTable::default());
        let consumer = consume.await.map_err(tell)?;
        let number = self.with(|unanswered| {
            unanswered.links += 1;
            unanswered.links
        });
        Ok(Link {
            connection,
            _channel: channel,
            consumer,
            number,
            nonce: nonce()?,
            held: None,
            ended: None,
        })
    }

    fn intake(&self, link: u64, nonce: &[u8; 16], deliveries: Vec<Delivery>) -> Intake {
        let queue = &self.settings.queue;
        let mut intake = Intake::new(IntakeReceipt(0), []);
        let mut ackers = Vec::with_capacity(deliveries.len());
        for mut delivery in deliveries {
            let tag = delivery.delivery_tag.to_le_bytes();
            let message =
                arrival(&mut delivery).into_message(|it| match self.settings.without_id {
                    WithoutId::Content => it.content_id(queue),
                    WithoutId::Fresh => derived_id(&[queue.as_bytes(), nonce, &tag]),
                });
            match message {
                Ok(message) => intake.parcels.push(Parcel::of_message(message)),
                Err(refused) => intake.refused.push(*refused),
            }
            ackers.push(delivery.acker);
        }
        intake.receipt = self.with(|unanswered| {
            unanswered.receipts += 1;
            let delivered = Delivered { link, ackers };
            unanswered.intakes.insert(unanswered.receipts, delivered);
            IntakeReceipt(unanswered.receipts)
        });
        intake
    }

    fn with<T>(&self, change: impl FnOnce(&mut Unanswered) -> T) -> T {
        change(
            &mut self
                .unanswered
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// What a receipt names, and whether nothing before it on its connection is unanswered.
    fn delivered(&self, receipt: IntakeReceipt) -> Option<(Delivered, bool)> {
        self.with(|unanswered| {
            let found = unanswered.intakes.get(&receipt.0)?.clone();
            let mut before = unanswered.intakes.range(..receipt.0);
            let is_first = before.all(|(_, other)| other.link != found.link);
            Some((found, is_first))
        })
    }

    /// Forgets an intake, whose answer every delivery took, or none of it counts.
    fn answered(
        &self,
        receipt: IntakeReceipt,
        mut taken: impl Iterator<Item = lapin::Result<bool>>,
    ) -> Result<(), StageError> {
        let told_all = taken.all(|taken| matches!(taken, Ok(true)));
        self.with(|unanswered| unanswered.intakes.remove(&receipt.0));
        match told_all {
            true => Ok(()),
            false => Err(StageError::unavailable(
                "the connection was lost before the broker was told; it delivers again",
            )),
        }
    }
}

#[async_trait]
impl Connector for RabbitMqConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        let mut slot = self.link.lock().await;
        let link = match &mut *slot {
            Some(link) => link,
            none => none.insert(self.connect().await?),
        };
        self.is_linked.store(true, Ordering::Relaxed);
        match link.next(max).await {
            Ok(deliveries) => Ok(Some(self.intake(link.number, &link.nonce, deliveries))),
            Err(error) => {
                *slot = None;
                self.is_linked.store(false, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        let Some((delivered, is_first)) = self.delivered(receipt) else {
            return Ok(());
        };
        let taken = match delivered.ackers.split_last() {
            // Tags ascend: this tells of all deliveries up to the last one.
            Some((last, others)) if is_first && others.iter().all(Acker::usable) => {
                vec![last.ack(BasicAckOptions { multiple: true }).await]
            }
            _ => {
                let acks = delivered.ackers.iter();
                join_all(acks.map(|it| it.ack(BasicAckOptions::default()))).await
            }
        };
        self.answered(receipt, taken.into_iter())
    }

    async fn nack(&self, receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        let Some((delivered, _)) = self.delivered(receipt) else {
            return Ok(());
        };
        let again = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        // The last one first: each goes back to the head of the queue.
        let nacks = delivered.ackers.iter().rev();
        let taken = join_all(nacks.map(|it| it.nack(again))).await;
        // When the connection was lost, the broker delivers again by itself.
        let _ = self.answered(receipt, taken.into_iter());
        Ok(())
    }

    async fn waits_for_others(&self) -> Result<bool, StageError> {
        // A broker that is not reached says nothing of what it has.
        Ok(!self.is_linked.load(Ordering::Relaxed))
    }

    async fn close(&self) -> Result<(), StageError> {
        let Some(link) = self.link.lock().await.take() else {
            return Ok(());
        };
        let closed = link.connection.close(200, "the pipeline has ended".into());
        closed
            .await
            .map_err(|error| failed(&error, "close the connection"))
    }
}

impl Link {
    /// Waits for a delivery, and takes those that are there with it. When this is dropped nothing
    /// was taken.
    async fn next(&mut self, max: IntakeMax) -> Result<Vec<Delivery>, StageError> {
        if let Some(error) = self.ended.take() {
            return Err(error);
        }
        let first = match self.held.take() {
            Some(held) => held,
            None => delivery(self.consumer.next().await)?,
        };
        let mut bytes = first.data.len();
        let mut deliveries = vec![first];
        while deliveries.len() < max.messages {
            // Does not wait.
            let Some(next) = self.consumer.next().now_or_never() else {
                break;
            };
            match delivery(next) {
                Ok(delivery) if bytes + delivery.data.len() > max.bytes => {
                    self.held = Some(delivery);
                    break;
                }
                Ok(delivery) => {
                    bytes += delivery.data.len();
                    deliveries.push(delivery);
                }
                Err(error) => {
                    self.ended = Some(error);
                    break;
                }
            }
        }
        Ok(deliveries)
    }
}

fn delivery(next: Option<lapin::Result<Delivery>>) -> Result<Delivery, StageError> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(failed(&error, "receive")),
        None => Err(StageError::unavailable(
            "the broker ended the delivery: the queue was deleted, or moved",
        )),
    }
}
