//! A server that hangs, goes away, and comes back.

use std::time::Duration;

use efflux_pipeline::{Kept, Period, Port, WriteMode};

use crate::{deliver, opened, reader, server, settings, whole};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_unavailable_and_what_it_did_counts_once() {
    let server = server("CREATE TABLE orders (id int)");
    let mut settings = settings(&server, WriteMode::Insert, &[]);
    settings.timeout = Period(Duration::from_secs(4));
    let port = opened(settings).await;
    deliver(&port, &["{\"id\":1}"], None, 0).await.unwrap();
    server.pause().unwrap();
    let failed = deliver(&port, &["{\"id\":2}"], Some(0), 1).await;
    let (kind, told) = whole(failed.unwrap_err());
    assert_eq!(kind, "unavailable");
    assert!(told.contains("did not answer"), "{told}");
    let again = port.open(&reader()).await.unwrap_err();
    assert_eq!(again.kind(), "unavailable");
    server.resume().unwrap();
    // The server may carry out what it was sent before: then the position tells so.
    if port.open(&reader()).await.unwrap() == Kept::Position(Some(0)) {
        deliver(&port, &["{\"id\":2}"], Some(0), 1).await.unwrap();
    }
    assert_eq!(
        server
            .query("SELECT count(*), max(id) FROM orders")
            .unwrap(),
        "2|2"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_is_unavailable_until_it_is_back() {
    let server = server("CREATE TABLE orders (id int)");
    let port = opened(settings(&server, WriteMode::Copy, &[])).await;
    deliver(&port, &["{\"id\":1}"], None, 0).await.unwrap();
    server.kill().unwrap();
    for _ in 0..2 {
        let failed = deliver(&port, &["{\"id\":2}"], Some(0), 1).await;
        assert_eq!(whole(failed.unwrap_err()).0, "unavailable");
    }
    server.restart().unwrap();
    assert_eq!(port.open(&reader()).await.unwrap(), Kept::Position(Some(0)));
    deliver(&port, &["{\"id\":2}"], Some(0), 1).await.unwrap();
    // A session that the administrator ends, in between.
    server
        .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'efflux'")
        .unwrap();
    while let Err(failed) = deliver(&port, &["{\"id\":3}"], Some(1), 2).await {
        assert_eq!(whole(failed).0, "unavailable");
    }
    let ids = server.query("SELECT string_agg(id::text, ',' ORDER BY id) FROM orders");
    assert_eq!(ids.unwrap(), "1,2,3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_unavailable() {
    let server = server("CREATE TABLE orders (id int)");
    let mut settings = settings(&server, WriteMode::Insert, &[]);
    settings.timeout = Period(Duration::from_secs(4));
    let port = opened(settings).await;
    let slow = "CREATE FUNCTION wait() RETURNS trigger AS \
                'BEGIN PERFORM pg_sleep(30); RETURN NEW; END' LANGUAGE plpgsql; CREATE TRIGGER w \
                BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wait()";
    server.query(slow).unwrap();
    let failed = deliver(&port, &["{\"id\":1}"], None, 0).await;
    assert_eq!(whole(failed.unwrap_err()).0, "unavailable");
    server.query("DROP TRIGGER w ON orders").unwrap();
    assert_eq!(port.open(&reader()).await.unwrap(), Kept::Position(None));
    deliver(&port, &["{\"id\":1}"], None, 0).await.unwrap();
    assert_eq!(server.query("SELECT count(*) FROM orders").unwrap(), "1");
}
