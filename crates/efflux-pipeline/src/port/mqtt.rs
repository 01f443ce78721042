//! Publishes to an MQTT 5 broker.

use std::path::PathBuf;

use async_trait::async_trait;
use rumqttc::{
    AsyncClient, EventLoop, PubAckReason, PublishNoticeError, PublishOptions, PublishProperties,
    QoS,
};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::arrival::nonce;
use crate::derived_id::derived_id;
use crate::mqtt::limits::{
    KEEP_ALIVE_DEFAULT, PACKET_BYTES_BESIDE, PROPERTY_BYTES_BESIDE, SENDING_MAX,
};
use crate::mqtt::{Broker, Session, checked_topic, faults, properties};
use crate::parcel::Parcel;
use crate::port::rounds::{Outcome, rounds};
use crate::port::{Batch, Failed, Kept, Port, Reader};
use crate::quantity::Period;
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;

/// What a port of MQTT has to know.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[cfg_attr(feature = "file", schemars(extend("dependentRequired" = { "password": ["user"] })))]
pub struct MqttPortSettings {
    /// Where the broker is: `mqtt://HOST:1883`, `mqtts://HOST:8883` for TLS.
    pub url: String,
    /// The user.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file of certificates, in PEM, that are believed in place of those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The name of the client; one that nobody else has, where none is told.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The topic, as in `orders/{properties.region}`.
    pub topic: Template,
    /// Whether the broker keeps the last message of a topic for those who subscribe later.
    #[serde(default)]
    pub retain: bool,
    /// How long the connection may be silent before the broker is asked for a sign of life.
    #[serde(default = "keep_alive_default")]
    pub keep_alive: Period,
}

const fn keep_alive_default() -> Period {
    Period(KEEP_ALIVE_DEFAULT)
}

impl MqttPortSettings {
    /// All that is wrong, without asking the broker.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let (user, password) = (self.user.as_ref(), self.password.as_ref());
        let mut faults = faults(&self.url, user, password, self.keep_alive.0);
        // Whatever stands in its places: what is wrong here is wrong for all messages.
        if let Err(error) = checked_topic(&self.topic.filled_with("x")) {
            faults.push(SettingFault::from(error).within("topic"));
        }
        faults
    }
}

/// Publishes each message with quality of service 1, and has delivered it when the broker
/// acknowledges.
///
/// The message's id stands in the user property `efflux.id`, so that subscribers can know what
/// comes twice. Messages of one message group are published one after the other, each when the one
/// before is acknowledged.
#[derive(Debug)]
pub struct MqttPort {
    settings: MqttPortSettings,
    broker: Broker,
    /// Taken out while a batch is under way: what is left in the middle is not used again.
    link: Mutex<Option<Link>>,
}

#[derive(Debug)]
struct Link {
    client: AsyncClient,
    driver: JoinHandle<()>,
    packet_bytes_max: Option<u32>,
}

/// A message ready to be published, with its place in the batch.
struct Letter<'a> {
    place: usize,
    topic: String,
    properties: PublishProperties,
    parcel: &'a Parcel,
}

impl MqttPort {
    /// A port; it connects when it is opened.
    ///
    /// # Errors
    /// `Fatal` when the url is none, or a setting is out of its bounds.
    pub fn new(settings: MqttPortSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        let (user, password) = (settings.user.as_ref(), settings.password.as_ref());
        let (ca_file, keep_alive) = (settings.ca_file.clone(), settings.keep_alive.0);
        Ok(Self {
            broker: Broker::new(&settings.url, user, password, ca_file, keep_alive)?,
            settings,
            link: Mutex::default(),
        })
    }

    async fn connect(&self) -> Result<Link, StageError> {
        let client_id = match &self.settings.client_id {
            Some(client_id) => client_id.clone(),
            None => format!("efflux-{}", derived_id(&[&nonce()?])),
        };
        let session = Session::Clean { client_id };
        let connected = self.broker.connect(&session, SENDING_MAX).await?;
        Ok(Link {
            client: connected.client,
            driver: tokio::spawn(drive(connected.events)),
            packet_bytes_max: connected.packet_bytes_max,
        })
    }

