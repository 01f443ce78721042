//! Tests of declared pipelines.

use efflux_storage::particle::{Message, Sequence};
use efflux_storage::{ReadLimit, Store, TopicOptions};

use super::*;

fn none(_: &str) -> Option<String> {
    None
}

fn faults(text: &str) -> Vec<String> {
    let faults = Document::read(text, &none).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

/// A file with this pipeline.
fn with(pipeline: &str) -> String {
    format!("version = 1\n[pipeline.a]\n{pipeline}")
}

const WHOLE: &str = r#"
connector = { topic = { name = "orders", start = "root" } }
steps = [
  { filter = 'data.total > 10' },
  { name = "label", metadata = { set = { "properties.size" = "{data.size|small}" } } },
  { filter = 'properties.size != "none"' },
  { aggregate = { messages = 2, period = "1s", by = "{properties.size}" } },
]
router = { topic = "orders-{properties.size}" }
batch = { messages = 100, bytes = "1MiB" }
order = "strict"
on_error = { attempts = 3, initial = "10ms", max = "1s", then = "dead_letter" }
"#;

#[tokio::test]
async fn a_pipeline_of_a_file_runs() {
    let document = Document::read(&with(WHOLE), &none).unwrap();
    let store = Store::open("mem:").await.unwrap();
    let orders = "orders".parse().unwrap();
    let orders = store
        .create_topic(&orders, TopicOptions::default())
        .await
        .unwrap();
    for payload in ["{\"total\":20}", "{\"total\":5}", "{\"total\":30}"] {
        orders.append(Message::new(payload)).await.unwrap();
    }
    let stores = Stores::beside(store.clone());
    let pipeline = document.open("a", &stores).await.unwrap().unwrap();
    let options = crate::PipelineOptions {
        ends_when_idle: Some(std::time::Duration::from_millis(300)),
        ..pipeline.options().clone()
    };
    pipeline
        .with_options(options)
        .run(std::future::pending())
        .await
        .unwrap();
    let made = store.topic(&"orders-small".parse().unwrap()).await.unwrap();
    let made = made
        .read(Sequence::FIRST, ReadLimit::default())
        .await
        .unwrap();
    assert_eq!(made[0].payload(), "[{\"total\":20},{\"total\":30}]");
}

#[test]
fn steps_are_called_by_their_kind_or_their_name() {
    let document = Document::read(&with(WHOLE), &none).unwrap();
    let steps = document.settings("a").unwrap().steps().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["filter", "label", "filter-2", "aggregate"]);
}

#[test]
fn a_step_with_a_name_leaves_the_others_theirs() {
    let steps = "steps = [{ name = 'first', filter = 'id = a' }, { filter = 'id = b' }, { filter = 'id = c' }]";
    let rest = "connector = { topic = { name = \"o\" } }\nrouter = { topic = \"x\" }\n";
    let document = Document::read(&with(&format!("{rest}{steps}\n")), &none).unwrap();
    let steps = document.settings("a").unwrap().steps().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["first", "filter", "filter-2"]);
}

