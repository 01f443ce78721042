//! What becomes of a message that failed for good: a letter in the dead-letter topic.
//!
//! The letter is the message as it came to the stage that failed, with properties that say where it
//! comes from and why it is here. It can be sent again: then it goes on with the stage that failed.

use efflux_storage::particle::{
    ConsumerName, Draft, Fingerprint, Id, Message, Particle, Stamp, TopicName,
};
use efflux_storage::{ErrorKind, Store, Topic, TopicOptions};
use tokio::sync::Mutex;

use crate::chain::Failure;
use crate::derived_id::derived_id;
use crate::limits::ERROR_TEXT_BYTES_MAX;
use crate::parcel::{CORRELATION, Origin, Parcel};
use crate::stage::Stage;
use crate::stage_error::StageError;

/// The topic, sequence, id and fingerprint of the particle that the message comes from.
const ORIGIN_TOPIC: &str = "efflux.origin.topic";
const ORIGIN_SEQUENCE: &str = "efflux.origin.sequence";
const ORIGIN_ID: &str = "efflux.origin.id";
const ORIGIN_FINGERPRINT: &str = "efflux.origin.fingerprint";
/// The pipeline and the stage that failed, the kind of its error and what it said.
pub(crate) const ERROR_PIPELINE: &str = "efflux.error.pipeline";
const ERROR_STAGE: &str = "efflux.error.stage";
const ERROR_KIND: &str = "efflux.error.kind";
const ERROR_TEXT: &str = "efflux.error.text";
/// How often it was tried.
const ATTEMPTS: &str = "efflux.attempts";
/// The id that the message had.
const MESSAGE_ID: &str = "efflux.message.id";
/// How often it was sent again before.
const REPLAYS: &str = "efflux.replays";
/// That the letter does not hold all of the message: such a letter is not sent again.
const PARTIAL: &str = "efflux.partial";
/// All of them.
const LABELS: &[&str] = &[
    ORIGIN_TOPIC,
    ORIGIN_SEQUENCE,
    ORIGIN_ID,
    ORIGIN_FINGERPRINT,
    ERROR_PIPELINE,
    ERROR_STAGE,
    ERROR_KIND,
    ERROR_TEXT,
    ATTEMPTS,
    MESSAGE_ID,
];

/// Where the messages of one pipeline go that failed for good.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    store: Store,
    name: TopicName,
    pipeline: ConsumerName,
    topic: Mutex<Option<Topic>>,
}

impl DeadLetters {
    pub(crate) const fn new(store: Store, name: TopicName, pipeline: ConsumerName) -> Self {
        Self {
            store,
            name,
            pipeline,
            topic: Mutex::const_new(None),
        }
    }

    pub(crate) const fn name(&self) -> &TopicName {
        &self.name
    }

