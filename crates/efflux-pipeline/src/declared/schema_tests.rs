//! Tests of the JSON schema: what it takes is what the program takes.

use serde_json::Value;

use super::Document;
use super::fault_tests::with;

/// Holds a value against a schema, as far as the schema of pipelines has need of.
struct Judge<'a> {
    whole: &'a Value,
}

impl Judge<'_> {
    fn takes(&self, schema: &Value, value: &Value) -> bool {
        let Value::Object(rules) = schema else {
            return schema != &Value::Bool(false);
        };
        rules.iter().all(|(rule, wanted)| {
            let list = || wanted.as_array().unwrap().iter();
            let number = || wanted.as_f64().unwrap();
            let takes = |schema: &Value| self.takes(schema, value);
            match rule.as_str() {
                "$ref" => {
                    let path = wanted.as_str().unwrap().trim_start_matches('#');
                    takes(self.whole.pointer(path).unwrap())
                }
                "type" => match wanted {
                    Value::Array(kinds) => kinds.iter().any(|kind| is_kind(kind, value)),
                    kind => is_kind(kind, value),
                },
                "const" => wanted == value,
                "enum" => list().any(|choice| choice == value),
                "anyOf" => list().any(takes),
                "oneOf" => list().filter(|schema| takes(schema)).count() == 1,
                "not" => !takes(wanted),
                "minimum" => value.as_f64().is_none_or(|value| value >= number()),
                "maximum" => value.as_f64().is_none_or(|value| value <= number()),
                "minLength" => value
                    .as_str()
                    .is_none_or(|it| it.chars().count() as f64 >= number()),
                "maxLength" => value
                    .as_str()
                    .is_none_or(|it| it.chars().count() as f64 <= number()),
                "minItems" => value
                    .as_array()
                    .is_none_or(|it| it.len() as f64 >= number()),
                "pattern" => {
                    let pattern = regex::Regex::new(wanted.as_str().unwrap()).unwrap();
                    value.as_str().is_none_or(|text| pattern.is_match(text))
                }
                "items" => {
                    let items = value.as_array().into_iter().flatten();
                    items.into_iter().all(|item| self.takes(wanted, item))
                }
                _ => self.takes_table(rule, wanted, rules, value),
            }
        })
    }

    fn takes_table(
        &self,
        rule: &str,
        wanted: &Value,
        rules: &serde_json::Map<String, Value>,
        value: &Value,
    ) -> bool {
        let Value::Object(table) = value else {
            return true;
        };
        let has = |name: &Value| table.contains_key(name.as_str().unwrap());
        match rule {
            "required" => wanted.as_array().unwrap().iter().all(has),
            "dependentRequired" => wanted.as_object().unwrap().iter().all(|(name, others)| {
                !table.contains_key(name) || others.as_array().unwrap().iter().all(has)
            }),
            "properties" => table.iter().all(|(name, value)| {
                wanted
                    .get(name)
                    .is_none_or(|schema| self.takes(schema, value))
            }),
            "propertyNames" => table
                .keys()
                .all(|name| self.takes(wanted, &Value::String(name.clone()))),
            "additionalProperties" => table.iter().all(|(name, value)| {
                let is_known = rules
                    .get("properties")
                    .is_some_and(|it| it.get(name).is_some());
                is_known || self.takes(wanted, value)
            }),
            "$defs" | "$schema" | "default" | "description" | "format" | "title" => true,
            other => panic!("the schema has {other}, which this test does not know"),
        }
    }
}

fn is_kind(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("{other}"),
    }
}

/// Whether the program takes a file, and whether its schema does.
fn taken(text: &str) -> (bool, bool) {
    let schema = Document::schema();
    let table: toml::Table = text.parse().unwrap();
    let value = serde_json::to_value(table).unwrap();
    let around = |_: &str| None;
    let by_schema = Judge { whole: &schema }.takes(&schema, &value);
    (Document::read(text, &around).is_ok(), by_schema)
}

#[track_caller]
fn assert_taken(text: &str, is_right: bool) {
    assert_eq!(taken(text), (is_right, is_right), "{text}");
}

const PORT: &str = "port = { stdout = {} }";

#[test]
fn times_sizes_and_choices_may_have_spaces_and_variables() {
    for (rest, is_right) in [
        ("lease = \"1s\"", true),
        ("lease = \"1 s\"", true),
        ("lease = \"1s \"", true),
        ("lease = \"${L:-90s}\"", true),
        ("lease = \"1.5s\"", false),
        ("lease = \"1m30s\"", false),
        ("lease = \"1\"", false),
        ("lease = 1", false),
        ("in_flight = \"${N:-8}\"", true),
        ("in_flight = \"8\"", false),
        ("batch = { bytes = \"1 MiB\" }", true),
        ("batch = { bytes = \"1KB\" }", false),
        ("order = \"strict\"", true),
        ("order = \"${O:-strict}\"", true),
        ("order = \"stric\"", false),
        (
            "on_error = { then = \"${T:-skip}\", outage = \"1h\" }",
            true,
        ),
        ("on_error = { then = \"jump\" }", false),
        ("on_error = { dead_letter = \"a.b\" }", true),
        ("on_error = { dead_letter = \"${D:-a.b}\" }", true),
        ("on_error = { dead_letter = \"a..b\" }", false),
        ("on_error = { dead_letter = \"-a\" }", false),
    ] {
        assert_taken(&with(&format!("{PORT}\n{rest}")), is_right);
    }
}

