//! The examples, each with the real server that it needs.

use std::io::Write;

use efflux_servers::{Postgres, RabbitMq, Smtp};

use crate::place::{Place, examples};
use crate::webhooks::Service;

const IDLE: &[&str] = &["--until-idle", "2s"];

fn run(place: &Place, file: &str) -> String {
    place.says(&[&["pipeline", "run", file], IDLE].concat())
}

fn unchanged(text: String) -> String {
    text
}

#[test]
fn a_folder_of_zipped_csvs_becomes_a_table() {
    let server = Postgres::start().unwrap();
    let table =
        "CREATE TABLE orders (id text PRIMARY KEY, sku text, qty int, total numeric, file text)";
    server.query(table).unwrap();
    let place = Place::new().with("WAREHOUSE_URL", server.url());
    place.example("zipped-csvs.toml", |text| {
        text.replace(
            "match = [\"*.zip\"]",
            "match = [\"*.zip\"], settle = \"100ms\", rescan = \"200ms\"",
        )
    });
    std::fs::create_dir(place.path("inbox")).unwrap();
    for (name, rows) in [
        ("a", "1,A,2,9.5,ok\n2,B,1,1,void\n"),
        ("b", "3,C,3,2,ok\n4,D,many,2,ok\n"),
    ] {
        let csv = format!("order_id,sku,qty,price,status\n{rows}");
        zip(&place, name, &csv);
    }
    let told = run(&place, "zipped-csvs.toml");
    assert!(
        told.contains("orders-inbox: ended; 2 in, 2 delivered"),
        "{told}"
    );
    let rows = server
        .query("SELECT id, qty, total, file FROM orders ORDER BY id")
        .unwrap();
    assert_eq!(rows.trim(), "1|2|19.0|a.csv\n3|3|6|b.csv");
    let letters = place.payloads("orders.dead");
    assert_eq!(letters.len(), 1);
    assert!(letters[0].contains("many"), "{letters:?}");
    assert!(place.path("inbox/.done/a.zip").exists());
}

/// Zips a CSV with the program that Python brings.
fn zip(place: &Place, name: &str, csv: &str) {
    let file = place.path(&format!("{name}.csv"));
    std::fs::File::create(&file)
        .unwrap()
        .write_all(csv.as_bytes())
        .unwrap();
    let mut python = std::process::Command::new("python3");
    python
        .args(["-m", "zipfile", "-c"])
        .arg(place.path(&format!("inbox/{name}.zip")));
    let zipped = python
        .arg(format!("{name}.csv"))
        .current_dir(place.folder.path())
        .status();
    assert!(zipped.unwrap().success());
}

#[test]
fn messages_of_rabbitmq_go_to_topics_by_their_type() {
    let server = RabbitMq::start().unwrap();
    let place = Place::new().with("RABBITMQ_URL", server.url());
    place.example("by-type.toml", unchanged);
    // Messages get into the queue by another pipeline, under the names that RabbitMQ has for them.
    declare_queue(&server.url(), "events");
    let fill = "version = 1\n[pipeline.fill]\nconnector = { topic = { name = \"raw\" } }\n\
                port = { rabbitmq = { url = \"${RABBITMQ_URL}\", routing_key = \"events\" } }\n";
    place.write("fill.toml", fill);
    for data_type in ["order.placed", "order.paid", "invoice", "other"] {
        place.append("raw", data_type, &format!("{{\"is\":\"{data_type}\"}}"));
    }
    run(&place, "fill.toml");
    let told = run(&place, "by-type.toml");
    assert!(told.contains("by-type: ended; 4 in, 4 delivered"), "{told}");
    assert_eq!(place.payloads("orders").len(), 2);
    assert_eq!(place.payloads("invoices-none"), ["{\"is\":\"invoice\"}"]);
    assert_eq!(place.payloads("other-events"), ["{\"is\":\"other\"}"]);
}

fn declare_queue(url: &str, name: &str) {
    use lapin::options::QueueDeclareOptions;
    use lapin::types::FieldTable;
    use lapin::{Connection, ConnectionProperties};
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(url, properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let table = FieldTable::default();
        channel
            .queue_declare(name.into(), options, table)
            .await
            .unwrap();
        connection.close(200, "done".into()).await.unwrap();
    });
}

