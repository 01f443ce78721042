//! Many producers in one process, which a test kills: `producers STORE TOPIC SEED [ROUNDS]`.
//!
//! Every acknowledged message is written to standard output as `SEQUENCE FINGERPRINT ID`, in one
//! write after its append has returned. The process goes on until it is killed, or until each
//! producer has appended so many times or been refused.

use std::io::Write;

use efflux_node::storage::particle::{Id, Message};
use efflux_node::storage::{Receipt, Store, TopicOptions};

const PRODUCERS: u64 = 16;
const SEGMENT_BYTES: u64 = 256 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (url, topic, seed, rounds) = match arguments.as_slice() {
        [url, topic, seed] => (url, topic, seed, u64::MAX),
        [url, topic, seed, rounds] => (url, topic, seed, rounds.parse()?),
        _ => return Err("usage: producers STORE TOPIC SEED [ROUNDS]".into()),
    };
    let seed: u64 = seed.parse()?;
    let store = Store::open(url).await?;
    let options = TopicOptions::default().with_segment_bytes(SEGMENT_BYTES);
    let topic = store.topic_or_create(&topic.parse()?, options).await?;
    let mut producers = Vec::new();
    for producer in 0..PRODUCERS {
        let topic = topic.clone();
        producers.push(tokio::spawn(async move {
            for round in 0..rounds {
                let count = if (round + producer).is_multiple_of(5) {
                    7
                } else {
                    1
                };
                let messages = messages(seed, producer, round, count);
                let ids: Vec<Id> = messages.iter().filter_map(|m| m.id().cloned()).collect();
                match topic.append_batch(messages).await {
                    Ok(receipts) => tell(&receipts, &ids),
                    Err(error) => return eprintln!("producer {producer}: {error}"),
                }
            }
        }));
    }
    for producer in producers {
        producer.await?;
    }
    Ok(())
}

fn messages(seed: u64, producer: u64, round: u64, count: u64) -> Vec<Message> {
    let message = |at: u64| {
        let payload = "x".repeat(usize::try_from((seed ^ round ^ at) % 900).unwrap_or(0));
        let id = format!("{seed}-{producer}-{round}-{at}").parse().ok();
        let message = Message::new(payload)
            .with_data_type(format!("type.{}", round % 20))
            .with_message_group(format!("producer-{producer}"))
            .with_property("at", at.to_string());
        id.into_iter().fold(message, Message::with_id)
    };
    (0..count).map(message).collect()
}

fn tell(receipts: &[Receipt], ids: &[Id]) {
    let lines: String = receipts
        .iter()
        .zip(ids)
        .map(|(receipt, id)| format!("{} {} {id}\n", receipt.sequence, receipt.fingerprint))
        .collect();
    // A pipe that nobody reads any more means that this process is about to be killed.
    let _ = std::io::stdout().lock().write_all(lines.as_bytes());
}
