//! Tests of what is told about files in which much is wrong.

use super::Document;

fn told_with(text: &str, around: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let faults = Document::read(text, &around).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

fn told(text: &str) -> Vec<String> {
    told_with(text, |_| None)
}

/// Each fault begins as it is expected to, and there is no other.
fn assert_told(told: &[String], expected: &[&str]) {
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
}

const MANY: &str = r#"version = 1
[pipeline.form]
connector = { files = { folder = "in", setle = "1s" } }
steps = [
  { filter = "typ = a" },
  { filtr = "x" },
  { jq = ".a |" },
  { filter = 'id = x' },
]
port = { stdout = {} }
in_flight = 0
[pipeline.content]
connector = { stdin = {} }
port = { sqlite = { path = "", table = "a.b.c", mode = "copy" } }
batch = { messages = 0, bytes = "0B" }
lease = "0s"
rate_max = 0
[pipeline.content.on_error]
attempts = 0
initial = "0s"
step_timeout = "0s"
delivery_timeout = "0s"
dead_letter = "X Y"
[pipeline.lacking]
router = { rules = [{ when = "id =", topic = "a b" }], evenly = ["c d"], otherwise = "e f" }
[[test]]
name = "of a step"
pipeline = "form"
through = "filter-2"
input = [{ text = "a", json = 1 }, { hex = "0" }]
[[test]]
name = "of no pipeline"
pipeline = "none"
inputs = []
input = []
"#;

#[test]
fn faults_of_form_in_one_place_hide_none_of_content_in_another() {
    assert_told(
        &told(MANY),
        &[
            "line 3, column 40: unknown field `setle`",
            "line 5, column 15: unknown field `typ`",
            "line 6, column 5: unknown variant `filtr`",
            "line 7, column 15: ",
            "line 11, column 13: 0 batches in flight",
            "line 14, column 10: this port keeps the position",
            "line 14, column 28: no file is named",
            "line 14, column 40: \"a.b.c\" has more parts",
            "line 14, column 56: SQLite has no COPY",
            "line 15, column 22: a batch of 0 messages",
            "line 15, column 33: a batch of 0 bytes",
            "line 16, column 9: a lease of 0ns",
            "line 17, column 12: 0 messages a second",
            "line 19, column 12: 0 attempts",
            "line 20, column 11: waits from 0ns",
            "line 21, column 16: a time-out of 0",
            "line 22, column 20: a time-out of 0",
            "line 23, column 15: topic name \"X Y\"",
            "line 24, column 11: the pipeline has no source",
            "line 25, column 1: a router has exactly one",
            "line 25, column 35: ",
            "line 25, column 46: topic name \"a b\"",
            "line 25, column 66: topic name \"c d\"",
            "line 25, column 86: topic name \"e f\"",
            "line 30, column 10: a payload is given once",
            "line 30, column 44: these are no bytes",
            "line 33, column 12: there is no pipeline \"none\"",
            "line 34, column 1: unknown field `inputs`",
        ],
    );
}

#[test]
fn what_could_not_be_read_is_not_told_as_missing() {
    // The port is there and wrong; the step that a test names may be the one that is wrong.
    let text = "version = 1\n[pipeline.a]\nconnector = { stdin = {} }\n\
                steps = [{ name = \"b\", filtr = 'x' }]\nport = { email = { to = 5 } }\n\
                [[test]]\nname = \"t\"\npipeline = \"a\"\nfrom = \"b\"\ninput = []\n";
    assert_told(
        &told(text),
        &[
            "line 4, column 24: unknown variant `filtr`",
            "line 5, column 25: invalid type: integer `5`",
        ],
    );
}

#[test]
fn what_a_missing_variable_would_hold_is_not_told_as_wrong() {
    let text = "version = 1\n[pipeline.a]\nconnector = { stdin = {} }\nlease = \"${L}\"\n\
                port = { webhook = { url = \"${U}\", secret = \"x\" } }\n";
    assert_told(
        &told(text),
        &[
            "line 4, column 9: the environment has no variable L",
            "line 5, column 28: the environment has no variable U",
            "line 5, column 45: secret is no whsec_",
        ],
    );
}

#[test]
fn no_fault_tells_what_a_variable_holds() {
    let text = "version = 1\n[pipeline.a]\nconnector = { stdin = {} }\nlease = \"${S}\"\n\
                in_flight = \"${S}\"\norder = \"${S}\"\n\
                steps = [{ filter = \"${S} =\" }, { metadata = { set = { a = \"{${S}}\" } } }]\n\
                port = { email = { host = \"h/${S}\", from = \"${S}\", to = \"${S}\", subject = \"s\", \
                text = \"t\" } }\non_error = { dead_letter = \"A ${S}\" }\n";
    for secret in [
        "hunter2hunter2",
        "hunter2 hunter2",
        "hunter2\"hunter2",
        "hunter2\n",
    ] {
        let told = told_with(text, |_| Some(secret.to_owned()));
        assert!(told.len() >= 8, "{told:#?}");
        for told in &told {
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

/// A pipeline with this connector, step or port.
pub(super) fn with(part: &str) -> String {
    let (kind, _) = part.split_once(" = ").unwrap_or_default();
    let source = "connector = { topic = { name = \"o\" } }\n";
    let port = "port = { stdout = {} }\n";
    let rest = match kind {
        "connector" => format!("{part}\n{port}"),
        "steps" => format!("{source}{part}\n{port}"),
        _ => format!("{source}{part}\n"),
    };
    format!("version = 1\n[pipeline.a]\n{rest}")
}

#[test]
fn constants_that_can_never_work_are_refused_at_their_value() {
    for (part, value) in NEVER {
        assert_refused_at(part, value);
    }
}

#[test]
fn mails_that_can_never_be_sent_are_refused_at_the_value() {
    let email = |rest: &str| {
        format!(
            "port = {{ email = {{ host = \"localhost\", tls = \"none\", from = \"a@b.c\", to = \"a@b.c\", subject = \"s\", text = \"t\", {rest} }} }}"
        )
    };
    let changed = |from: &str, to: &str| email("").replace(from, to).replace(", }", " }");
    for (part, value) in [
        (&changed("host = \"localhost\"", "host = \"\""), "\"\""),
        (&changed("to = \"a@b.c\"", "to = \"nope\""), "\"nope"),
        (
            &changed("subject = \"s\"", "subject = \"a\\nb\""),
            "\"a\\nb",
        ),
        (
            &email("attachment = { name = \"n\", content_type = \"bad\" }"),
            "\"bad",
        ),
    ] {
        assert_refused_at(part, value);
    }
}

/// What is refused, and one fault stands at the last place of this value in its line.
#[track_caller]
fn assert_refused_at(part: &str, value: &str) {
    let text = with(part);
    // An empty host is no machine here, which is told at `tls` too.
    let told = told(&text);
    let line = text.lines().find(|line| line.contains(value)).unwrap();
    let column = line.rfind(value).unwrap() + 1;
    let place = format!(", column {column}: ");
    let is_there = told.iter().any(|told| told.contains(&place));
    assert!(is_there && told.len() <= 2, "{part}: {told:?}");
}

/// Parts of pipelines, and the value in each that can never work.
const NEVER: &[(&str, &str)] = &[
    (
        "connector = { topic = { name = \"o\", store = \"ftp://x\" } }",
        "\"ftp",
    ),
    (
        "connector = { topic = { name = \"o\", token = \"x\" } }",
        "\"x\"",
    ),
    (
        "connector = { mqtt = { url = \"mqtt://h\", client_id = \"c\", topics = [\"a\", \"$share/g\"] } }",
        "\"$share",
    ),
    (
        "connector = { files = { folder = \"in\", match = [\"*.csv\", \"/abs\"] } }",
        "\"/abs",
    ),
    (
        "connector = { files = { folder = \"in\", match = [\"*.csv\", \"../x\"] } }",
        "\"../x",
    ),
    (
        "connector = { rabbitmq = { url = \"amqp://h\", queue = \"\" } }",
        "\"\"",
    ),
    (
        "connector = { http_poll = { url = \"http://h\", every = \"1ms\" } }",
        "\"1ms",
    ),
    (
        "steps = [{ fetch = { url = \"ftp://a/{id}\", allow = [\"a\"] } }]",
        "\"ftp",
    ),
    (
        "steps = [{ fetch = { url = \"http://b/\", allow = [\"a\"] } }]",
        "\"http",
    ),
    (
        "steps = [{ fetch = { url = \"{payload}\", allow = [\"a\", \"b c\"] } }]",
        "\"b c",
    ),
    (
        "steps = [{ jq = { program = \".\", steps_max = 0 } }]",
        "0 }",
    ),
    ("steps = [{ unzip = { entries_max = 0 } }]", "0 }"),
    ("steps = [{ unzip = { bytes_max = \"0B\" } }]", "\"0B"),
    (
        "steps = [{ convert = { json_to_csv = { columns = [\"b\", \"a\", \"a\"] } } }]",
        "\"a\"]",
    ),
    (
        "steps = [{ metadata = { remove = [\"type\", \"timestamp\"] } }]",
        "\"timestamp",
    ),
    (
        "steps = [{ metadata = { set = { timestamp = \"never\" } } }]",
        "\"never",
    ),
    (
        "port = { file = { folder = \"out\", path = \"../a\" } }",
        "\"../a",
    ),
    (
        "port = { file = { folder = \"out\", path = \"/a/{id}\" } }",
        "\"/a",
    ),
    (
        "port = { file = { folder = \"out\", path = \"\" } }",
        "\"\"",
    ),
    (
        "port = { file = { folder = \"out\", path = \".efflux-a\" } }",
        "\".efflux",
    ),
    (
        "port = { mqtt = { url = \"mqtt://h\", topic = \"t/#\" } }",
        "\"t/#",
    ),
    (
        "port = { mqtt = { url = \"mqtt://h\", topic = \"\" } }",
        "\"\"",
    ),
    ("port = { sqlite = { path = \"\", table = \"t\" } }", "\"\""),
    (
        "port = { postgres = { url = \"postgres://h/d\", table = \"t\", mode = \"upsert\", columns = { a = \"id\" }, key = [\"b\"] } }",
        "\"b\"",
    ),
    (
        "port = { webhook = { url = \"http://h/\", timeout = \"0s\" } }",
        "\"0s",
    ),
    (
        "port = { webhook = { url = \"http://h/\", headers = { host = \"x\" } } }",
        "\"x\"",
    ),
];

#[test]
fn templates_that_may_become_right_are_left_alone() {
    for part in [
        "port = { file = { folder = \"out\", path = \"{data.folder}/{id}\" } }",
        "port = { mqtt = { url = \"mqtt://h\", topic = \"{data_type}\" } }",
        "steps = [{ fetch = { url = \"{data.scheme}://a/{id}\", allow = [\"a\"] } }]",
        "connector = { mqtt = { url = \"mqtt://h\", client_id = \"c\", topics = [\"$share/g/a/+\"] } }",
        "connector = { files = { folder = \"in\", match = [] } }",
    ] {
        let read = Document::read(&with(part), &|_: &str| None);
        assert!(read.is_ok(), "{part}: {read:?}");
    }
}

#[test]
fn a_variable_alone_may_hold_a_number_or_a_truth_value() {
    let text = with(
        "port = { webhook = { url = \"http://h/\", concurrency = \"${N}\" } }\n\
         steps = [{ verify = { json = \"${YES}\" } }, { filter = \"${TEXT}\" }]\n\
         in_flight = \" ${N} \"\nbatch = { messages = \"${NONE:-70}\" }\nrate_max = \"1${N}\"\n\
         on_error = { attempts = \"${BIG}\", initial = \"${N}\" }\n",
    );
    let around = |name: &str| match name {
        "N" => Some("7".to_owned()),
        "BIG" => Some("123456789012".to_owned()),
        "YES" => Some("true".to_owned()),
        "TEXT" => Some("7".to_owned()),
        _ => None,
    };
    let told = told_with(&text, around);
    // A part of a number is none, a text stays a text, and what is too large is told without it.
    assert_told(
        &told,
        &[
            "line 5, column 55: unknown field",
            "line 8, column 12: invalid type: string",
            "line 9, column 25: invalid value: integer `${BIG}`, expected u32",
            "line 9, column 45: ",
        ],
    );
}
