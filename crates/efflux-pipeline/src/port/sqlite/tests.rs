//! Tests of the port to SQLite, each with a database of its own.

use super::*;
use efflux_storage::particle::Message;
use rusqlite::Connection;
use tempfile::TempDir;

struct Database {
    folder: TempDir,
}

impl Database {
    fn with(schema: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Self { folder };
        let connection = Connection::open(database.path()).unwrap();
        connection.execute_batch(schema).unwrap();
        database
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    fn settings(&self) -> SqlitePortSettings {
        SqlitePortSettings {
            path: self.path(),
            table: "orders".to_owned(),
            columns: BTreeMap::new(),
            mode: WriteMode::Insert,
            key: Vec::new(),
            timeout: Period(std::time::Duration::from_millis(50)),
        }
    }

    fn upserting(&self) -> SqlitePortSettings {
        SqlitePortSettings {
            mode: WriteMode::Upsert,
            key: vec!["id".to_owned()],
            ..self.settings()
        }
    }

    /// All rows, their values separated by `|`.
    fn rows(&self, query: &str) -> Vec<String> {
        let connection = Connection::open(self.path()).unwrap();
        let mut statement = connection.prepare(query).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..width).map(|at| {
                let value: rusqlite::types::Value = row.get(at).unwrap();
                format!("{value:?}")
            });
            Ok(values.collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

const ORDERS: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, sku TEXT NOT NULL, \
                      total REAL CHECK (total >= 0), note TEXT DEFAULT 'none');";

fn reader() -> Reader {
    Reader {
        pipeline: "warehouse".parse().unwrap(),
        source: "root".to_owned(),
    }
}

fn parcels(payloads: &[&str]) -> Vec<Parcel> {
    let messages = payloads.iter().map(|text| Message::new((*text).to_owned()));
    messages.map(Parcel::of_message).collect()
}

async fn opened(settings: SqlitePortSettings) -> SqlitePort {
    let port = SqlitePort::new(settings).unwrap();
    port.open(&reader()).await.unwrap();
    port
}

async fn deliver(
    port: &SqlitePort,
    payloads: &[&str],
    from: Option<u64>,
    to: u64,
) -> Result<(), Failed> {
    port.deliver(Batch {
        parcels: &parcels(payloads),
        position: Some(Advance { from, to }),
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

#[tokio::test]
async fn rows_and_position_are_written_together() {
    let database = Database::with(ORDERS);
    let port = opened(database.settings()).await;
    let payloads = [
        "{\"id\":1,\"sku\":\"A\",\"total\":1.5,\"other\":true}",
        "{\"id\":2,\"sku\":\"B\",\"note\":null}",
    ];
    deliver(&port, &payloads, None, 1).await.unwrap();
    let expect = [
        "Integer(1)|Text(\"A\")|Real(1.5)|Text(\"none\")",
        "Integer(2)|Text(\"B\")|Null|Null",
    ];
    assert_eq!(database.rows("SELECT * FROM orders ORDER BY id"), expect);
    let kept = port.open(&reader()).await.unwrap();
    assert_eq!(kept, Kept::Position(Some(1)));
    deliver(&port, &[], Some(1), 7).await.unwrap();
    let kept = port.open(&reader()).await.unwrap();
    assert_eq!(kept, Kept::Position(Some(7)));
}

#[tokio::test]
async fn a_second_process_is_told_and_writes_nothing() {
    let database = Database::with(ORDERS);
    let one = opened(database.settings()).await;
    let two = opened(database.settings()).await;
    deliver(&one, &["{\"id\":1,\"sku\":\"A\"}"], None, 4)
        .await
        .unwrap();
    let failed = deliver(&two, &["{\"id\":1,\"sku\":\"A\"}"], None, 4).await;
    let (kind, told) = whole(failed.unwrap_err());
    assert_eq!(kind, "fatal");
    assert!(
        told.contains("another process") && told.contains("is 4"),
        "{told}"
    );
    assert_eq!(database.rows("SELECT id FROM orders"), ["Integer(1)"]);
}

#[tokio::test]
async fn a_delivery_that_was_given_up_after_its_commit_is_not_done_twice() {
    let database = Database::with("CREATE TABLE orders (sku TEXT)");
    let port = opened(database.settings()).await;
    // It is committed by the thread, and nobody is there to hear of it.
    let advance = Advance { from: None, to: 3 };
    let before = port.shared.doubt.begins(Some(advance));
    let parcels = parcels(&["{\"sku\":\"A\"}"]);
    port.shared
        .deliver(&parcels, Some(advance), before)
        .unwrap();
    deliver(&port, &["{\"sku\":\"A\"}"], None, 3).await.unwrap();
    assert_eq!(database.rows("SELECT * FROM orders"), ["Text(\"A\")"]);
    let later = deliver(&port, &["{\"sku\":\"A\"}"], None, 3).await;
    assert_eq!(whole(later.unwrap_err()).0, "fatal");
}

#[tokio::test]
async fn exactly_the_rows_that_do_not_fit_are_refused_and_nothing_is_written() {
    let database = Database::with(ORDERS);
    let port = opened(database.settings()).await;
    let payloads = [
        "{\"id\":1,\"sku\":\"A\"}",
        "{\"id\":\"one\",\"sku\":\"A\"}",
        "{\"id\":2}",
        "{\"id\":3,\"sku\":null}",
        "{\"id\":1,\"sku\":\"again\"}",
        "{\"id\":5,\"sku\":\"A\",\"total\":-1}",
        "nonsense",
        "{\"id\":99999999999999999999,\"sku\":\"A\"}",
        "{\"id\":8,\"sku\":\"A\"}",
    ];
    let failed = deliver(&port, &payloads, None, 8).await.unwrap_err();
    assert_eq!(refused(failed), [1, 2, 3, 4, 5, 6, 7]);
    assert!(database.rows("SELECT * FROM orders").is_empty());
    assert_eq!(port.open(&reader()).await.unwrap(), Kept::Position(None));
    let good = [payloads[0], payloads[8]];
    deliver(&port, &good, None, 8).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM orders").len(), 2);
}

#[tokio::test]
async fn an_upsert_changes_what_the_message_names_and_keeps_the_rest() {
    let database = Database::with(ORDERS);
    let port = opened(database.upserting()).await;
    let payloads = [
        "{\"id\":1,\"sku\":\"A\",\"total\":1,\"note\":\"x\"}",
        "{\"id\":1,\"sku\":\"B\"}",
    ];
    deliver(&port, &payloads, None, 1).await.unwrap();
    let expect = ["Integer(1)|Text(\"B\")|Real(1.0)|Text(\"x\")"];
    assert_eq!(database.rows("SELECT * FROM orders"), expect);
    let failed = deliver(&port, &["{\"sku\":\"B\"}"], Some(1), 2).await;
    assert_eq!(refused(failed.unwrap_err()), [0]);
}

#[tokio::test]
async fn values_and_keys_are_never_sql() {
    let hostile = "x\\\"'); DROP TABLE orders; --";
    let database = Database::with(
        "CREATE TABLE \"or\"\"ders\" (\"a\"\"b\" TEXT, region TEXT); CREATE TABLE orders (id INT);",
    );
    let mut settings = database.settings();
    settings.table = "\"or\"\"ders\"".to_owned();
    let port = opened(settings).await;
    let payload = format!("{{\"a\\\"b\":\"{hostile}\",\"region\":\"a\\u0000b\",\"{hostile}\":1}}");
    deliver(&port, &[&payload], None, 1).await.unwrap();
    let rows = database.rows("SELECT \"a\"\"b\", length(region) FROM \"or\"\"ders\"");
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains("DROP TABLE orders; --"), "{rows:?}");
    assert!(database.rows("SELECT * FROM orders").is_empty());
}

#[tokio::test]
async fn what_is_missing_is_told_with_what_was_probably_meant() {
    let database = Database::with(ORDERS);
    let told = async |change: fn(&mut SqlitePortSettings)| {
        let mut settings = database.settings();
        change(&mut settings);
        let error = match SqlitePort::new(settings) {
            Ok(port) => port.open(&reader()).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), "fatal", "{error}");
        error.reason()
    };
    let table = told(|settings| settings.table = "order".to_owned()).await;
    assert!(table.contains("did you mean \"orders\"?"), "{table}");
    let column = told(|settings| {
        settings.columns = BTreeMap::from([("totl".to_owned(), "id".parse().unwrap())]);
    });
    let column = column.await;
    assert!(column.contains("did you mean \"total\"?"), "{column}");
    let key = told(|settings| settings.key = vec!["sku".to_owned()]).await;
    assert!(key.contains("ON CONFLICT"), "{key}");
    let copy = told(|settings| settings.mode = WriteMode::Copy).await;
    assert!(copy.contains("no COPY"), "{copy}");
    let file = told(|settings| settings.path.push("none")).await;
    assert!(file.contains("no database"), "{file}");
}

#[tokio::test]
async fn a_database_that_others_hold_is_unavailable() {
    let database = Database::with(ORDERS);
    let port = opened(database.settings()).await;
    let other = Connection::open(database.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = deliver(&port, &["{\"id\":1,\"sku\":\"A\"}"], None, 1).await;
    assert_eq!(whole(failed.unwrap_err()).0, "unavailable");
    other.execute_batch("ROLLBACK").unwrap();
    deliver(&port, &["{\"id\":1,\"sku\":\"A\"}"], None, 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_disk_that_is_full_is_unavailable_and_leaves_nothing() {
    let database = Database::with("CREATE TABLE orders (sku TEXT)");
    let port = opened(database.settings()).await;
    let bound = |pages: u32| {
        let held = port.shared.session.lock().unwrap();
        let bound = format!("PRAGMA max_page_count = {pages}");
        held.as_ref().unwrap().execute(&bound);
    };
    bound(8);
    let large = format!("{{\"sku\":\"{}\"}}", "x".repeat(100_000));
    let failed = deliver(&port, &["{\"sku\":\"a\"}", &large], None, 1).await;
    assert_eq!(whole(failed.unwrap_err()).0, "unavailable");
    assert!(database.rows("SELECT * FROM orders").is_empty());
    bound(1000);
    deliver(&port, &["{\"sku\":\"a\"}", &large], None, 1)
        .await
        .unwrap();
    assert_eq!(database.rows("SELECT length(sku) FROM orders").len(), 2);
}

#[tokio::test]
async fn a_constraint_that_is_looked_at_last_refuses_the_row() {
    let database = Database::with(
        "CREATE TABLE parts (id INTEGER PRIMARY KEY); CREATE TABLE orders (part INTEGER \
         REFERENCES parts (id) DEFERRABLE INITIALLY DEFERRED);",
    );
    let port = opened(database.settings()).await;
    let failed = deliver(&port, &["{\"part\":1}"], None, 1)
        .await
        .unwrap_err();
    assert_eq!(refused(failed), [0]);
    let two = ["{\"part\":1}", "{\"part\":2}"];
    let failed = deliver(&port, &two, None, 1).await.unwrap_err();
    assert_eq!(whole(failed).0, "rejected");
    assert!(database.rows("SELECT * FROM orders").is_empty());
}
