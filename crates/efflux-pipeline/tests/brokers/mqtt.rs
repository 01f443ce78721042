//! MQTT's connector and port, against a real Mosquitto.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use efflux_pipeline::particle::Message;
use efflux_pipeline::particle::limits::PAYLOAD_BYTES_MAX;
use efflux_pipeline::storage::Store;
use efflux_pipeline::{
    Batch, Connector, Failed, IntakeMax, MqttConnector, MqttConnectorSettings, MqttPort,
    MqttPortSettings, Parcel, Period, Pipeline, PipelineOptions, Port, Reader, Secret, StageError,
    WithoutId,
};
use efflux_servers::Mosquitto;
use rumqttc::{
    AsyncClient, Broker, Event, MqttOptions, Packet, PublishOptions, PublishProperties, QoS,
};

use crate::rig::{
    A_WHILE, MANY, Nowhere, blocking, has, into_topics, named, options, soon, store, stored, topic,
};

fn settings(url: String, topic: &str) -> MqttConnectorSettings {
    MqttConnectorSettings {
        url,
        user: Some("efflux".to_owned()),
        password: Some(Secret::new("secret")),
        ca_file: None,
        client_id: "pipeline".to_owned(),
        topics: vec![topic.to_owned()],
        receive_max: 100,
        keep_alive: Period(Duration::from_secs(1)),
        id_property: "efflux.id".to_owned(),
        without_id: WithoutId::Fresh,
    }
}

fn connector(url: String, topic: &str) -> MqttConnector {
    MqttConnector::new(settings(url, topic)).unwrap()
}

fn port_settings(url: String, topic: &str) -> MqttPortSettings {
    MqttPortSettings {
        url,
        user: Some("efflux".to_owned()),
        password: Some(Secret::new("secret")),
        ca_file: None,
        client_id: None,
        topic: topic.parse().unwrap(),
        retain: false,
        keep_alive: Period(Duration::from_secs(1)),
    }
}

fn port(url: String, topic: &str) -> MqttPort {
    MqttPort::new(port_settings(url, topic)).unwrap()
}

async fn broker() -> Arc<Mosquitto> {
    Arc::new(blocking(|| Mosquitto::start().unwrap()).await)
}

async fn does(broker: &Arc<Mosquitto>, work: impl FnOnce(&Mosquitto) + Send + 'static) {
    let broker = Arc::clone(broker);
    blocking(move || work(&broker)).await;
}

/// Makes the broker keep a session for the connector: what is sent later waits for it.
async fn subscribed(broker: &Mosquitto, topic: &str) {
    let mut options = MqttOptions::new("pipeline", Broker::tcp("127.0.0.1", broker.port()));
    options.set_credentials("efflux", "secret");
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(u32::MAX));
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    let subscribed = client.subscribe(topic.to_owned(), QoS::AtLeastOnce).await;
    subscribed.unwrap();
    let answered = async {
        while !matches!(
            events.poll().await.unwrap(),
            Event::Incoming(Packet::SubAck(_))
        ) {}
    };
    soon(answered).await;
}

/// Publishes as any other client does.
async fn publish(broker: &Mosquitto, messages: Vec<(Vec<u8>, PublishProperties)>) {
    let mut options = MqttOptions::new("publisher", Broker::tcp("127.0.0.1", broker.port()));
    options.set_credentials("efflux", "secret");
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    let driver = tokio::spawn(async move { while events.poll().await.is_ok() {} });
    for (payload, properties) in messages {
        let options = PublishOptions::new(QoS::AtLeastOnce).properties(properties);
        let notice = client.publish_tracked("orders/eu", payload, options);
        soon(notice.await.unwrap().wait_async()).await.unwrap();
    }
    driver.abort();
}

fn with(properties: &[(&str, &str)]) -> PublishProperties {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    PublishProperties {
        user_properties: properties.iter().map(owned).collect(),
        ..PublishProperties::default()
    }
}

fn ids(parcels: &[Parcel]) -> Vec<String> {
    let ids = parcels.iter().map(|it| it.message.id().unwrap());
    ids.map(ToString::to_string).collect()
}

