//! Topic, COPY into a table of PostgreSQL, with the position in the same transaction.

use efflux_node::particle::{ConsumerName, Particle, Sequence};
use efflux_node::pipeline::{Pipeline, PostgresPort, PostgresPortSettings, Secret, WriteMode};
use efflux_node::storage::ReadLimit;
use efflux_servers::Postgres;
use futures_util::pin_mut;
use serde::Deserialize;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, Transaction};

use super::{BATCH_BYTES, BATCH_MESSAGES, Bench};
use crate::Result;

const TABLE: &str = "DROP TABLE IF EXISTS orders; CREATE TABLE orders (order_id text NOT NULL, \
    sku text, qty text, total double precision, status text, note text); \
    CREATE TABLE IF NOT EXISTS position (sequence bigint NOT NULL); \
    DELETE FROM position; INSERT INTO position VALUES (0)";
const COPY: &str =
    "COPY orders (order_id, sku, qty, total, status, note) FROM STDIN (FORMAT binary)";

/// A table of orders.
pub(super) struct Table<'a>(&'a Postgres);

/// What of an order becomes a row.
#[derive(Deserialize)]
struct Order {
    order_id: String,
    sku: String,
    qty: String,
    total: f64,
    status: String,
    note: String,
}

impl<'a> Table<'a> {
    pub(super) const fn new(server: &'a Postgres) -> Self {
        Self(server)
    }

    /// Makes the table anew.
    pub(super) fn empty(&self) -> Result {
        self.0.query(TABLE)?;
        Ok(())
    }

    /// Refuses a run that left out orders.
    pub(super) fn holds(&self, count: u64) -> Result {
        let found = self
            .0
            .query("SELECT count(DISTINCT order_id) FROM orders")?;
        match found == count.to_string() {
            true => Ok(()),
            false => Err(format!("the table has {found} orders, and should have {count}").into()),
        }
    }

    /// A loop as one writes it: read, COPY in the binary format, move the position, commit.
    pub(super) async fn by_hand(&self, bench: &Bench<'_>) -> Result<u64> {
        let (mut client, connection) = tokio_postgres::connect(&self.0.url(), NoTls).await?;
        let connection = tokio::spawn(connection);
        let limit = ReadLimit {
            particles: BATCH_MESSAGES,
            bytes: BATCH_BYTES,
        };
        let (mut next, mut count) = (Sequence::FIRST, 0);
        while count < bench.count {
            let read = bench.orders.read(next, limit).await?;
            count += copied(&mut client, &read).await?;
            next = read.last().map_or(next, |last| last.sequence().next());
        }
        drop(client);
        connection.await??;
        Ok(count)
    }

    pub(super) async fn by_pipeline(&self, bench: &Bench<'_>, name: ConsumerName) -> Result<u64> {
        let settings = PostgresPortSettings {
            url: Secret::new(self.0.url()),
            password: None,
            ca_file: None,
            table: "orders".to_owned(),
            columns: Default::default(),
            mode: WriteMode::Copy,
            key: Vec::new(),
            timeout: "60s".parse()?,
        };
        let port = PostgresPort::new(settings)?;
        let pipeline = Pipeline::from_topic(name, bench.orders.clone(), port);
        bench.run(pipeline).await
    }
}

async fn copied(client: &mut Client, read: &[Particle]) -> Result<u64> {
    let transaction = client.transaction().await?;
    let last = read.last().map_or(0, |last| last.sequence().get());
    let position = i64::try_from(last)?;
    transaction
        .execute("UPDATE position SET sequence = $1", &[&position])
        .await?;
    let count = rows(&transaction, read).await?;
    transaction.commit().await?;
    Ok(count)
}

async fn rows(transaction: &Transaction<'_>, read: &[Particle]) -> Result<u64> {
    let sink = transaction.copy_in(COPY).await?;
    let texts = [
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT8,
        Type::TEXT,
        Type::TEXT,
    ];
    let writer = BinaryCopyInWriter::new(sink, &texts);
    pin_mut!(writer);
    for particle in read {
        let order: Order = serde_json::from_slice(&particle.payload())?;
        writer
            .as_mut()
            .write(&[
                &order.order_id,
                &order.sku,
                &order.qty,
                &order.total,
                &order.status,
                &order.note,
            ])
            .await?;
    }
    Ok(writer.finish().await?)
}
