//! The port to PostgreSQL against a real server.

#![cfg(test)]

#[path = "postgres/killed.rs"]
mod killed;
#[path = "postgres/outages.rs"]
mod outages;
#[path = "postgres/rows.rs"]
mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use efflux_pipeline::particle::Message;
use efflux_pipeline::{
    Advance, Batch, Failed, Parcel, Period, Port, PostgresPort, PostgresPortSettings, Reader,
    Secret, WriteMode,
};
use efflux_servers::Postgres;

fn reader() -> Reader {
    Reader {
        pipeline: "warehouse".parse().unwrap(),
        source: "root".to_owned(),
    }
}

/// A server with this schema.
fn server(schema: &str) -> Postgres {
    let server = Postgres::start().unwrap();
    server.query(schema).unwrap();
    server
}

fn settings(server: &Postgres, mode: WriteMode, key: &[&str]) -> PostgresPortSettings {
    settings_of(&server.url(), mode, key)
}

fn settings_of(url: &str, mode: WriteMode, key: &[&str]) -> PostgresPortSettings {
    PostgresPortSettings {
        url: Secret::new(url),
        password: None,
        ca_file: None,
        table: "orders".to_owned(),
        columns: BTreeMap::new(),
        mode,
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        timeout: Period(Duration::from_secs(20)),
    }
}

async fn opened(settings: PostgresPortSettings) -> PostgresPort {
    let port = PostgresPort::new(settings).unwrap();
    port.open(&reader()).await.unwrap();
    port
}

/// Why the port cannot be opened, which is fatal.
async fn fatal(settings: PostgresPortSettings) -> String {
    let error = match PostgresPort::new(settings) {
        Ok(port) => port.open(&reader()).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), "fatal", "{error}");
    error.reason()
}

fn parcels<T: AsRef<str>>(payloads: &[T]) -> Vec<Parcel> {
    let messages = payloads
        .iter()
        .map(|text| Message::new(text.as_ref().to_owned()));
    messages.map(Parcel::of_message).collect()
}

async fn deliver<T: AsRef<str>>(
    port: &PostgresPort,
    payloads: &[T],
    from: Option<u64>,
    to: u64,
) -> Result<(), Failed> {
    let position = Some(Advance { from, to });
    let parcels = parcels(payloads);
    port.deliver(Batch {
        parcels: &parcels,
        position,
    })
    .await
}

/// The kind of what is told of the whole, and its text.
fn whole(failed: Failed) -> (&'static str, String) {
    match failed {
        Failed::Whole(error) => (error.kind(), error.reason()),
        other => panic!("{other:?}"),
    }
}

fn refused(failed: Failed) -> Vec<usize> {
    match failed {
        Failed::Refused(refused) => refused.iter().map(|(at, _)| *at).collect(),
        other => panic!("{other:?}"),
    }
}
