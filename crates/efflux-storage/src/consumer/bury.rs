//! What becomes of a particle that was delivered too often: a copy goes to the dead-letter topic.

use efflux_particle::{Draft, Fingerprint, Id, Message, Particle, Sequence, Stamp};

use super::core::Core;
use super::ledger::Doomed;
use crate::error::{Error, Result};
use crate::log::ReadLimit;

/// The topic that the particle stood in.
const ORIGIN_TOPIC: &str = "efflux.origin.topic";
/// Its place there.
const ORIGIN_SEQUENCE: &str = "efflux.origin.sequence";
/// Its id there.
const ORIGIN_ID: &str = "efflux.origin.id";
/// Its fingerprint there.
const ORIGIN_FINGERPRINT: &str = "efflux.origin.fingerprint";
/// The consumer that gave it up.
const ORIGIN_CONSUMER: &str = "efflux.origin.consumer";
/// Why it did.
const ERROR_TEXT: &str = "efflux.error.text";
/// How often it was delivered.
const DELIVERIES: &str = "efflux.deliveries";

impl Core {
    /// Copies a particle to the dead-letter topic, then settles it.
    ///
    /// The copy's id follows from where the particle stands, so that a crash between the two steps
    /// leads to the same copy again, which is not added a second time.
    pub(super) async fn bury(&self, doomed: Doomed) -> Result<()> {
        let Some((_, topic)) = self.state()?.ledger.options().dead_letters(self.topic())? else {
            return Ok(());
        };
        let sequence = doomed.ticket.sequence();
        let read = self.parts.log.read_each(&[sequence]).await?;
        let root = self
            .parts
            .log
            .read(Sequence::ROOT, ReadLimit::particles(1))
            .await?;
        let (Some(particle), Some(root)) = (read.first(), root.first()) else {
            return Err(Error::not_found(format!(
                "topic {} has no particle {sequence}",
                self.topic()
            )));
        };
        let message = self.dead_letter(particle, root, doomed);
        self.parts.log.append_to(&topic, message).await?;
        let last = {
            let mut state = self.state()?;
            if let Some(entry) = state.ledger.bury(doomed.ticket) {
                state.push(&entry);
                self.changed.send_replace(());
            }
            state.last()
        };
        self.keep(last, true).await
    }

    fn dead_letter(&self, particle: &Particle, root: &Particle, doomed: Doomed) -> Message {
        let reason = format!(
            "not committed in {} deliveries; the last one {}",
            doomed.deliveries,
            if doomed.rolled_back {
                "was rolled back"
            } else {
                "ran out of its lease"
            }
        );
        let seed = format!(
            "{}/{}/{}",
            root.fingerprint(),
            particle.sequence(),
            self.parts.name
        );
        let label = |message: Message, reason: String| {
            message
                .with_id(derived_id(&seed))
                .with_property(ORIGIN_TOPIC, self.topic().as_str())
                .with_property(ORIGIN_SEQUENCE, particle.sequence().to_string())
                .with_property(ORIGIN_ID, particle.id().to_string())
                .with_property(ORIGIN_FINGERPRINT, particle.fingerprint().to_string())
                .with_property(ORIGIN_CONSUMER, self.parts.name.as_str())
                .with_property(ERROR_TEXT, reason)
                .with_property(DELIVERIES, doomed.deliveries.to_string())
        };
        let whole = label(Message::from(particle), reason.clone());
        let stamp = Stamp {
            id: particle.id(),
            created: particle.metadata().created(),
            in_batch: true,
        };
        if Draft::encode(&whole, &stamp).is_ok() {
            return whole;
        }
        let reason = format!("{reason}; its own properties had no room and are left out");
        let metadata = particle.metadata();
        let mut message = Message::new(particle.payload()).with_timestamp(metadata.timestamp());
        if let Some(data_type) = metadata.data_type() {
            message = message.with_data_type(data_type);
        }
        if let Some(content_type) = metadata.content_type() {
            message = message.with_content_type(content_type);
        }
        if let Some(group) = metadata.message_group() {
            message = message.with_message_group(group);
        }
        if let Some(encoding) = metadata.content_encoding() {
            message = message.with_content_encoding(encoding);
        }
        label(message, reason)
    }
}

/// A UUID of version 8 from the SHA-256 of a text.
fn derived_id(seed: &str) -> Id {
    let hash = Fingerprint::of(seed.as_bytes());
    let mut uuid = [0; 16];
    uuid.iter_mut()
        .zip(hash.as_bytes())
        .for_each(|(to, from)| *to = *from);
    Id::from_uuid(
        uuid::Builder::from_custom_bytes(uuid)
            .into_uuid()
            .into_bytes(),
    )
}
