//! Publishes to RabbitMQ, by AMQP 0.9.1.

use std::path::PathBuf;

use async_trait::async_trait;
use lapin::Confirmation;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::amqp::{Broker, failed, properties, short};
use crate::parcel::Parcel;
use crate::port::rounds::{Outcome, rounds};
use crate::port::{Batch, Failed, Kept, Port, Reader};
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;

/// What a port of RabbitMQ has to know.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct RabbitMqPortSettings {
    /// Where the broker is: `amqp://USER:PASSWORD@HOST:5672/VHOST`, `amqps://` for TLS. The virtual
    /// host `/` is written `%2f`.
    pub url: Secret,
    /// A file of certificates, in PEM, that are believed in place of those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The exchange. It has to be there; none is the default exchange, where the routing key is the
    /// name of a queue.
    #[serde(default)]
    pub exchange: String,
    /// The routing key, as in `orders.{properties.region}`; at most 255 bytes.
    pub routing_key: Template,
    /// Whether a message that goes to no queue is rejected. Without this the broker drops it.
    #[serde(default = "mandatory_default")]
    pub mandatory: bool,
}

const fn mandatory_default() -> bool {
    true
}

impl RabbitMqPortSettings {
    /// All that is wrong, without asking the broker.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let of_url = Broker::new(&self.url, None).err();
        let of_url = of_url.map(|error| SettingFault::from(error).within("url"));
        let mut faults: Vec<_> = of_url.into_iter().collect();
        let of_exchange = short("the exchange's name", &self.exchange).err();
        faults.extend(of_exchange.map(|error| SettingFault::from(error).within("exchange")));
        let of_key = short("the routing key", &self.routing_key.filled_with("")).err();
        faults.extend(of_key.map(|error| SettingFault::from(error).within("routing_key")));
        faults
    }
}

/// Publishes each message as a persistent one, and has delivered it when the broker confirms.
///
/// The message id is the message's id, so that consumers can know what comes twice. Messages of
/// one message group are published one after the other, each when the one before is confirmed.
#[derive(Debug)]
pub struct RabbitMqPort {
    settings: RabbitMqPortSettings,
    broker: Broker,
    /// Taken out while a batch is under way: what is left in the middle is not used again.
    link: Mutex<Option<Link>>,
}

#[derive(Debug)]
struct Link {
    // Publishing ends when this is dropped.
    connection: Connection,
    channel: Channel,
}

/// A message ready to be published, with its place in the batch.
struct Letter<'a> {
    place: usize,
    routing_key: ShortString,
    properties: BasicProperties,
    parcel: &'a Parcel,
}

impl RabbitMqPort {
    /// A port; it connects when it is opened.
    ///
    /// # Errors
    /// `Fatal` when the url is none, or a setting is out of its bounds.
    pub fn new(settings: RabbitMqPortSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        Ok(Self {
            broker: Broker::new(&settings.url, settings.ca_file.clone())?,
            settings,
            link: Mutex::default(),
        })
    }

    async fn connect(&self) -> Result<Link, StageError> {
        let exchange = &self.settings.exchange;
        let (connection, channel) = self.broker.connect("efflux port").await?;
        if !exchange.is_empty() {
            let passive = ExchangeDeclareOptions {
                passive: true,
                ..ExchangeDeclareOptions::default()
            };
            let name = short("the exchange's name", exchange)?;
            // Of one that is there already the kind is not looked at.
            let kind = ExchangeKind::Direct;
            let there = channel.exchange_declare(name, kind, passive, FieldTable::default());
            let doing = format!("publish to the exchange {exchange:?}");
            there.await.map_err(|error| failed(&error, &doing))?;
        }
        let confirm = channel.confirm_select(ConfirmSelectOptions::default());
        confirm
            .await
            .map_err(|error| failed(&error, "ask for confirmations"))?;
        Ok(Link {
            connection,
            channel,
        })
    }

    fn letter<'a>(&self, place: usize, parcel: &'a Parcel) -> Result<Letter<'a>, StageError> {
        let key = self.settings.routing_key.render(parcel)?;
        Ok(Letter {
            place,
            routing_key: short("the routing key", &key)?,
            properties: properties(&parcel.message)?,
            parcel,
        })
    }

    /// Publishes these, and waits until the broker has answered all of them.
    async fn publish<'a>(
        &self,
        channel: &Channel,
        letters: Vec<Letter<'a>>,
        outcome: &mut Outcome<'a>,
    ) -> Result<(), StageError> {
        let options = BasicPublishOptions {
            mandatory: self.settings.mandatory,
            immediate: false,
        };
        let exchange = short("the exchange's name", &self.settings.exchange)?;
        let tell = |error: lapin::Error| match failed(&error, "publish") {
            // The exchange was deleted: opening the port again tells it.
            StageError::Fatal(source) => StageError::unavailable(source),
            other => other,
        };
        let mut confirms = Vec::with_capacity(letters.len());
        for letter in letters {
            let payload = letter.parcel.message.payload();
            let key = letter.routing_key.clone();
            let publish =
                channel.basic_publish(exchange.clone(), key, options, payload, letter.properties);
            let confirm = publish.await.map_err(tell)?;
            confirms.push((letter.place, letter.parcel, letter.routing_key, confirm));
        }
        for (place, parcel, key, confirm) in confirms {
            let error = match confirm.await.map_err(tell)? {
                Confirmation::Ack(None) => continue,
                Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                    let exchange = &self.settings.exchange;
                    StageError::rejected(format!(
                        "the broker returned it ({}): no queue takes the routing key {:?} from \
                         the exchange {exchange:?}",
                        returned.reply_text.as_str(),
                        key.as_str(),
                    ))
                }
                Confirmation::Nack(None) => StageError::unavailable(
                    "the broker did not take it: a queue is full, or failed",
                ),
                Confirmation::NotRequested => {
                    StageError::fatal("the broker confirms nothing, though it was asked to")
                }
            };
            outcome.add(place, parcel, error);
        }
        Ok(())
    }
}

#[async_trait]
impl Port for RabbitMqPort {
    async fn open(&self, _reader: &Reader) -> Result<Kept, StageError> {
        let mut link = self.link.lock().await;
        *link = None;
        *link = Some(self.connect().await?);
        Ok(Kept::Nothing)
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let mut slot = self.link.lock().await;
        let link = match slot.take() {
            Some(link) => link,
            None => self.connect().await?,
        };
        let mut outcome = Outcome::default();
        for round in rounds(batch.parcels) {
            let mut letters = Vec::with_capacity(round.len());
            for (place, parcel) in round {
                if !outcome.lets(place, parcel) {
                    continue;
                }
                match self.letter(place, parcel) {
                    Ok(letter) => letters.push(letter),
                    Err(error) => outcome.add(place, parcel, error),
                }
            }
            self.publish(&link.channel, letters, &mut outcome).await?;
        }
        *slot = Some(link);
        outcome.into_result(batch.parcels.len())
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
