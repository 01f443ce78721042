//! Messages of topics of an MQTT 5 broker.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use rumqttc::{
    AsyncClient, Event, EventLoop, Packet, Publish, QoS, RetainForwardRule, SubAck,
    SubscribeFilterInput, SubscribeReasonCode,
};
use serde::Deserialize;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;

use crate::arrival::{WithoutId, nonce};
use crate::connector::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::derived_id::derived_id;
use crate::mqtt::limits::{KEEP_ALIVE_DEFAULT, RECEIVE_MAX_DEFAULT, REQUESTS_BESIDE};
use crate::mqtt::{Broker, ID, Session, arrival, failed, faults};
use crate::parcel::Parcel;
use crate::quantity::Period;
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;

/// What a connector of MQTT has to know.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[cfg_attr(feature = "file", schemars(extend("dependentRequired" = { "password": ["user"] })))]
pub struct MqttConnectorSettings {
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
    /// The name by which the broker keeps what comes while the pipeline is away. No other client
    /// may have it.
    #[cfg_attr(feature = "file", schemars(length(min = 1)))]
    pub client_id: String,
    /// The filters of topics, as in `orders/+/placed`.
    #[cfg_attr(feature = "file", schemars(length(min = 1)))]
    pub topics: Vec<String>,
    /// How many messages the broker sends before it is answered: what the connector holds in
    /// memory at most. At least 1.
    #[serde(default = "receive_max_default")]
    #[cfg_attr(feature = "file", schemars(range(min = 1)))]
    pub receive_max: u16,
    /// How long the connection may be silent before the broker is asked for a sign of life.
    #[serde(default = "keep_alive_default")]
    pub keep_alive: Period,
    /// The user property that holds the id of a message; no two messages may have the same.
    #[serde(default = "id_property_default")]
    pub id_property: String,
    /// Which id a message gets whose sender gave it none.
    #[serde(default)]
    pub without_id: WithoutId,
}

const fn receive_max_default() -> u16 {
    RECEIVE_MAX_DEFAULT
}

const fn keep_alive_default() -> Period {
    Period(KEEP_ALIVE_DEFAULT)
}

fn id_property_default() -> String {
    ID.to_owned()
}

impl MqttConnectorSettings {
    /// All that is wrong, without asking the broker.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let (user, password) = (self.user.as_ref(), self.password.as_ref());
        let mut faults = faults(&self.url, user, password, self.keep_alive.0);
        for (is_right, name, what) in [
            (
                self.receive_max > 0,
                "receive_max",
                "receive_max has to be at least 1",
            ),
            (
                !self.client_id.is_empty(),
                "client_id",
                "client_id is empty",
            ),
            (!self.topics.is_empty(), "topics", "topics names no topic"),
        ] {
            faults.extend(SettingFault::unless(is_right, name, what));
        }
        for (at, filter) in self.topics.iter().enumerate() {
            if !is_filter(filter) {
                let what = format!("topics holds {filter:?}, which is no filter of topics");
                faults.push(SettingFault::of(at, what).within("topics"));
            }
        }
        faults
    }
}

/// Brings messages of an MQTT 5 broker, with quality of service 1 and a session that the broker
/// keeps.
///
/// The broker is told that a message is taken when all that became of it is durable, and not
/// before. When the connection is lost, it sends again what it was not told of. So that this adds
/// nothing to a topic, senders give their messages an id; see
/// [`MqttConnectorSettings::without_id`] for messages that have none. What is published with
/// quality of service 0 is not sent again.
#[derive(Debug)]
pub struct MqttConnector {
    settings: MqttConnectorSettings,
    broker: Broker,
    link: AsyncMutex<Option<Link>>,
    is_linked: AtomicBool,
    unanswered: Mutex<Unanswered>,
}

/// A connection on which the topics are subscribed to.
#[derive(Debug)]
struct Link {
    client: AsyncClient,
    arriving: mpsc::Receiver<Result<Publish, StageError>>,
    driver: JoinHandle<()>,
    number: u64,
    nonce: [u8; 16],
    /// How many messages came on this connection.
    count: u64,
    /// A message that the last intake had no room for.
    held: Option<Arrived>,
    /// Why nothing more comes, found when there was something to return first.
    ended: Option<StageError>,
}

/// A message, with its number on its connection.
#[derive(Clone, Debug)]
struct Arrived {
    publish: Publish,
    number: u64,
}

