//! RabbitMQ's connector and port, against a real broker.
use std::collections::BTreeMap;
use std::future::pending;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use efflux_pipeline::particle::Message;
use efflux_pipeline::particle::limits::PAYLOAD_BYTES_MAX;
use efflux_pipeline::storage::Store;
use efflux_pipeline::{
    Batch, Connector, Failed, IntakeMax, Parcel, Pipeline, PipelineOptions, Port,
    RabbitMqConnector, RabbitMqConnectorSettings, RabbitMqPort, RabbitMqPortSettings, Reader,
    Secret, StageError, WithoutId,
};
use efflux_servers::RabbitMq;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};

use crate::rig::{
    A_WHILE, MANY, Nowhere, blocking, has, into_topics, named, options, soon, store, stored, topic,
};

fn connector(url: String, queue: &str) -> RabbitMqConnector {
    RabbitMqConnector::new(settings(url, queue)).unwrap()
}

fn settings(url: String, queue: &str) -> RabbitMqConnectorSettings {
    RabbitMqConnectorSettings {
        url: Secret::new(url),
        ca_file: None,
        queue: queue.to_owned(),
        prefetch: 500,
        without_id: WithoutId::Fresh,
    }
}

fn port(url: String, exchange: &str, routing_key: &str) -> RabbitMqPort {
    RabbitMqPort::new(RabbitMqPortSettings {
        url: Secret::new(url),
        ca_file: None,
        exchange: exchange.to_owned(),
        routing_key: routing_key.parse().unwrap(),
        mandatory: true,
    })
    .unwrap()
}

/// A broker, and the test's own connection to it.
struct Rig {
    broker: Arc<RabbitMq>,
    connection: Connection,
    channel: Channel,
}

impl Rig {
    async fn start(queues: &[&str]) -> Self {
        let broker = Arc::new(blocking(|| RabbitMq::start().unwrap()).await);
        let (connection, channel) = open(&broker.url()).await;
        let rig = Self {
            broker,
            connection,
            channel,
        };
        for queue in queues {
            let durable = QueueDeclareOptions::durable();
            let none = FieldTable::default();
            let declared = rig.channel.queue_declare((*queue).into(), durable, none);
            declared.await.unwrap();
        }
        rig
    }

    fn url(&self) -> String {
        self.broker.url()
    }

    async fn publish(&self, queue: &str, payload: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let publish =
            self.channel
                .basic_publish("".into(), queue.into(), options, payload, properties);
        assert!(publish.await.unwrap().await.unwrap().is_ack());
    }

    /// Messages of a queue that wait for somebody.
    async fn waiting(&self, queue: &str) -> u32 {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = self
            .channel
            .queue_declare(queue.into(), passive, FieldTable::default());
        queue.await.unwrap().message_count()
    }

