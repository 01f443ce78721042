//! A node in this process, and its store opened over the wire: one request after the other, so that
//! threads can take turns in one way only.

use std::path::Path;

use efflux_node::particle::Message;
use efflux_node::server::{Server, ServerOptions};
use efflux_node::storage::{Store, Sync, TopicOptions};
use tokio::sync::oneshot;

use super::{BATCH, PARTICLES, refuse_fewer};
use crate::Result;
use crate::dataset::{Dataset, TOPIC};
use crate::following::forbid_index;
use crate::workload::Workload;

/// Runs `work` with the URL of a node that hosts the store at `url`.
async fn hosted(url: &str, work: impl AsyncFnOnce(String) -> Result) -> Result {
    let store = Store::open(url).await?;
    let server = Server::bind(store, "127.0.0.1:0", ServerOptions::default()).await?;
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { drop(stopped.await) }));
    let worked = work(format!("http://{address}")).await;
    drop(stop);
    running.await??;
    worked
}

/// Appends batches to a topic without an index, as the rows without a node do.
pub(super) async fn append(folder: &Path, workload: &Workload, count: u64) -> Result {
    let own = tempfile::tempdir_in(folder)?;
    let url = format!("file:{}", own.path().join("store").display());
    forbid_index(&own.path().join("store"), &url).await?;
    hosted(&url, async |url| {
        let store = Store::open(&url).await?;
        let options = TopicOptions::default().with_sync(Sync::Os);
        let topic = store.create_topic(&TOPIC.parse()?, options).await?;
        let numbers: Vec<u64> = (1..=count).collect();
        for numbers in numbers.chunks(BATCH) {
            let message = |number: &u64| workload.record(*number).message(false);
            let messages: Vec<Message> = numbers.iter().map(message).collect();
            topic.append_batch(messages).await?;
        }
        Ok(store.close().await?)
    })
    .await
}

/// Reads the first particles of the store in this folder.
pub(super) async fn read(folder: &Path, count: u64) -> Result {
    hosted(&format!("file:{}", folder.display()), async |url| {
        let data = Dataset::open_at(&url, PARTICLES).await?;
        refuse_fewer(data.scan(count).await?, count)?;
        Ok(data.store.close().await?)
    })
    .await
}