#[test]
fn invoices_are_sent_as_mails() {
    let server = Smtp::start().unwrap();
    let place = Place::new()
        .with("SMTP_HOST", "localhost")
        .with("SMTP_USER", server.user())
        .with("SMTP_PASSWORD", server.password());
    place.write("ca.pem", efflux_servers::tls_authority());
    let here = format!(
        "tls = \"starttls\"\nport = {}\nca_file = \"ca.pem\"",
        server.port()
    );
    place.example("invoice-mail.toml", |text| {
        text.replace("tls = \"starttls\"", &here)
    });
    std::fs::copy(examples().join("invoice.xsl"), place.path("invoice.xsl")).unwrap();
    let invoice =
        "<invoice number='7'><line sku='A' price='1.5'/><line sku='B' price='2'/></invoice>";
    let properties = ["--prop", "customer=ada@example.com", "--prop", "number=7"];
    let append = [
        "append", "invoices", invoice, "--type", "invoice", "--create",
    ];
    place.prints(&[&append[..], &properties[..]].concat());
    run(&place, "invoice-mail.toml");
    let mails = server.mails().unwrap();
    assert_eq!(mails.len(), 1);
    let text = &mails[0].text;
    assert!(text.contains("Subject: Invoice 7"), "{text}");
    assert!(text.contains("Total: 3.50"), "{text}");
}

#[test]
fn a_read_model_has_each_order_once() {
    let place = Place::new();
    place.example("read-model.toml", unchanged);
    sqlite(
        &place,
        "CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT, total REAL, status TEXT)",
    );
    place.append(
        "orders",
        "order.placed",
        r#"{"id":"o-1","customer":"ada","total":12.5}"#,
    );
    place.append(
        "orders",
        "order.paid",
        r#"{"id":"o-1","customer":"ada","total":12.5}"#,
    );
    place.append(
        "orders",
        "order.placed",
        r#"{"id":"o-2","customer":"bob","total":1}"#,
    );
    run(&place, "read-model.toml");
    let rows = sqlite(&place, "SELECT id, status FROM orders ORDER BY id");
    assert_eq!(rows, "o-1 paid\no-2 placed\n");
    let again = run(&place, "read-model.toml");
    assert!(again.contains("ended; 0 in, 0 delivered"), "{again}");
}

/// Asks the database with the library that Python brings.
pub(crate) fn sqlite(place: &Place, sql: &str) -> String {
    let program = "import sqlite3,sys\nd=sqlite3.connect('orders.db')\n\
                   [print(*row) for row in d.execute(sys.argv[1])]\nd.commit()";
    let mut python = std::process::Command::new("python3");
    python
        .args(["-c", program, sql])
        .current_dir(place.folder.path());
    let output = python.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_a_webhook_refuses_is_sent_again_when_it_is_mended() {
    let service = Service::start();
    let url = format!("http://{}/orders", service.address);
    let place = Place::new().with("NOTIFY_URL", url);
    place.example("notify.toml", unchanged);
    for customer in ["ada", "bad", "bob"] {
        let order = format!("{{\"customer\":\"{customer}\",\"total\":120}}");
        place.append("orders", "order", &order);
    }
    place.append("orders", "order", "{\"customer\":\"ada\",\"total\":1}");
    let told = run(&place, "notify.toml");
    assert!(
        told.contains("4 in, 2 delivered, 1 filtered, 1 dead letters"),
        "{told}"
    );
    assert_eq!(service.told().len(), 2);
    assert_eq!(place.payloads("orders.refused").len(), 1);
    service.mend();
    let told = place.says(&["pipeline", "replay", "notify.toml", "notify"]);
    assert!(told.contains("1 in, 1 delivered"), "{told}");
    assert_eq!(service.told().len(), 3);
    let again = place.says(&["pipeline", "replay", "notify.toml", "notify"]);
    assert!(again.contains("0 in, 0 delivered"), "{again}");
}