    fn letter<'a>(
        &self,
        place: usize,
        parcel: &'a Parcel,
        packet_bytes_max: Option<u32>,
    ) -> Result<Letter<'a>, StageError> {
        let topic = self.settings.topic.render(parcel)?;
        checked_topic(&topic)?;
        let properties = properties(&parcel.message)?;
        let of_properties = properties.user_properties.iter();
        let of_properties =
            of_properties.map(|(name, value)| name.len() + value.len() + PROPERTY_BYTES_BESIDE);
        let bytes = topic.len()
            + parcel.message.payload().len()
            + of_properties.sum::<usize>()
            + properties
                .correlation_data
                .as_ref()
                .map_or(0, bytes::Bytes::len)
            + PACKET_BYTES_BESIDE;
        // The broker would end the connection, and so would each attempt.
        match packet_bytes_max.map(usize::try_from) {
            Some(Ok(bytes_max)) if bytes > bytes_max => Err(StageError::rejected(format!(
                "it takes up to {bytes} bytes, the broker takes at most {bytes_max}"
            ))),
            _ => Ok(Letter {
                place,
                topic,
                properties,
                parcel,
            }),
        }
    }

    /// Publishes these, and waits until the broker has answered all of them.
    async fn publish<'a>(
        &self,
        client: &AsyncClient,
        letters: Vec<Letter<'a>>,
        outcome: &mut Outcome<'a>,
    ) -> Result<(), StageError> {
        let mut notices = Vec::with_capacity(letters.len());
        for letter in letters {
            let options = PublishOptions::new(QoS::AtLeastOnce)
                .retain(self.settings.retain)
                .properties(letter.properties);
            let payload = letter.parcel.message.payload().clone();
            let publish = client.publish_tracked(letter.topic, payload, options);
            let notice = publish.await.map_err(|_| lost())?;
            notices.push((letter.place, letter.parcel, notice));
        }
        for (place, parcel, notice) in notices {
            let error = match notice.wait_async().await {
                // Nobody may have subscribed: that is no failure to a broker.
                Ok(_) | Err(PublishNoticeError::V5PubAck(PubAckReason::NoMatchingSubscribers)) => {
                    continue;
                }
                Err(PublishNoticeError::V5PubAck(reason)) => refused(reason),
                Err(error @ PublishNoticeError::RetainNotSupported) => {
                    return Err(StageError::fatal(error));
                }
                Err(_) => return Err(lost()),
            };
            outcome.add(place, parcel, error);
        }
        Ok(())
    }
}

fn refused(reason: PubAckReason) -> StageError {
    let told = format!("the broker says {reason:?}");
    match reason {
        PubAckReason::NotAuthorized
        | PubAckReason::TopicNameInvalid
        | PubAckReason::PayloadFormatInvalid => StageError::rejected(told),
        _ => StageError::unavailable(told),
    }
}

fn lost() -> StageError {
    StageError::unavailable("the connection to the broker was lost")
}

/// Keeps a connection alive until it ends; what waits for an answer is then told so.
async fn drive(mut events: EventLoop) {
    while events.poll().await.is_ok() {}
}

#[async_trait]
impl Port for MqttPort {
    async fn open(&self, _reader: &Reader) -> Result<Kept, StageError> {
        let mut link = self.link.lock().await;
        *link = None;
        *link = Some(self.connect().await?);
        Ok(Kept::Nothing)
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let mut slot = self.link.lock().await;
        let link = match slot.take() {
            Some(link) if !link.driver.is_finished() => link,
            _ => self.connect().await?,
        };
        let mut outcome = Outcome::default();
        for round in rounds(batch.parcels) {
            let mut letters = Vec::with_capacity(round.len());
            for (place, parcel) in round {
                if !outcome.lets(place, parcel) {
                    continue;
                }
                match self.letter(place, parcel, link.packet_bytes_max) {
                    Ok(letter) => letters.push(letter),
                    Err(error) => outcome.add(place, parcel, error),
                }
            }
            self.publish(&link.client, letters, &mut outcome).await?;
        }
        *slot = Some(link);
        outcome.into_result(batch.parcels.len())
    }

    async fn close(&self) -> Result<(), StageError> {
        let Some(mut link) = self.link.lock().await.take() else {
            return Ok(());
        };
        if link.client.disconnect().await.is_ok() {
            // When it takes too long it is cut.
            let _ = tokio::time::timeout(KEEP_ALIVE_DEFAULT, &mut link.driver).await;
        }
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