    /// Appends a letter for each; returns when they are durable. Doing so again adds nothing.
    pub(crate) async fn bury(&self, failures: &[Failure]) -> Result<(), efflux_storage::Error> {
        let topic = self.topic().await?;
        let letters = failures.iter().map(|failure| self.letter(failure));
        for letter in letters {
            match topic.append(letter).await {
                Ok(_) => {}
                // There is a letter for it from another time, which tells another error.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) if error.kind() == ErrorKind::Closed => {
                    // A full disk closed it, and there may be room by now.
                    *self.topic.lock().await = None;
                    let _ = self.store.reopen_topic(&self.name).await;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn topic(&self) -> Result<Topic, efflux_storage::Error> {
        let mut topic = self.topic.lock().await;
        if let Some(topic) = &*topic {
            return Ok(topic.clone());
        }
        let made = self
            .store
            .topic_or_create(&self.name, TopicOptions::default());
        let made = made.await?;
        *topic = Some(made.clone());
        Ok(made)
    }

    fn letter(&self, failure: &Failure) -> Message {
        let message = &failure.parcel.message;
        let whole = self.labelled(message.clone(), failure, "");
        if fits(&whole) {
            return whole;
        }
        let parts = [
            (
                without_properties(message),
                "its own properties had no room and",
            ),
            (
                Message::new(message.payload().clone()),
                "its metadata cannot be kept and",
            ),
        ];
        for (part, what) in parts {
            let part = part.with_property(PARTIAL, "true");
            let part = self.labelled(part, failure, &format!("; {what} are left out"));
            if fits(&part) {
                return part;
            }
        }
        let told = "; it is too large to be kept, so that only its metadata are here";
        let nothing = Message::default().with_property(PARTIAL, "true");
        self.labelled(nothing, failure, told)
    }

    fn labelled(&self, message: Message, failure: &Failure, more: &str) -> Message {
        let replays = message.property(REPLAYS).unwrap_or("0").to_owned();
        let id = failure.parcel.message.id().map(ToString::to_string);
        let id = id.unwrap_or_default();
        let stage = failure.stage.to_string();
        let mut text = failure.error.reason();
        text.truncate(text.floor_char_boundary(ERROR_TEXT_BYTES_MAX));
        text.push_str(more);
        let content = content(&failure.parcel.message);
        let letter = derived_id(&[
            self.pipeline.as_str().as_bytes(),
            id.as_bytes(),
            stage.as_bytes(),
            replays.as_bytes(),
            content.as_bytes(),
        ]);
        let mut message = message
            .with_id(letter)
            .with_property(ERROR_PIPELINE, self.pipeline.as_str())
            .with_property(ERROR_STAGE, stage)
            .with_property(ERROR_KIND, failure.error.kind())
            .with_property(ERROR_TEXT, text)
            .with_property(ATTEMPTS, failure.attempts.to_string())
            .with_property(MESSAGE_ID, id);
        let origin = failure.parcel.origin();
        if let Some(id) = origin.id() {
            message = message.with_property(ORIGIN_ID, id.to_string());
        }
        if let Some(correlation) = origin.correlation() {
            message = message.with_property(CORRELATION, correlation);
        }
        if let Some(topic) = origin.topic() {
            message = message.with_property(ORIGIN_TOPIC, topic.as_str());
        }
        if let Some(particle) = origin.particle() {
            message = message
                .with_property(ORIGIN_SEQUENCE, particle.sequence().to_string())
                .with_property(ORIGIN_FINGERPRINT, particle.fingerprint().to_string());
        }
        message
    }
}

/// What tells messages apart to which their source gave the same id.
fn content(message: &Message) -> Fingerprint {
    let payload = Fingerprint::of(message.payload());
    let mut seed = payload.as_bytes().to_vec();
    let fields = [
        message.data_type(),
        message.content_type(),
        message.message_group(),
    ];
    let fields = fields.into_iter().map(Option::unwrap_or_default);
    for text in fields.chain(message.properties().flat_map(|(name, value)| [name, value])) {
        seed.extend_from_slice(&(text.len() as u64).to_le_bytes());
        seed.extend_from_slice(text.as_bytes());
    }
    Fingerprint::of(&seed)
}

/// Whether a message can be stored.
fn fits(message: &Message) -> bool {
    let stamp = Stamp {
        id: Id::from_uuid([0xff; 16]),
        created: efflux_storage::particle::Timestamp::from_nanos(i64::MAX),
        in_batch: true,
    };
    Draft::encode(message, &stamp).is_ok()
}

fn without_properties(message: &Message) -> Message {
    let names: Vec<String> = message
        .properties()
        .map(|(name, _)| name.to_owned())
        .collect();
    let bare = message.clone();
    names
        .iter()
        .fold(bare, |message, name| message.without_property(name))
}

/// The message that a letter tells of, as it goes into its pipeline again.
///
/// # Errors
/// `Rejected` when the particle is no letter of a pipeline, or does not hold the whole message.
pub(crate) fn returned(particle: &Particle) -> Result<Parcel, StageError> {
    let no_letter = |what: &str| {
        StageError::rejected(format!(
            "particle {} is no dead letter of a pipeline: {what}",
            particle.sequence()
        ))
    };
    let letter = Message::from(particle);
    let stage: Stage = letter
        .property(ERROR_STAGE)
        .ok_or_else(|| no_letter("it names no stage"))?
        .parse()
        .map_err(StageError::rejected)?;
    if stage == Stage::Connector || letter.property(PARTIAL).is_some() {
        return Err(StageError::rejected(format!(
            "dead letter {} may not hold the whole message: bring it in from its source again",
            particle.sequence()
        )));
    }
    let id: Id = letter
        .property(MESSAGE_ID)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| no_letter("it does not tell the message's id"))?;
    let origin = Origin::told(
        particle.sequence(),
        letter.property(ORIGIN_ID).and_then(|id| id.parse().ok()),
        letter.property(CORRELATION).map(ToOwned::to_owned),
        letter
            .property(ORIGIN_TOPIC)
            .and_then(|name| name.parse().ok()),
    );
    let replays: u64 = letter
        .property(REPLAYS)
        .and_then(|times| times.parse().ok())
        .unwrap_or_default();
    let labels = LABELS.iter();
    let message = labels.fold(letter, |message, label| message.without_property(label));
    let message = message
        .with_id(id)
        .with_property(REPLAYS, replays.saturating_add(1).to_string());
    Ok(Parcel::returning(origin, message, stage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::ReadLimit;
    use efflux_storage::particle::Sequence;

    async fn letters() -> (DeadLetters, Store) {
        let store = Store::open("mem:").await.unwrap();
        let name = "orders.dead".parse().unwrap();
        let letters = DeadLetters::new(store.clone(), name, "billing".parse().unwrap());
        (letters, store)
    }

    async fn buried(letters: &DeadLetters, failure: Failure) -> Particle {
        letters.bury(&[failure]).await.unwrap();
        let topic = letters.topic().await.unwrap();
        let all = topic.read(Sequence::FIRST, ReadLimit::default()).await;
        all.unwrap().last().unwrap().clone()
    }

    fn failure(message: Message) -> Failure {
        let id = message.id().cloned().unwrap_or("m-1".parse().unwrap());
        let parcel = Parcel::of_message(message.with_id(id));
        let error = StageError::rejected("no such customer");
        Failure::new(parcel, "step check".parse().unwrap(), error)
    }

    #[tokio::test]
    async fn a_letter_says_where_it_comes_from_and_goes_back_to_the_stage_that_failed() {
        let (letters, _store) = letters().await;
        let message = Message::new("a").with_property("region", "eu");
        let letter = buried(&letters, failure(message)).await;
        let metadata = letter.metadata();
        assert_eq!(metadata.property(ERROR_TEXT), Some("no such customer"));
        assert_eq!(metadata.property(ERROR_STAGE), Some("step check"));
        let parcel = returned(&letter).unwrap();
        assert_eq!(parcel.message.id().unwrap().to_string(), "m-1");
        assert_eq!(parcel.message.property("region"), Some("eu"));
        assert_eq!(parcel.message.property(ERROR_TEXT), None);
        assert_eq!(parcel.entry().unwrap().to_string(), "step check");
    }

    #[tokio::test]
    async fn the_same_failure_makes_one_letter_and_one_of_a_replay_another() {
        let (letters, _store) = letters().await;
        let first = buried(&letters, failure(Message::new("a"))).await;
        let again = buried(&letters, failure(Message::new("a"))).await;
        assert_eq!(first.sequence(), again.sequence());
        let mut replayed = failure(Message::new("a"));
        replayed.parcel = returned(&first).unwrap();
        let later = buried(&letters, replayed).await;
        assert_eq!(later.sequence(), first.sequence().next());
    }

    #[tokio::test]
    async fn what_cannot_be_kept_whole_is_kept_in_part() {
        let (letters, _store) = letters().await;
        let full = (0..64).fold(Message::new("a"), |message, number| {
            message.with_property(format!("p{number}"), "v")
        });
        let letter = buried(&letters, failure(full)).await;
        assert!(
            letter
                .metadata()
                .property(ERROR_TEXT)
                .unwrap()
                .contains("left out")
        );
        assert!(returned(&letter).unwrap_err().reason().contains("whole"));
        let odd = Message::new("b").with_data_type("a\nb");
        let odd = odd.with_id("m-2".parse().unwrap());
        let letter = buried(&letters, failure(odd)).await;
        assert_eq!(letter.payload(), "b");
        assert_eq!(letter.metadata().data_type(), None);
    }

    #[tokio::test]
    async fn messages_that_share_an_id_and_nothing_else_have_a_letter_each() {
        let (letters, _store) = letters().await;
        let message = |payload: &'static str| Message::new(payload).with_id("m".parse().unwrap());
        let messages = [
            message("a"),
            message("b"),
            message("a").with_property("region", "eu"),
            message("a").with_data_type("order"),
        ];
        for (place, message) in (1..).zip(messages) {
            let letter = buried(&letters, failure(message)).await;
            assert_eq!(letter.sequence(), Sequence::new(place));
        }
    }

    #[tokio::test]
    async fn a_message_that_fails_again_for_another_reason_has_its_letter() {
        let (letters, _store) = letters().await;
        let first = buried(&letters, failure(Message::new("a"))).await;
        let mut other = failure(Message::new("a"));
        other.error = StageError::rejected("another reason");
        assert_eq!(first, buried(&letters, other).await);
    }

    #[tokio::test]
    async fn a_particle_that_is_no_letter_is_refused() {
        let (_, store) = letters().await;
        let name = "other".parse().unwrap();
        let made = store.create_topic(&name, TopicOptions::default()).await;
        let topic = made.unwrap();
        topic.append(Message::new("a")).await.unwrap();
        let read = topic
            .read(Sequence::FIRST, ReadLimit::default())
            .await
            .unwrap();
        assert!(
            returned(&read[0])
                .unwrap_err()
                .to_string()
                .contains("names no stage")
        );
    }
}
