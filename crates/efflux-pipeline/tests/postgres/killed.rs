//! A process that is killed while it delivers.

use std::process::{Command, Stdio};

use efflux_pipeline::{Kept, Port, WriteMode};
use efflux_servers::Postgres;

use crate::{deliver, reader, server, settings_of};

/// Where the process that is to be killed finds the server.
const URL: &str = "EFFLUX_TEST_POSTGRES_URL";
const ROWS: u64 = 7;

fn position(server: &Postgres) -> u64 {
    let found = server.query("SELECT coalesce(max(sequence), 0) FROM efflux_position");
    found.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_there_once_however_often_the_process_is_killed() {
    if let Ok(url) = std::env::var(URL) {
        return deliver_until_killed(&url).await;
    }
    let server = server(
        "CREATE TABLE orders (id int); CREATE TABLE efflux_position (pipeline text NOT NULL, \
         source text NOT NULL, sequence bigint, moved timestamptz NOT NULL DEFAULT now(), \
         PRIMARY KEY (pipeline, source))",
    );
    for round in 0..6 {
        let before = position(&server);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "killed::every_row_is_there_once_however_often_the_process_is_killed",
            ])
            .env(URL, server.url())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Each round is killed at another moment of its work.
        while position(&server) < before + ROWS * (1 + round) {
            assert_eq!(
                child.try_wait().unwrap(),
                None,
                "it delivers until it is killed"
            );
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // What was on its way when the last process died is done or undone by now, or holds the row.
    let rows = server.query(
        "BEGIN; SELECT sequence FROM efflux_position FOR UPDATE; \
         SELECT count(*), count(DISTINCT id), max(id) FROM orders; COMMIT",
    );
    let rows = rows.unwrap();
    let (position, counts) = rows.split_once('\n').unwrap();
    let last: u64 = position.parse().unwrap();
    assert!(last > ROWS * 6);
    assert_eq!(counts, format!("{0}|{0}|{last}", last + 1));
}

async fn deliver_until_killed(url: &str) {
    let settings = settings_of(url, WriteMode::Copy, &[]);
    let port = efflux_pipeline::PostgresPort::new(settings).unwrap();
    let Kept::Position(mut from) = port.open(&reader()).await.unwrap() else {
        panic!("it keeps a position");
    };
    loop {
        let start = from.map_or(0, |from| from + 1);
        let payloads: Vec<String> = (start..start + ROWS)
            .map(|id| format!("{{\"id\":{id}}}"))
            .collect();
        let to = start + ROWS - 1;
        deliver(&port, &payloads, from, to).await.unwrap();
        from = Some(to);
    }
}