    async fn has_waiting(&self, queue: &str, count: u32) {
        soon(async {
            while self.waiting(queue).await != count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn does(&self, work: impl FnOnce(&RabbitMq) + Send + 'static) {
        let broker = Arc::clone(&self.broker);
        blocking(move || work(&broker)).await;
    }
}

async fn open(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    (connection, channel)
}

fn with_id(id: &str) -> BasicProperties {
    BasicProperties::default()
        .with_message_id(id.into())
        .with_delivery_mode(2)
}

/// A pipeline from a queue into the topic of the same name.
fn from_queue(rig: &Rig, store: &Store, queue: &str, options: PipelineOptions) -> Pipeline {
    let name = format!("from-{queue}").parse().unwrap();
    Pipeline::from_connector(name, connector(rig.url(), queue), into_topics(store, queue))
        .with_dead_letters(store.clone(), named("dead"))
        .with_options(options)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_pass_a_broker_that_is_killed_and_are_there_once() {
    const COUNT: u64 = 10_000;
    let rig = Rig::start(&["orders"]).await;
    let store = store().await;
    let source = topic(&store, "source").await;
    for batch in 0..10 {
        let messages = (0..COUNT / 10).map(|n| Message::new(format!("{batch}-{n}")));
        source
            .append_batch(messages.collect::<Vec<_>>())
            .await
            .unwrap();
    }
    let target = topic(&store, "orders").await;
    let out = Pipeline::from_topic(
        "out".parse().unwrap(),
        source.clone(),
        port(rig.url(), "", "orders"),
    )
    .with_options(options(None));
    let back = from_queue(&rig, &store, "orders", options(None));
    let running = [
        tokio::spawn(out.run(pending())),
        tokio::spawn(back.run(pending())),
    ];

    has(&target, COUNT / 10).await;
    rig.does(|broker| broker.kill().unwrap()).await;
    rig.does(|broker| broker.restart().unwrap()).await;
    has(&target, COUNT).await;
    for task in running {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_eq!(stored(&target).await, stored(&source).await);
    let (_connection, channel) = open(&rig.url()).await;
    let rig = Rig { channel, ..rig };
    // Some were published twice. They are there again, and are known.
    let rest = from_queue(&rig, &store, "orders", options(Some(A_WHILE)));
    rest.run(pending()).await.unwrap();
    rig.has_waiting("orders", 0).await;
    assert_eq!(target.head().sequence.get(), COUNT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_taken_when_it_is_acknowledged_and_never_before() {
    let rig = Rig::start(&["orders"]).await;
    for number in 0..20 {
        rig.publish("orders", b"x", with_id(&format!("order-{number}")))
            .await;
    }
    // What is not acknowledged when the process ends comes again, in order and with its ids.
    let first = connector(rig.url(), "orders");
    let taken = soon(first.poll(MANY)).await.unwrap().unwrap();
    let mut before = ids(&taken.parcels);
    while before.len() < 20 {
        before.extend(ids(&soon(first.poll(MANY)).await.unwrap().unwrap().parcels));
    }
    drop(first);
    rig.has_waiting("orders", 20).await;

    let ten = IntakeMax {
        messages: 10,
        ..MANY
    };
    let second = connector(rig.url(), "orders");
    let mut after = Vec::new();
    let mut receipts = Vec::new();
    while after.len() < 20 {
        let intake = soon(second.poll(ten)).await.unwrap().unwrap();
        assert!(intake.parcels.len() <= 10);
        after.extend(ids(&intake.parcels));
        receipts.push((intake.receipt, ids(&intake.parcels)));
    }
    assert_eq!(before, after);
    // In any order: the last one does not speak for those before it.
    let (last, others) = receipts.split_last().unwrap();
    soon(second.ack(last.0)).await.unwrap();
    for (receipt, _) in others {
        soon(second.nack(*receipt, &StageError::rejected("no")))
            .await
            .unwrap();
    }
    // What was given back in several pieces comes again in any order.
    let mut expected: Vec<_> = others.iter().flat_map(|(_, ids)| ids.clone()).collect();
    let mut again = Vec::new();
    let mut answered = last.0;
    while again.len() < expected.len() {
        let intake = soon(second.poll(MANY)).await.unwrap().unwrap();
        again.extend(ids(&intake.parcels));
        answered = intake.receipt;
        soon(second.ack(answered)).await.unwrap();
    }
    expected.sort_unstable();
    again.sort_unstable();
    assert_eq!(again, expected);
    soon(second.close()).await.unwrap();
    // A receipt that was answered is answered.
    soon(second.ack(answered)).await.unwrap();
}

fn ids(parcels: &[Parcel]) -> Vec<String> {
    let ids = parcels.iter().map(|it| it.message.id().unwrap());
    ids.map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_stays_in_its_queue_and_what_has_no_id_gets_one() {
    let rig = Rig::start(&["orders"]).await;
    rig.publish("orders", b"x", with_id("kept")).await;
    let store = store().await;
    let failing = Pipeline::from_connector(
        "f".parse().unwrap(),
        connector(rig.url(), "orders"),
        Nowhere,
    )
    .with_dead_letters(store.clone(), named("dead"))
    .with_options(options(None));
    let stopped = soon(failing.run(pending())).await.unwrap_err().to_string();
    assert!(stopped.contains("the target is gone"), "{stopped}");
    rig.has_waiting("orders", 1).await;

    // What has no id gets one, and what follows from the content is the same each time.
    for (without_id, is_same) in [(WithoutId::Fresh, false), (WithoutId::Content, true)] {
        rig.channel
            .queue_purge("orders".into(), QueuePurgeOptions::default())
            .await
            .unwrap();
        rig.publish("orders", b"no id", BasicProperties::default())
            .await;
        let mut seen = Vec::new();
        for _ in 0..2 {
            let settings = RabbitMqConnectorSettings {
                without_id,
                ..settings(rig.url(), "orders")
            };
            let connector = RabbitMqConnector::new(settings).unwrap();
            let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
            seen.extend(ids(&intake.parcels));
            drop(connector);
            rig.has_waiting("orders", 1).await;
        }
        assert_eq!(seen[0] == seen[1], is_same, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_delivered_than_the_prefetch_says() {
    let rig = Rig::start(&["orders"]).await;
    for number in 0..30 {
        rig.publish("orders", b"x", with_id(&number.to_string()))
            .await;
    }
    let settings = RabbitMqConnectorSettings {
        prefetch: 7,
        ..settings(rig.url(), "orders")
    };
    let connector = RabbitMqConnector::new(settings).unwrap();
    let mut receipts = Vec::new();
    let mut taken = 0;
    while taken < 7 {
        let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
        taken += intake.parcels.len();
        receipts.push(intake.receipt);
    }
    assert_eq!(taken, 7);
    let more = tokio::time::timeout(A_WHILE, connector.poll(MANY)).await;
    assert!(more.is_err(), "{more:?}");
    rig.has_waiting("orders", 23).await;
    for receipt in receipts {
        soon(connector.ack(receipt)).await.unwrap();
    }
    let next = soon(connector.poll(MANY)).await.unwrap().unwrap();
    assert_eq!(next.parcels[0].message.id().unwrap().to_string(), "7");
    // What has no room comes with the next one, and the large one alone.
    drop(connector);
    rig.has_waiting("orders", 23).await;
    rig.channel
        .queue_purge("orders".into(), QueuePurgeOptions::default())
        .await
        .unwrap();
    for size in [10, 2000, 10] {
        rig.publish("orders", &vec![b'x'; size], BasicProperties::default())
            .await;
    }
    let connector = self::connector(rig.url(), "orders");
    let small = IntakeMax {
        messages: 10,
        bytes: 1000,
    };
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let intake = soon(connector.poll(small)).await.unwrap().unwrap();
        let sizes_of = intake.parcels.iter().map(|it| it.message.payload().len());
        sizes.push(sizes_of.collect::<Vec<_>>());
    }
    assert_eq!(sizes, [[10], [2000], [10]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_is_left_and_come_back_to() {
    let rig = Rig::start(&["orders"]).await;
    let url = format!("{}?heartbeat=1", rig.url());
    let connector = self::connector(url.clone(), "orders");
    rig.publish("orders", b"x", with_id("before")).await;
    let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
    let store = store().await;
    let source = topic(&store, "source").await;
    let out = Pipeline::from_topic(
        "out".parse().unwrap(),
        source.clone(),
        port(url, "", "orders"),
    )
    .with_options(options(None));
    let running = tokio::spawn(out.run(pending()));

    rig.does(|broker| broker.pause().unwrap()).await;
    source.append(Message::new("while it hung")).await.unwrap();
    let error = soon(connector.poll(MANY)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let error = soon(connector.ack(intake.receipt)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    rig.does(|broker| broker.resume().unwrap()).await;

    let mut seen = Vec::new();
    while !(seen.contains(&"x".to_owned()) && seen.contains(&"while it hung".to_owned())) {
        // The first attempts may find a broker that is still ending the old connections.
        let Ok(intake) = soon(connector.poll(MANY)).await else {
            continue;
        };
        let intake = intake.unwrap();
        seen.extend(intake.parcels.iter().map(|it| it.text().unwrap()));
        soon(connector.ack(intake.receipt)).await.unwrap();
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_no_message_lies_in_the_dead_letters_and_the_next_one_passes() {
    let rig = Rig::start(&["orders"]).await;
    let hostile = |headers: Vec<(String, AMQPValue)>| {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert(name.as_str().into(), value);
        }
        BasicProperties::default().with_headers(table)
    };
    let text = |text: &str| AMQPValue::LongString(LongString::from(text));
    let mut nested = AMQPValue::Void;
    for _ in 0..200 {
        nested = AMQPValue::FieldArray(vec![nested].into());
    }
    let many = (0..1000).map(|n| (format!("h{n}"), text("v"))).collect();
    let large = (0..20)
        .map(|n| (format!("h{n}"), text(&"v".repeat(4000))))
        .collect();
    let bytes = AMQPValue::LongString(LongString::from(&b"\xff\xfe"[..]));
    let hostile = [
        hostile(vec![("a\u{1b}[2Jb".to_owned(), text("v"))]),
        hostile(vec![("long".to_owned(), text(&"v".repeat(5000)))]),
        hostile(vec![("bytes".to_owned(), bytes)]),
        hostile(vec![("nested".to_owned(), nested)]),
        hostile(many),
        hostile(large),
        hostile(vec![("n".repeat(200), text("v"))]),
        BasicProperties::default().with_message_id("a\0b".into()),
        BasicProperties::default().with_type("a\nb".into()),
    ];
    let count = hostile.len();
    for properties in hostile {
        rig.publish("orders", b"payload", properties).await;
    }
    rig.publish("orders", &vec![0; PAYLOAD_BYTES_MAX + 1], with_id("large"))
        .await;
    rig.publish("orders", b"good", with_id("good")).await;

    let store = store().await;
    let pipeline = from_queue(&rig, &store, "orders", options(Some(A_WHILE * 5)));
    let counters = pipeline.counters();
    soon(pipeline.run(pending())).await.unwrap();
    let counts = counters.counts();
    assert_eq!(counts.dead_lettered, count as u64 + 1, "{counts:?}");
    let orders = store.topic(&named("orders")).await.unwrap();
    assert_eq!(
        stored(&orders).await,
        BTreeMap::from([("good".into(), "good".into())])
    );
    rig.has_waiting("orders", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_queue_holds_that_cannot_be_read_at_all_stops_the_pipeline_with_a_reason() {
    let rig = Rig::start(&["orders"]).await;
    publish_a_type_that_is_no_text(rig.broker.port());
    rig.has_waiting("orders", 1).await;
    let error = soon(connector(rig.url(), "orders").poll(MANY))
        .await
        .unwrap_err();
    assert!(matches!(error, StageError::Fatal(_)), "{error}");
}

/// Speaks AMQP by hand: client libraries send no short texts that are no UTF-8, but brokers take
/// them.
fn publish_a_type_that_is_no_text(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let frame = |kind: u8, channel: u8, body: &[u8]| {
        let mut frame = vec![kind, 0, channel, 0, 0, 0, u8::try_from(body.len()).unwrap()];
        frame.extend_from_slice(body);
        frame.push(0xce);
        frame
    };
    let say = |stream: &mut TcpStream, bytes: &[u8]| stream.write_all(bytes).unwrap();
    let hear = |stream: &mut TcpStream| {
        let mut head = [0; 7];
        stream.read_exact(&mut head).unwrap();
        let mut rest = vec![0; usize::from(head[5]) * 256 + usize::from(head[6]) + 1];
        stream.read_exact(&mut rest).unwrap();
    };
    say(&mut stream, b"AMQP\0\0\x09\x01");
    hear(&mut stream);
    let start_ok = b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0e\0efflux\0secret\x05en_US";
    say(&mut stream, &frame(1, 0, start_ok));
    hear(&mut stream);
    say(
        &mut stream,
        &frame(1, 0, b"\0\x0a\0\x1f\x07\xff\0\x02\0\0\0\0"),
    );
    say(&mut stream, &frame(1, 0, b"\0\x0a\0\x28\x01/\0\0"));
    hear(&mut stream);
    say(&mut stream, &frame(1, 1, b"\0\x14\0\x0a\0"));
    hear(&mut stream);
    say(&mut stream, &frame(1, 1, b"\0\x3c\0\x28\0\0\0\x06orders\0"));
    // One property, the type: two bytes that are no UTF-8.
    say(
        &mut stream,
        &frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0\x01\0\x20\x02\xff\xfe"),
    );
    say(&mut stream, &frame(3, 1, b"x"));
    say(
        &mut stream,
        &frame(1, 0, b"\0\x0a\0\x32\0\xc8\x02ok\0\0\0\0"),
    );
    hear(&mut stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_never_work_end_the_pipeline_with_what_the_broker_says() {
    let rig = Rig::start(&["orders"]).await;
    let fatal = |error: StageError, told: &str| {
        assert!(matches!(error, StageError::Fatal(_)), "{error}");
        let error = error.to_string();
        assert!(error.contains(told), "{error} does not tell {told}");
        assert!(!error.contains("secret"), "{error}");
    };
    let poll =
        async |url: String, queue: &str| soon(connector(url, queue).poll(MANY)).await.unwrap_err();
    fatal(poll(rig.url(), "missing").await, "no queue 'missing'");
    let wrong = rig.broker.url_of("efflux", "wrong");
    fatal(poll(wrong, "orders").await, "ACCESS_REFUSED");
    let other = rig.url().replace("%2f", "other");
    fatal(poll(other, "orders").await, "vhost other not found");
    let away = soon(connector("amqp://127.0.0.1:1/%2f".to_owned(), "orders").poll(MANY)).await;
    let away = away.unwrap_err();
    assert!(away.is_retryable(), "{away}");

    let reader = Reader {
        pipeline: "p".parse().unwrap(),
        source: String::new(),
    };
    let missing = port(rig.url(), "missing", "key");
    fatal(
        soon(missing.open(&reader)).await.unwrap_err(),
        "no exchange 'missing'",
    );
    let url = Secret::new("http://secret@example.org");
    let refused = RabbitMqConnector::new(RabbitMqConnectorSettings {
        url,
        ..settings(String::new(), "q")
    });
    fatal(refused.unwrap_err(), "amqp://");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_is_an_outage_and_no_message_is_to_blame() {
    let rig = Rig::start(&[]).await;
    let mut bounds = FieldTable::default();
    bounds.insert("x-max-length".into(), AMQPValue::LongInt(1));
    let refuse = AMQPValue::LongString("reject-publish".into());
    bounds.insert("x-overflow".into(), refuse);
    let durable = QueueDeclareOptions::durable();
    let declared = rig.channel.queue_declare("full".into(), durable, bounds);
    declared.await.unwrap();
    let port = port(rig.url(), "", "full");
    let parcels = ["a", "a", "b"].map(|group| {
        let message = Message::new("x").with_message_group(group);
        Parcel::of_message(message)
    });
    // It takes one, and perhaps another one before it notices.
    for _ in 0..8 {
        let batch = Batch {
            parcels: &parcels,
            position: None,
        };
        match soon(port.deliver(batch)).await {
            Err(Failed::Whole(error)) => return assert!(error.is_retryable(), "{error}"),
            told => assert!(!matches!(told, Err(Failed::Refused(_))), "{told:?}"),
        }
    }
    panic!("the queue is full, and the port blames the messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_no_queue_is_told_and_its_group_goes_on() {
    let rig = Rig::start(&["eu"]).await;
    let declared = ExchangeDeclareOptions::default();
    let none = FieldTable::default();
    let declare =
        rig.channel
            .exchange_declare("orders".into(), ExchangeKind::Topic, declared, none.clone());
    declare.await.unwrap();
    let bind = QueueBindOptions::default();
    let bound = rig
        .channel
        .queue_bind("eu".into(), "orders".into(), "order.eu".into(), bind, none);
    bound.await.unwrap();

    let port = port(rig.url(), "orders", "order.{properties.region}");
    let parcel = |region: &str, group: &str| {
        let message = Message::new(format!("{region} {group}")).with_message_group(group);
        Parcel::of_message(message.with_property("region", region))
    };
    let parcels = [
        parcel("eu", "a"),
        parcel("us", "a"),
        parcel("eu", "a"),
        parcel("eu", "b"),
        Parcel::of_message(Message::new("no region").with_message_group("b")),
        parcel("eu", "b"),
        parcel(&"x".repeat(300), "c"),
    ];
    let batch = Batch {
        parcels: &parcels,
        position: None,
    };
    let Err(Failed::Parts(failed)) = soon(port.deliver(batch)).await else {
        panic!("all of it was delivered");
    };
    let failed: Vec<_> = failed
        .iter()
        .map(|(place, error)| (*place, error.kind()))
        .collect();
    assert_eq!(failed, [(1, "rejected"), (4, "rejected"), (6, "rejected")]);
    rig.has_waiting("eu", 4).await;

    let intake = soon(connector(rig.url(), "eu").poll(MANY))
        .await
        .unwrap()
        .unwrap();
    let message = &intake.parcels[0].message;
    assert_eq!(message.message_group(), Some("a"));
    assert_eq!(message.property("region"), Some("eu"));
    assert_eq!(message.property("amqp.routing_key"), Some("order.eu"));
    assert_eq!(message.property("amqp.exchange"), Some("orders"));
    soon(port.close()).await.unwrap();
    rig.connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_reached_by_tls_when_its_authority_is_believed() {
    let rig = Rig::start(&["orders"]).await;
    rig.publish("orders", b"x", with_id("1")).await;
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), efflux_servers::tls_authority()).unwrap();
    let believing = RabbitMqConnectorSettings {
        ca_file: Some(authority.path().to_owned()),
        ..settings(rig.broker.tls_url(), "orders")
    };
    let connector = RabbitMqConnector::new(believing).unwrap();
    let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
    assert_eq!(intake.parcels.len(), 1);
    let doubting = self::connector(rig.broker.tls_url(), "orders");
    let error = soon(doubting.poll(MANY)).await.unwrap_err().to_string();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}