fn into_orders(broker: &Mosquitto, store: &Store, options: PipelineOptions) -> Pipeline {
    let connector = connector(broker.url(), "orders/#");
    Pipeline::from_connector(
        "in".parse().unwrap(),
        connector,
        into_topics(store, "orders"),
    )
    .with_dead_letters(store.clone(), named("dead"))
    .with_options(options)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_pass_a_broker_that_is_restarted_and_are_there_once() {
    const COUNT: u64 = 10_000;
    let broker = broker().await;
    subscribed(&broker, "orders/#").await;
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
    let out = port(broker.url(), "orders/all");
    let out = Pipeline::from_topic("out".parse().unwrap(), source.clone(), out)
        .with_options(options(None));
    let back = into_orders(&broker, &store, options(None));
    let running = [
        tokio::spawn(out.run(pending())),
        tokio::spawn(back.run(pending())),
    ];
    has(&target, COUNT / 10).await;
    does(&broker, |broker| broker.stop().unwrap()).await;
    does(&broker, |broker| broker.restart().unwrap()).await;
    has(&target, COUNT).await;
    for task in running {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_eq!(stored(&target).await, stored(&source).await);
    // Some were published twice. They are there again, and are known.
    let rest = into_orders(&broker, &store, options(Some(A_WHILE)));
    rest.run(pending()).await.unwrap();
    assert_eq!(target.head().sequence.get(), COUNT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_taken_when_it_is_acknowledged_and_never_before() {
    let broker = broker().await;
    subscribed(&broker, "orders/#").await;
    let messages = (0..20).map(|n| {
        let id = format!("order-{n:02}");
        (b"x".to_vec(), with(&[("efflux.id", &id)]))
    });
    publish(&broker, messages.collect()).await;

    let twenty = async |connector: &MqttConnector| {
        let mut seen = Vec::new();
        let mut receipts = Vec::new();
        while seen.len() < 20 {
            let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
            seen.extend(ids(&intake.parcels));
            receipts.push(intake.receipt);
        }
        (seen, receipts)
    };
    let first = connector(broker.url(), "orders/#");
    let (before, receipts) = twenty(&first).await;
    // What is not delivered comes again on the same connection, and on the next one.
    for receipt in receipts {
        let why = StageError::rejected("no");
        soon(first.nack(receipt, &why)).await.unwrap();
    }
    assert_eq!(twenty(&first).await.0, before);
    drop(first);
    let second = connector(broker.url(), "orders/#");
    let (after, receipts) = twenty(&second).await;
    assert_eq!(after, before);
    for receipt in receipts {
        soon(second.ack(receipt)).await.unwrap();
        // A receipt that was answered is answered.
        soon(second.ack(receipt)).await.unwrap();
    }
    soon(second.close()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_stays_at_the_broker_and_what_has_no_id_gets_one() {
    let broker = broker().await;
    subscribed(&broker, "orders/#").await;
    publish(
        &broker,
        vec![(b"x".to_vec(), with(&[("efflux.id", "kept")]))],
    )
    .await;
    let store = store().await;
    let failing = connector(broker.url(), "orders/#");
    let failing = Pipeline::from_connector("f".parse().unwrap(), failing, Nowhere)
        .with_dead_letters(store.clone(), named("dead"))
        .with_options(options(None));
    let stopped = soon(failing.run(pending())).await.unwrap_err().to_string();
    assert!(stopped.contains("the target is gone"), "{stopped}");
    let orders = into_orders(&broker, &store, options(Some(A_WHILE * 3)));
    soon(orders.run(pending())).await.unwrap();
    let orders = store.topic(&named("orders")).await.unwrap();
    let expect = BTreeMap::from([("kept".to_owned(), "x".to_owned())]);
    assert_eq!(stored(&orders).await, expect);

    // What has no id gets one, and what follows from the content is the same each time.
    for (without_id, is_same) in [(WithoutId::Fresh, false), (WithoutId::Content, true)] {
        publish(
            &broker,
            vec![(b"no id".to_vec(), PublishProperties::default())],
        )
        .await;
        let mut seen = Vec::new();
        for is_last in [false, true] {
            let connector = MqttConnector::new(MqttConnectorSettings {
                without_id,
                ..settings(broker.url(), "orders/#")
            })
            .unwrap();
            let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
            seen.extend(ids(&intake.parcels));
            if is_last {
                soon(connector.ack(intake.receipt)).await.unwrap();
                soon(connector.close()).await.unwrap();
            }
        }
        assert_eq!(seen[0] == seen[1], is_same, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_sent_than_the_receive_maximum_says() {
    let broker = broker().await;
    subscribed(&broker, "orders/#").await;
    let sizes = [10, 2000, 10, 10, 10, 10, 10, 10, 10];
    let messages = sizes.map(|size| (vec![b'x'; size], PublishProperties::default()));
    publish(&broker, messages.into()).await;
    let connector = MqttConnector::new(MqttConnectorSettings {
        receive_max: 4,
        ..settings(broker.url(), "orders/#")
    })
    .unwrap();
    let small = IntakeMax {
        messages: 10,
        bytes: 1000,
    };
    let mut taken = Vec::new();
    let mut receipts = Vec::new();
    while taken.len() < 4 {
        let intake = soon(connector.poll(small)).await.unwrap().unwrap();
        let payloads = intake.parcels.iter().map(|it| it.message.payload().len());
        let payloads: Vec<_> = payloads.collect();
        assert!(payloads.len() == 1 || payloads.iter().sum::<usize>() <= 1000);
        taken.extend(payloads);
        receipts.push(intake.receipt);
    }
    assert_eq!(taken, sizes[..4]);
    let more = tokio::time::timeout(A_WHILE, connector.poll(small)).await;
    assert!(more.is_err(), "{more:?}");
    for receipt in receipts {
        soon(connector.ack(receipt)).await.unwrap();
    }
    let next = soon(connector.poll(MANY)).await.unwrap().unwrap();
    assert!(!next.parcels.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_topic_retains_is_taken_once_however_often_the_pipeline_connects() {
    let broker = broker().await;
    let retained = MqttPort::new(MqttPortSettings {
        retain: true,
        ..port_settings(broker.url(), "orders/eu")
    });
    let retained = retained.unwrap();
    let parcel = Parcel::of_message(Message::new("kept").with_id("kept".parse().unwrap()));
    let batch = Batch {
        parcels: &[parcel],
        position: None,
    };
    soon(retained.deliver(batch)).await.unwrap();
    let store = store().await;
    let orders = topic(&store, "orders").await;
    for _ in 0..3 {
        let pipeline = into_orders(&broker, &store, options(Some(A_WHILE)));
        soon(pipeline.run(pending())).await.unwrap();
        assert_eq!(orders.head().sequence.get(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_is_left_and_come_back_to() {
    let broker = broker().await;
    subscribed(&broker, "orders/#").await;
    publish(
        &broker,
        vec![(b"before".to_vec(), with(&[("efflux.id", "before")]))],
    )
    .await;
    let connector = connector(broker.url(), "orders/#");
    let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
    let store = store().await;
    let source = topic(&store, "source").await;
    let out = port(broker.url(), "orders/all");
    let out = Pipeline::from_topic("out".parse().unwrap(), source.clone(), out)
        .with_options(options(None));
    let running = tokio::spawn(out.run(pending()));

    does(&broker, |broker| broker.pause().unwrap()).await;
    source.append(Message::new("while it hung")).await.unwrap();
    let error = soon(connector.poll(MANY)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let error = soon(connector.ack(intake.receipt)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    does(&broker, |broker| broker.resume().unwrap()).await;

    let mut seen = Vec::new();
    while !(seen.contains(&"before".to_owned()) && seen.contains(&"while it hung".to_owned())) {
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
    let broker = broker().await;
    subscribed(&broker, "orders/#").await;
    let long = "v".repeat(5000);
    let names: Vec<String> = (0..1000).map(|n| format!("h{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let hostile = [
        with(&[("long", &long)]),
        with(&[("", "v")]),
        with(&[(&"n".repeat(200), "v")]),
        with(&many),
        with(&[("efflux.id", &"i".repeat(300))]),
        with(&[("efflux.message_group", &"g".repeat(300))]),
    ];
    let count = hostile.len() as u64 + 1;
    let mut messages: Vec<_> = hostile.map(|it| (b"payload".to_vec(), it)).into();
    let large = vec![0; PAYLOAD_BYTES_MAX + 1];
    messages.push((large, with(&[("efflux.id", "large")])));
    messages.push((b"good".to_vec(), with(&[("efflux.id", "good")])));
    publish(&broker, messages).await;

    let store = store().await;
    let pipeline = into_orders(&broker, &store, options(Some(A_WHILE * 5)));
    let counters = pipeline.counters();
    soon(pipeline.run(pending())).await.unwrap();
    let counts = counters.counts();
    assert_eq!(counts.dead_lettered, count, "{counts:?}");
    let orders = store.topic(&named("orders")).await.unwrap();
    let expect = BTreeMap::from([("good".to_owned(), "good".to_owned())]);
    assert_eq!(stored(&orders).await, expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_never_work_end_the_pipeline_with_what_the_broker_says() {
    let broker = broker().await;
    let fatal = |error: StageError, told: &str| {
        assert!(matches!(error, StageError::Fatal(_)), "{error}");
        let error = error.to_string();
        assert!(error.contains(told), "{error} does not tell {told}");
        assert!(!error.contains("wrong"), "{error}");
    };
    let wrong = MqttConnector::new(MqttConnectorSettings {
        password: Some(Secret::new("wrong")),
        ..settings(broker.url(), "orders/#")
    });
    let error = soon(wrong.unwrap().poll(MANY)).await.unwrap_err();
    fatal(error, "NotAuthorized");
    let reader = Reader {
        pipeline: "p".parse().unwrap(),
        source: String::new(),
    };
    let wrong = MqttPort::new(MqttPortSettings {
        password: Some(Secret::new("wrong")),
        ..port_settings(broker.url(), "orders")
    });
    fatal(
        soon(wrong.unwrap().open(&reader)).await.unwrap_err(),
        "NotAuthorized",
    );
    let filter = MqttConnector::new(settings(broker.url(), "orders/#/all"));
    fatal(filter.unwrap_err(), "no filter");
    let away = connector("mqtt://127.0.0.1:1".to_owned(), "orders");
    let away = soon(away.poll(MANY)).await.unwrap_err();
    assert!(away.is_retryable(), "{away}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_told_and_its_group_goes_on() {
    let broker = broker().await;
    subscribed(&broker, "orders/#").await;
    let port = port(broker.url(), "orders/{properties.region}");
    let parcel = |region: &str, group: &str| {
        let message = Message::new(format!("{region} {group}")).with_message_group(group);
        Parcel::of_message(message.with_property("region", region))
    };
    let parcels = [
        parcel("eu", "a"),
        parcel("#", "a"),
        parcel("eu", "a"),
        parcel("eu", "b"),
        Parcel::of_message(Message::new("no region").with_message_group("b")),
        parcel("u\0s", "c"),
    ];
    let batch = Batch {
        parcels: &parcels,
        position: None,
    };
    let Err(Failed::Parts(failed)) = soon(port.deliver(batch)).await else {
        panic!("all of it was delivered");
    };
    let failed = failed.iter().map(|(place, error)| (*place, error.kind()));
    let expect = [(1, "rejected"), (4, "rejected"), (5, "rejected")];
    assert_eq!(failed.collect::<Vec<_>>(), expect);
    soon(port.close()).await.unwrap();

    let connector = connector(broker.url(), "orders/#");
    let mut groups = Vec::new();
    while groups.len() < 3 {
        let intake = soon(connector.poll(MANY)).await.unwrap().unwrap();
        for Parcel { message, .. } in &intake.parcels {
            assert_eq!(message.property("mqtt.topic"), Some("orders/eu"));
            assert_eq!(message.property("region"), Some("eu"));
            groups.push(message.message_group().unwrap().to_owned());
        }
    }
    assert_eq!(groups, ["a", "b", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_reached_by_tls_when_its_authority_is_believed() {
    let broker = broker().await;
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), efflux_servers::tls_authority()).unwrap();
    let believing = MqttPort::new(MqttPortSettings {
        ca_file: Some(authority.path().to_owned()),
        ..port_settings(broker.tls_url(), "orders")
    });
    let parcels = [Parcel::of_message(Message::new("x"))];
    let batch = Batch {
        parcels: &parcels,
        position: None,
    };
    soon(believing.unwrap().deliver(batch)).await.unwrap();
    let doubting = port(broker.tls_url(), "orders");
    let Err(Failed::Whole(error)) = soon(doubting.deliver(batch)).await else {
        panic!("it believed anybody");
    };
    let error = error.to_string();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}
