//! Appends a few events, finds one of them, and checks the whole topic.

use efflux_storage::particle::Message;
use efflux_storage::{Query, Store, TopicOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("efflux-example-{}", std::process::id()));
    let store = Store::open(&format!("file:{}", folder.display())).await?;
    let orders = store
        .create_topic(&"orders".parse()?, TopicOptions::default())
        .await?;
    for (customer, total) in [(42, 12), (7, 30), (42, 5)] {
        let message = Message::new(format!("{{\"total\":{total}}}"))
            .with_data_type("order.placed")
            .with_content_type("application/json")
            .with_property("customer", customer.to_string());
        let receipt = orders.append(message).await?;
        println!("appended {} {}", receipt.sequence, receipt.fingerprint);
    }
    let query: Query = "data_type = 'order.placed' and properties.customer = '42'".parse()?;
    let mut found = orders.find(&query, Default::default()).await?;
    loop {
        let batch = found.next_batch().await?;
        if batch.is_empty() {
            break;
        }
        for particle in batch {
            println!(
                "found {} {}",
                particle.sequence(),
                String::from_utf8_lossy(&particle.payload())
            );
        }
    }
    let verified = orders.verify(Default::default()).await?;
    println!(
        "verified {} particles, head {}",
        verified.particles, verified.head
    );
    store.close().await?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