/// Intakes that the broker was not told of, by their receipts.
#[derive(Debug, Default)]
struct Unanswered {
    links: u64,
    /// The connection that stands, if one does. On another one there is nobody to answer.
    standing: Option<u64>,
    receipts: u64,
    intakes: HashMap<u64, Delivered>,
    /// What was not delivered and comes again, as long as its connection stands: the broker sends
    /// nothing again on the same one.
    again: VecDeque<Delivered>,
}

#[derive(Clone, Debug)]
struct Delivered {
    link: u64,
    client: AsyncClient,
    arrived: Arc<Vec<Arrived>>,
}

impl MqttConnector {
    /// A connector; it connects when it is polled.
    ///
    /// # Errors
    /// `Fatal` when the url is none, or a setting is out of its bounds.
    pub fn new(settings: MqttConnectorSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        let (user, password) = (settings.user.as_ref(), settings.password.as_ref());
        let (ca_file, keep_alive) = (settings.ca_file.clone(), settings.keep_alive.0);
        Ok(Self {
            broker: Broker::new(&settings.url, user, password, ca_file, keep_alive)?,
            settings,
            link: AsyncMutex::default(),
            is_linked: AtomicBool::new(false),
            unanswered: Mutex::default(),
        })
    }

    async fn connect(&self) -> Result<Link, StageError> {
        let receive_max = self.settings.receive_max;
        let session = Session::Kept {
            client_id: self.settings.client_id.clone(),
            receive_max,
        };
        // So that an acknowledgement never waits for room.
        let room = usize::from(receive_max);
        let connected = self
            .broker
            .connect(&session, room + REQUESTS_BESIDE)
            .await?;
        let topics = self.settings.topics.iter();
        // What a topic retains comes when the session is made, and not at each connection of it.
        let filters = topics.map(|topic| {
            SubscribeFilterInput::new(topic, QoS::AtLeastOnce)
                .retain_forward_rule(RetainForwardRule::OnNewSubscribe)
        });
        let subscribed = connected.client.subscribe_many(filters).await;
        subscribed.map_err(|error| StageError::unavailable(error.to_string()))?;
        // Room for all that the broker sends unanswered: then the connection stays alive however
        // long the pipeline takes.
        let (into, arriving) = mpsc::channel(room + REQUESTS_BESIDE);
        let number = {
            let mut unanswered = self.unanswered.lock();
            unanswered.links += 1;
            unanswered.standing = Some(unanswered.links);
            unanswered.links
        };
        Ok(Link {
            client: connected.client,
            arriving,
            driver: tokio::spawn(drive(connected.events, into)),
            number,
            nonce: nonce()?,
            count: 0,
            held: None,
            ended: None,
        })
    }

    fn intake(&self, link: &Link, arrived: Arc<Vec<Arrived>>) -> Intake {
        let mut intake = Intake::new(IntakeReceipt(0), []);
        let client_id = self.settings.client_id.as_bytes();
        for Arrived { publish, number } in arrived.iter() {
            let number = number.to_le_bytes();
            let arrival = arrival(publish, &self.settings.id_property);
            let message = arrival.into_message(|it| match self.settings.without_id {
                WithoutId::Content => it.content_id(&self.settings.client_id),
                WithoutId::Fresh => derived_id(&[client_id, &link.nonce, &number]),
            });
            match message {
                Ok(message) => intake.parcels.push(Parcel::of_message(message)),
                Err(refused) => intake.refused.push(*refused),
            }
        }
        let mut unanswered = self.unanswered.lock();
        unanswered.receipts += 1;
        let receipt = unanswered.receipts;
        let delivered = Delivered {
            link: link.number,
            client: link.client.clone(),
            arrived,
        };
        unanswered.intakes.insert(receipt, delivered);
        intake.receipt = IntakeReceipt(receipt);
        intake
    }

    /// What was not delivered, and comes again on the same connection.
    fn again(&self, link: u64) -> Option<Arc<Vec<Arrived>>> {
        let mut unanswered = self.unanswered.lock();
        unanswered.again.retain(|delivered| delivered.link == link);
        unanswered
            .again
            .pop_front()
            .map(|delivered| delivered.arrived)
    }
}

/// Whether all of these are filters of topics.
/// Whether a broker takes this as a filter of topics.
fn is_filter(filter: &str) -> bool {
    // A shared subscription: the name of the group, and the filter that it shares.
    let shared = filter.strip_prefix("$share/");
    let is_whole = shared.is_none_or(|shared| {
        let parts = shared.split_once('/');
        parts.is_some_and(|(group, filter)| {
            !group.is_empty() && !group.contains(['+', '#']) && rumqttc::valid_filter(filter)
        })
    });
    is_whole && rumqttc::valid_filter(filter)
}