#[test]
fn every_fault_is_told_with_its_place() {
    let told = faults(&with(
        r#"connector = { topic = { name = "no name", start = "never" } }
steps = [
  { filter = 'total >' },
  { filter = '''
type = order and
  typ = x''' },
  { name = "A b", verify = {} },
  { dedupe = { key = "{id}", last = 0 } },
]
in_flight = 0
"#,
    ));
    let expected = [
        "line 2, column 11: the pipeline goes nowhere",
        "line 3, column 32: topic name \"no name\"",
        "line 3, column 51: \"never\" is no place to begin",
        "line 5, column 15: unknown field `total`",
        "line 8, column 3: unknown field `typ`",
        "line 9, column 12: \"A b\" is no name of a step",
        "line 10, column 37: 0 keys",
        "line 12, column 13: 0 batches in flight",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
}

#[test]
fn very_many_faults_are_told_by_the_first_of_them() {
    let texts = [
        "a = ?\n".repeat(100_000),
        (0..40_000).map(|number| format!("a{number} = '${{NO}}'\n")).collect(),
        (0..20_000).map(|number| format!("[pipeline.{number}]\n")).collect(),
        (0..9_000)
            .map(|number| {
                format!("[pipeline.\"\u{e9} {number}\"]\nconnector = {{ stdin = {{}} }}\nport = {{ stdout = {{}} }}\n")
            })
            .collect(),
    ];
    for text in texts {
        let told = faults(&format!("version = 1\n{text}"));
        assert_eq!(told.len(), 100, "{}", told[0]);
    }
}

#[test]
fn files_and_pipelines_that_are_too_long_are_refused() {
    let told = faults(&"# long\n".repeat(200_000));
    assert!(
        told[0].contains("1400000 bytes, at most 1048576"),
        "{told:?}"
    );
    let steps = "  { verify = {} },\n".repeat(65);
    let rest = "connector = { topic = { name = \"o\" } }\nrouter = { topic = \"x\" }\n";
    let told = faults(&with(&format!("{rest}steps = [\n{steps}]\n")));
    assert_eq!(
        told,
        ["line 5, column 9: it has 65 steps, at most 64 are allowed"]
    );
}

#[test]
fn a_fault_in_a_text_with_escapes_has_its_line() {
    let rest = "connector = { topic = { name = \"o\" } }\nrouter = { topic = \"x\" }\n";
    let filter = "\\u00e9\u{e9}\u{e9}\u{e9}\u{e9} >";
    for from in 0..filter.len() {
        let Some(filter) = filter.get(from..) else {
            continue;
        };
        let told = faults(&with(&format!(
            "{rest}steps = [{{ filter = \"{filter}\" }}]\n\n\n"
        )));
        assert!(told[0].starts_with("line 5"), "{told:?}");
    }
}

#[test]
fn what_is_no_step_is_told_with_what_there_is() {
    let step = |step: &str| {
        let rest = "connector = { topic = { name = \"o\" } }\nrouter = { topic = \"x\" }\n";
        faults(&with(&format!("{rest}steps = [\n  {step},\n]\n"))).join("\n")
    };
    let told = step("{ filtr = 'a' }");
    assert!(
        told.contains("unknown variant `filtr`, expected one of `filter`"),
        "{told}"
    );
    assert!(told.starts_with("line 6"), "{told}");
    assert!(step("{ filter = 'id = x', verify = {} }").contains("second one"));
    assert!(step("{ name = 'x' }").contains("does nothing"));
    assert!(step("{ filter = 3 }").contains("line 6, column 14: invalid type"));
    assert!(step("{ dedupe = { kee = 'x' } }").contains("kee"));
    assert!(step("{ dedupe = { key = '{nothing}' } }").contains("no field \"nothing\""));
}

#[test]
fn what_does_not_go_together_is_told() {
    let told = |rest: &str| faults(&with(rest)).join("\n");
    let topic = "connector = { topic = { name = \"o\" } }\n";
    let both = "router = { topic = \"a\" }\nport = { topics = { router = { topic = \"a\" } } }\n";
    assert!(told(&format!("{topic}{both}")).contains("a port and a router"));
    let own = "router = { topic = \"a\" }\non_error = { dead_letter = \"o\" }\n";
    assert!(told(&format!("{topic}{own}")).contains("is the topic that it reads"));
    assert!(faults("version = 2\n").join("").contains("version 2"));
    let test = "[[test]]\nname = \"t\"\npipeline = \"b\"\ninput = []\n";
    assert!(
        faults(&format!("version = 1\n{test}"))
            .join("")
            .contains("no pipeline \"b\"")
    );
}

#[test]
fn variables_are_filled_in_and_missing_ones_told() {
    let text =
        with("connector = { topic = { name = \"${TOPIC}\" } }\nrouter = { topic = \"x\" }\n");
    let around = |name: &str| (name == "TOPIC").then(|| "orders".to_owned());
    let document = Document::read(&text, &around).unwrap();
    let Some(ConnectorKind::Topic(topic)) = &document.settings("a").unwrap().connector else {
        panic!("it reads a topic");
    };
    assert_eq!(topic.name, "orders");
    let told = faults(&text).join("\n");
    assert!(
        told.starts_with("line 3, column 32: the environment has no variable TOPIC"),
        "{told}"
    );
}

const EXAMPLE: &str = r#"
[[test]]
name = "sizes"
pipeline = "a"
through = "filter-2"
input = [
  { json = { total = 20, size = "large" } },
  { json = { total = 5 } },
  { text = "no json" },
]
"#;

async fn tried(expect: &str) -> Vec<String> {
    let text = format!("{}{EXAMPLE}{expect}", with(WHOLE));
    let document = Document::read(&text, &none).unwrap();
    let reports = document.test(None).await;
    assert_eq!(reports.len(), 1);
    let faults = reports[0].faults.iter();
    faults.map(ToString::to_string).collect()
}

#[tokio::test]
async fn examples_pass_when_what_comes_out_is_what_is_expected() {
    let expect = r#"expect = [{ json = { total = 20.0, size = "large" }, topic = "orders-large",
        properties = { size = "large" } }]"#;
    assert_eq!(tried(expect).await, Vec::<String>::new());
}

#[tokio::test]
async fn examples_tell_what_is_different_and_where() {
    let wrong = tried("expect = [{ topic = \"orders-small\" }]").await;
    assert!(wrong[0].starts_with("line 25, column 11"), "{wrong:?}");
    assert!(
        wrong[0].contains("\"orders-small\" is expected"),
        "{wrong:?}"
    );
    let more = tried("expect = []").await;
    assert!(more[0].contains("came out as well"), "{more:?}");
    let fewer = tried("expect = [{ contains = \"20\" }, { text = \"x\" }]").await;
    assert!(fewer[0].contains("nothing came out"), "{fewer:?}");
}

#[tokio::test]
async fn what_the_router_refuses_fails_in_an_example_too() {
    let text = |more: &str| {
        format!(
            "version = 1\n[pipeline.a]\nconnector = {{ topic = {{ name = \"o\" }} }}\n\
             router = {{ rules = [{{ when = \"type = b\", topic = \"b\" }}] }}\n\
             [[test]]\nname = \"t\"\npipeline = \"a\"\n\
             input = [{{ data_type = \"b\" }}, {{ text = \"other\" }}]\n\
             expect = [{{ topic = \"b\" }}]\n{more}"
        )
    };
    let tried = async |more: &str| {
        let document = Document::read(&text(more), &none).unwrap();
        let mut reports = document.test(None).await;
        std::mem::take(&mut reports[0].faults)
    };
    let failed = tried("").await;
    assert!(
        failed[0].what.contains("port failed for other: no rule"),
        "{failed:?}"
    );
    let expected = tried("failures = [{ step = \"port\", contains = \"no rule\" }]\n").await;
    assert!(expected.is_empty(), "{expected:?}");
}

#[test]
fn the_schema_knows_every_step_and_its_name() {
    let schema = Document::schema().to_string();
    for part in [
        "\"filter\"",
        "\"aggregate\"",
        "\"name\"",
        "\"on_error\"",
        "\"dead_letter\"",
    ] {
        assert!(schema.contains(part), "{part}");
    }
}