#[test]
fn numbers_have_their_bounds() {
    for (least, most, setting) in [
        (1, Some(64), "in_flight = N"),
        (1, Some(65_536), "batch = { messages = N }"),
        (1, None, "rate_max = N"),
        (1, None, "on_error = { attempts = N }"),
    ] {
        for (number, is_right) in [(least - 1, false), (least, true), (-1, false)] {
            let setting = setting.replace('N', &number.to_string());
            assert_taken(&with(&format!("{PORT}\n{setting}")), is_right);
        }
        for (number, is_right) in most
            .map(|most| [(most, true), (most + 1, false)])
            .into_iter()
            .flatten()
        {
            let setting = setting.replace('N', &number.to_string());
            assert_taken(&with(&format!("{PORT}\n{setting}")), is_right);
        }
    }
    for part in [
        "port = { webhook = { url = \"http://h/\", concurrency = 0 } }",
        "connector = { rabbitmq = { url = \"amqp://h\", queue = \"q\", prefetch = 0 } }",
        "connector = { mqtt = { url = \"mqtt://h\", client_id = \"c\", topics = [\"t\"], receive_max = 0 } }",
        "connector = { mqtt = { url = \"mqtt://h\", client_id = \"c\", topics = [] } }",
        "steps = [{ dedupe = { key = \"{id}\", last = 1000001 } }]",
        "steps = [{ aggregate = { messages = 65537, period = \"1s\" } }]",
        "steps = [{ unzip = { entries_max = 0 } }]",
        "steps = [{ jq = { program = \".\", steps_max = 0 } }]",
        "steps = [{ fetch = { url = \"{payload}\", allow = [] } }]",
        "steps = [{ convert = { json_to_csv = { columns = [] } } }]",
    ] {
        assert_taken(&with(part), false);
        let right = part
            .replace(" = 0 ", " = 1 ")
            .replace("1000001", "1")
            .replace("65537", "1");
        let right = right.replace("[]", "[\"a\"]");
        assert_taken(&with(&right), true);
    }
}

#[test]
fn what_belongs_together_and_what_excludes_each_other_is_known() {
    for (part, is_right) in [
        ("port = { topics = { router = { topic = \"a\" } } }", true),
        ("router = { topic = \"a\" }", true),
        ("router = { topic = \"a\" }\nport = { stdout = {} }", false),
        ("lease = \"1s\"", false),
        ("router = { topic = \"a\", evenly = [\"b\"] }", false),
        ("router = { topic = \"a\", evenly = [] }", true),
        ("router = { evenly = [] }", false),
        (
            "router = { rules = [{ when = \"id = a\", topic = \"b\" }] }",
            true,
        ),
        ("router = { otherwise = \"a\" }", false),
        (
            "port = { topics = { router = { topic = \"a\" }, token = \"t\" } }",
            false,
        ),
        (
            "port = { mqtt = { url = \"mqtt://h\", topic = \"t\", password = \"p\" } }",
            false,
        ),
        (
            "port = { mqtt = { url = \"mqtt://h\", topic = \"t\", user = \"u\", password = \"p\" } }",
            true,
        ),
        (
            "port = { email = { host = \"localhost\", from = \"a@b.c\", to = \"a@b.c\", subject = \"s\" } }",
            false,
        ),
        (
            "port = { email = { host = \"localhost\", from = \"a@b.c\", to = \"a@b.c\", subject = \"s\", text = \"t\" } }",
            true,
        ),
        (
            "port = { email = { host = \"localhost\", from = \"a@b.c\", to = \"a@b.c\", subject = \"s\", text = \"t\", user = \"u\" } }",
            false,
        ),
        ("steps = [{ name = \"a-1\", filter = \"id = a\" }]", true),
        ("steps = [{ name = \"A\", filter = \"id = a\" }]", false),
        ("steps = [{ name = \"a\" }]", false),
        ("steps = [{ filter = \"id = a\", verify = {} }]", false),
        ("connector = { topic = { name = \"a b\" } }", false),
        (
            "connector = { files = { folder = \"in\", done = \"${D:-delete}\", form = { csv = { separator = \"${S:-;}\" } } } }",
            true,
        ),
    ] {
        assert_taken(&with(part), is_right);
    }
}

#[test]
fn names_versions_and_payloads_are_known() {
    let right = with(PORT);
    for (from, to, is_right) in [
        ("version = 1", "version = 1", true),
        ("version = 1", "version = 2", false),
        ("version = 1", "", false),
        ("pipeline.a", "pipeline.\"a b\"", false),
        ("pipeline.a", "pipeline.\".a\"", false),
        ("pipeline.a", "pipeline.\"a.b_c-d\"", true),
        ("connector = { topic = { name = \"o\" } }", "", false),
    ] {
        assert_taken(&right.replace(from, to), is_right);
    }
    for (input, is_right) in [
        ("text = \"a\"", true),
        ("text = \"a\", json = 1", false),
        ("hex = \"0 f\"", true),
        ("hex = \"0\"", false),
        ("", true),
    ] {
        let test = "[[test]]\nname = \"t\"\npipeline = \"a\"";
        assert_taken(
            &format!("{right}\n{test}\ninput = [{{ {input} }}]\n"),
            is_right,
        );
    }
}