/// Keeps a connection alive, and hands on what comes, until it ends.
async fn drive(mut events: EventLoop, into: mpsc::Sender<Result<Publish, StageError>>) {
    loop {
        let item = match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(publish))) => Ok(publish),
            Ok(Event::Incoming(Packet::SubAck(acknowledged))) => match refused(&acknowledged) {
                Some(error) => Err(error),
                None => continue,
            },
            Ok(_) => continue,
            Err(error) => Err(failed(&error, "receive")),
        };
        let has_ended = item.is_err();
        if into.send(item).await.is_err() || has_ended {
            return;
        }
    }
}

fn refused(acknowledged: &SubAck) -> Option<StageError> {
    let codes = acknowledged.return_codes.iter();
    let mut refused = codes.filter_map(|code| match code {
        SubscribeReasonCode::Success(QoS::AtLeastOnce | QoS::ExactlyOnce) => None,
        SubscribeReasonCode::Success(QoS::AtMostOnce) => {
            Some("it has no quality of service 1".to_owned())
        }
        code => Some(format!("{code:?}")),
    });
    let why = refused.next()?;
    Some(StageError::fatal(format!(
        "the broker refuses to send what the topics name: {why}"
    )))
}

#[async_trait]
impl Connector for MqttConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        let mut slot = self.link.lock().await;
        let link = match &mut *slot {
            Some(link) => link,
            none => none.insert(self.connect().await?),
        };
        self.is_linked.store(true, Ordering::Relaxed);
        if let Some(arrived) = self.again(link.number) {
            return Ok(Some(self.intake(link, arrived)));
        }
        match link.next(max).await {
            Ok(arrived) => Ok(Some(self.intake(link, Arc::new(arrived)))),
            Err(error) => {
                *slot = None;
                self.is_linked.store(false, Ordering::Relaxed);
                self.unanswered.lock().standing = None;
                Err(error)
            }
        }
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        let lost = || {
            StageError::unavailable(
                "the connection was lost before the broker was told; it sends again",
            )
        };
        let (delivered, standing) = {
            let mut unanswered = self.unanswered.lock();
            (unanswered.intakes.remove(&receipt.0), unanswered.standing)
        };
        let Some(delivered) = delivered else {
            return Ok(());
        };
        if standing != Some(delivered.link) {
            return Err(lost());
        }
        for Arrived { publish, .. } in delivered.arrived.iter() {
            delivered.client.try_ack(publish).map_err(|_| lost())?;
        }
        Ok(())
    }

    async fn nack(&self, receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        let mut unanswered = self.unanswered.lock();
        if let Some(delivered) = unanswered.intakes.remove(&receipt.0) {
            unanswered.again.push_back(delivered);
        }
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
        // The driver ends when the broker has been told, and closes the connection.
        if link.client.disconnect().await.is_ok() {
            link.ended().await;
        }
        Ok(())
    }
}

impl Link {
    /// Waits for a message, and takes those that are there with it. When this is dropped nothing
    /// was taken.
    async fn next(&mut self, max: IntakeMax) -> Result<Vec<Arrived>, StageError> {
        if let Some(error) = self.ended.take() {
            return Err(error);
        }
        let first = match self.held.take() {
            Some(held) => held,
            None => {
                let next = self.arriving.recv().await;
                self.number(next)?
            }
        };
        let mut bytes = first.publish.payload.len();
        let mut arrived = vec![first];
        while arrived.len() < max.messages {
            let next = match self.arriving.try_recv() {
                Ok(next) => Some(next),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            };
            match self.number(next) {
                Ok(next) if bytes + next.publish.payload.len() > max.bytes => {
                    self.held = Some(next);
                    break;
                }
                Ok(next) => {
                    bytes += next.publish.payload.len();
                    arrived.push(next);
                }
                Err(error) => {
                    self.ended = Some(error);
                    break;
                }
            }
        }
        Ok(arrived)
    }

    fn number(&mut self, next: Option<Result<Publish, StageError>>) -> Result<Arrived, StageError> {
        let publish =
            next.unwrap_or_else(|| Err(StageError::unavailable("the connection ended")))?;
        self.count += 1;
        Ok(Arrived {
            publish,
            number: self.count,
        })
    }

    /// Waits until the connection has ended, and leaves out what still comes.
    async fn ended(mut self) {
        let end = async { while let Some(Ok(_)) = self.arriving.recv().await {} };
        // When it takes too long it is cut.
        let _ = tokio::time::timeout(KEEP_ALIVE_DEFAULT, end).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
