//! What is written, and what is refused.

use efflux_pipeline::{Kept, Port, WriteMode};

use crate::{deliver, fatal, opened, reader, refused, server, settings, whole};

const ORDERS: &str = "CREATE TABLE orders (id int PRIMARY KEY, sku varchar(8) NOT NULL, \
                      total numeric(8,2) CHECK (total >= 0), note text DEFAULT 'none')";

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_writes_rows_and_position_together() {
    let server = server(ORDERS);
    for (mode, key) in [
        (WriteMode::Insert, &[][..]),
        (WriteMode::Insert, &["id"]),
        (WriteMode::Upsert, &["id"]),
        (WriteMode::Copy, &[]),
        (WriteMode::Copy, &["id"]),
    ] {
        server
            .query("TRUNCATE orders; DROP TABLE IF EXISTS efflux_position")
            .unwrap();
        let port = opened(settings(&server, mode, key)).await;
        let payloads = [
            "{\"id\":1,\"sku\":\"A\",\"total\":1.5,\"other\":true}",
            "{\"id\":2,\"sku\":\"B\",\"total\":\"2.25\"}",
            "{\"id\":3,\"sku\":\"C\\t\\\\N\",\"note\":null}",
        ];
        deliver(&port, &payloads, None, 2).await.unwrap();
        let rows = server.query("SELECT * FROM orders ORDER BY id").unwrap();
        assert_eq!(
            rows, "1|A|1.50|none\n2|B|2.25|none\n3|C\t\\N||",
            "{mode:?} {key:?}"
        );
        deliver(&port, &[""; 0], Some(2), 9).await.unwrap();
        let kept = port.open(&reader()).await.unwrap();
        assert_eq!(kept, Kept::Position(Some(9)), "{mode:?} {key:?}");

        let again = "{\"id\":1,\"sku\":\"new\"}";
        let outcome = deliver(&port, &[again, again], Some(9), 10).await;
        let row = server
            .query("SELECT sku, total FROM orders WHERE id = 1")
            .unwrap();
        match (mode, key.is_empty()) {
            (WriteMode::Insert, false) => {
                assert_eq!((row.as_str(), outcome.is_ok()), ("A|1.50", true));
            }
            (_, false) => assert_eq!((row.as_str(), outcome.is_ok()), ("new|1.50", true)),
            (_, true) => assert_eq!(refused(outcome.unwrap_err()), [0, 1]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_rows_that_do_not_fit_are_refused() {
    let schema = format!(
        "{ORDERS}; CREATE TABLE parts (id int PRIMARY KEY); ALTER TABLE orders ADD part int \
         REFERENCES parts (id) DEFERRABLE INITIALLY DEFERRED, ADD at timestamptz, ADD tag jsonb"
    );
    let server = server(&schema);
    let bad = [
        "{\"id\":\"one\",\"sku\":\"A\"}",
        "{\"id\":99999999999,\"sku\":\"A\"}",
        "{\"id\":3}",
        "{\"id\":4,\"sku\":null}",
        "{\"id\":5,\"sku\":\"much too long\"}",
        "{\"id\":0,\"sku\":\"again\"}",
        "{\"id\":7,\"sku\":\"A\",\"total\":-1}",
        "{\"id\":8,\"sku\":\"A\",\"total\":1000000000}",
        "{\"id\":9,\"sku\":\"A\",\"part\":7}",
        "{\"id\":10,\"sku\":\"A\",\"at\":\"yesterday-ish\"}",
        "{\"id\":11,\"sku\":\"zero\\u0000\"}",
        "{\"id\":12,\"sku\":\"A\",\"tag\":{\"a\":\"\\u0000\"}}",
        "no JSON",
        "{\"unknown\":1}",
    ];
    for mode in [WriteMode::Insert, WriteMode::Copy] {
        let port = opened(settings(&server, mode, &[])).await;
        // A good row before each bad one.
        let payloads: Vec<String> = (0..bad.len())
            .flat_map(|at| {
                let good = format!("{{\"id\":{},\"sku\":\"good\",\"tag\":[{at}]}}", at * 100);
                [good, bad[at].to_owned()]
            })
            .collect();
        let failed = deliver(&port, &payloads, None, 27).await.unwrap_err();
        let expect: Vec<usize> = (0..bad.len()).map(|at| at * 2 + 1).collect();
        assert_eq!(refused(failed), expect, "{mode:?}");
        assert_eq!(server.query("SELECT count(*) FROM orders").unwrap(), "0");
        assert_eq!(port.open(&reader()).await.unwrap(), Kept::Position(None));
    }
    let port = opened(settings(&server, WriteMode::Upsert, &["id"])).await;
    let failed = deliver(&port, &["{\"sku\":\"A\"}"], None, 1)
        .await
        .unwrap_err();
    assert_eq!(refused(failed), [0], "the key is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_arrive_as_they_were() {
    let server = server(
        "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE orders (b bool, i2 int2, i8 int8, \
         f4 float4, f8 float8, n numeric, t text, c char(3), y bytea, j json, jb jsonb, d date, \
         ts timestamp, tz timestamptz, u uuid, m mood, a int[], ip inet, bits bit(4))",
    );
    let port = opened(settings(&server, WriteMode::Insert, &[])).await;
    let payload = r#"{"b":true,"i2":-7,"i8":9223372036854775807,"f4":1.5,"f8":1e300,
        "n":"12345678901234567890.125","t":"é","c":"ab","y":"A\\","j":{"k":[1]},"jb":"s",
        "d":"2026-11-22","ts":"2026-11-22 10:00:00","tz":"2026-11-22T10:00:00Z",
        "u":"3d813cbb-47fb-32ba-91df-831e1593ac29","m":"ok","a":[1,null,3],"ip":"10.0.0.1",
        "bits":"1010"}"#;
    deliver(&port, &[payload], None, 0).await.unwrap();
    let row = server
        .query("SET timezone = 'UTC'; SELECT * FROM orders")
        .unwrap();
    let expect = "t|-7|9223372036854775807|1.5|1e+300|12345678901234567890.125|é|ab |\\x415c|\
                  {\"k\":[1]}|\"s\"|2026-11-22|2026-11-22 10:00:00|2026-11-22 10:00:00+00|\
                  3d813cbb-47fb-32ba-91df-831e1593ac29|ok|{1,NULL,3}|10.0.0.1|1010";
    assert_eq!(row, expect);
    let short = deliver(&port, &["{\"bits\":\"10101\"}"], Some(0), 1).await;
    assert_eq!(refused(short.unwrap_err()), [0], "nothing is cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_values_are_never_sql() {
    let server = server(
        "CREATE SCHEMA \"Sa\"\"les\"; CREATE TABLE \"Sa\"\"les\".\"or.ders\" (\"a\"\"b\" text); \
         CREATE TABLE orders (id int)",
    );
    let hostile = "x'); DROP TABLE orders; --\\";
    let mut settings = settings(&server, WriteMode::Insert, &[]);
    settings.table = "\"Sa\"\"les\".\"or.ders\"".to_owned();
    for mode in [WriteMode::Insert, WriteMode::Copy] {
        settings.mode = mode;
        let port = opened(settings.clone()).await;
        let value = serde_json::json!({ "a\"b": hostile, hostile: 1 }).to_string();
        let from = match port.open(&reader()).await.unwrap() {
            Kept::Position(from) => from,
            Kept::Nothing => panic!("it keeps a position"),
        };
        let to = from.map_or(0, |from| from + 1);
        deliver(&port, &[value], from, to).await.unwrap();
    }
    let rows = server
        .query("SELECT * FROM \"Sa\"\"les\".\"or.ders\"")
        .unwrap();
    assert_eq!(rows, format!("{hostile}\n{hostile}"));
    assert_eq!(server.query("SELECT count(*) FROM orders").unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_settings_is_told_at_opening() {
    let server = server(ORDERS);
    let good = settings(&server, WriteMode::Insert, &[]);
    let mut wrong = good.clone();
    wrong.table = "order".to_owned();
    let told = fatal(wrong).await;
    assert!(told.contains("did you mean \"orders\"?"), "{told}");

    let mut wrong = good.clone();
    wrong
        .columns
        .insert("totl".to_owned(), "id".parse().unwrap());
    let told = fatal(wrong).await;
    assert!(told.contains("did you mean \"total\"?"), "{told}");

    let mut wrong = good.clone();
    wrong.key = vec!["sku".to_owned()];
    let told = fatal(wrong).await;
    assert!(told.contains("ON CONFLICT"), "{told}");

    let mut wrong = good.clone();
    wrong.url = efflux_pipeline::Secret::new(server.url_of("efflux", "hunter2"));
    let told = fatal(wrong).await;
    assert!(
        told.contains("password") && !told.contains("hunter2"),
        "{told}"
    );

    let mut wrong = good.clone();
    wrong.url = efflux_pipeline::Secret::new("postgres://efflux:hunter2@:99999999/x");
    let told = fatal(wrong).await;
    assert!(!told.contains("hunter2"), "{told}");

    server
        .query("CREATE ROLE reader LOGIN PASSWORD 'r'; GRANT SELECT ON orders TO reader")
        .unwrap();
    let mut wrong = good;
    wrong.url = efflux_pipeline::Secret::new(server.url_of("reader", "r"));
    let told = fatal(wrong).await;
    assert!(told.contains("efflux_position"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_spoken_to_through_tls_whose_certificate_holds() {
    let server = server("CREATE TABLE orders (t text)");
    let mut secure = settings(&server, WriteMode::Copy, &[]);
    secure.url = efflux_pipeline::Secret::new(format!("{}?sslmode=require", server.url()));
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, efflux_servers::tls_authority()).unwrap();
    secure.ca_file = Some(ca_file);
    let port = opened(secure.clone()).await;
    deliver(&port, &["{\"t\":\"a\"}"], None, 0).await.unwrap();
    assert_eq!(server.query("SELECT t FROM orders").unwrap(), "a");
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl \
                     AND application_name = 'efflux'";
    assert_eq!(server.query(encrypted).unwrap(), "1");
    // Of the system's authorities none signed it.
    secure.ca_file = None;
    let told = fatal(secure).await;
    assert!(told.contains("certificate"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_writes_and_the_other_is_told() {
    let server = server(ORDERS);
    let one = opened(settings(&server, WriteMode::Insert, &[])).await;
    let two = opened(settings(&server, WriteMode::Insert, &[])).await;
    let payload = ["{\"id\":1,\"sku\":\"A\"}"];
    let (first, second) = tokio::join!(
        deliver(&one, &payload, None, 4),
        deliver(&two, &payload, None, 4)
    );
    let failed = match (first, second) {
        (Ok(()), Err(failed)) | (Err(failed), Ok(())) => failed,
        other => panic!("{other:?}"),
    };
    let (kind, told) = whole(failed);
    assert_eq!(kind, "fatal");
    assert!(told.contains("another process"), "{told}");
    assert_eq!(server.query("SELECT count(*) FROM orders").unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_go_in_by_copy_and_by_insert() {
    let server = server("CREATE TABLE orders (id int, sku text)");
    let mut from = None;
    for mode in [WriteMode::Copy, WriteMode::Insert] {
        let port = opened(settings(&server, mode, &[])).await;
        for _ in 0..5_u64 {
            let start = from.map_or(0, |from: u64| from + 1);
            let payloads: Vec<String> = (start..start + 10_000)
                .map(|id| format!("{{\"id\":{id},\"sku\":\"sku-{id}\"}}"))
                .collect();
            let to = start + 9_999;
            deliver(&port, &payloads, from, to).await.unwrap();
            from = Some(to);
        }
    }
    let counts = server.query("SELECT count(*), count(DISTINCT id), max(id) FROM orders");
    assert_eq!(counts.unwrap(), "100000|100000|99999");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_letter_arrives_as_it_was() {
    let server = server("CREATE TABLE orders (id int, t text)");
    let mut text: String = ('\u{1}'..='\u{2ff}').collect();
    text.push_str("\\.\\N\\\\n\n\\.\n\t\r\u{10ffff}");
    let hash = "SELECT DISTINCT md5(t), octet_length(t) FROM orders";
    let mut from = None;
    for mode in [WriteMode::Insert, WriteMode::Copy] {
        let port = opened(settings(&server, mode, &[])).await;
        let payload = serde_json::json!({ "id": 1, "t": text }).to_string();
        let to = from.map_or(0, |from: u64| from + 1);
        deliver(&port, &[&payload, &payload], from, to)
            .await
            .unwrap();
        from = Some(to);
    }
    // psql's own literal, with every letter by its number, tells what the text should be.
    let numbers: Vec<_> = text
        .chars()
        .map(|letter| (letter as u32).to_string())
        .collect();
    let expect = format!(
        "SELECT md5(t), octet_length(t) FROM (SELECT string_agg(chr(n), '' ORDER BY at) AS t FROM \
         unnest(ARRAY[{}]) WITH ORDINALITY AS x(n, at)) AS y",
        numbers.join(",")
    );
    assert_eq!(server.query(hash).unwrap(), server.query(&expect).unwrap());
}

/// What this process holds at most, in KiB.
fn memory_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_rows_take_no_more_memory_than_a_few_batches() {
    let server = server("CREATE UNLOGGED TABLE orders (id int, sku text)");
    let port = opened(settings(&server, WriteMode::Copy, &[])).await;
    let mut peak = 0;
    for batch in 0..100_u64 {
        let start = batch * 10_000;
        let payloads: Vec<String> = (start..start + 10_000)
            .map(|id| format!("{{\"id\":{id},\"sku\":\"{id:080}\"}}"))
            .collect();
        let from = start.checked_sub(1);
        deliver(&port, &payloads, from, start + 9_999)
            .await
            .unwrap();
        if batch == 9 {
            peak = memory_peak();
        }
    }
    let counts = server.query("SELECT count(*), count(DISTINCT id) FROM orders");
    assert_eq!(counts.unwrap(), "1000000|1000000");
    // 90 MB of data went through since; other tests may run in this process.
    let more = memory_peak() - peak;
    assert!(more < 48 * 1024, "{more} KiB more");
}
