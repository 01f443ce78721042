//! The JSON schema of a file of pipelines, for editors.

use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// How a topic or pipeline may be called.
pub(super) const NAME: &str = r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$";
/// How a step may be called.
pub(super) const STEP_NAME: &str = "^[a-z0-9_-]{1,64}$";
/// A text with a variable in it, or a file: what it becomes is not known to an editor.
const VARIABLE: &str = r"\$\{";

/// A variable alone, as it stands in the place of a number.
const ALONE: &str = r"^\s*\$\{[^{}]*\}\s*$";

/// The schema of a file, whose texts may hold variables.
pub(super) fn of<T: JsonSchema>() -> Value {
    let mut schema = schemars::schema_for!(T);
    WithVariables.transform(&mut schema);
    schema.to_value()
}

/// Lets a variable stand wherever a text has to have a form.
struct WithVariables;

impl Transform for WithVariables {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        let variable = json!({ "type": "string", "pattern": VARIABLE });
        if let Some(Value::Array(choices)) = object.get("oneOf")
            && choices.iter().any(is_choice)
        {
            let mut choices = choices.clone();
            choices.push(variable);
            object.remove("oneOf");
            object.insert("anyOf".to_owned(), Value::Array(choices));
        } else if is_scalar(object) {
            let mut plain = Map::new();
            for key in BOUNDS {
                plain.extend(object.remove(key).map(|value| (key.to_owned(), value)));
            }
            let alone = json!({ "type": "string", "pattern": ALONE });
            let both = Value::Array(vec![Value::Object(plain), alone]);
            object.insert("anyOf".to_owned(), both);
        } else if is_text(object) && FORMS.iter().any(|form| object.contains_key(*form)) {
            let mut plain = Map::new();
            for key in FORMS.iter().chain(&["type"]) {
                plain.extend(object.remove(*key).map(|value| ((*key).to_owned(), value)));
            }
            let both = Value::Array(vec![Value::Object(plain), variable]);
            object.insert("anyOf".to_owned(), both);
        }
    }
}

/// What tells the form of a text.
const FORMS: [&str; 5] = ["enum", "format", "maxLength", "minLength", "pattern"];

/// What tells the bounds of a number.
const BOUNDS: [&str; 5] = ["type", "const", "format", "maximum", "minimum"];

/// Whether it is one of several texts.
fn is_choice(schema: &Value) -> bool {
    schema.get("const").is_some_and(Value::is_string) || schema.get("enum").is_some()
}

fn is_text(object: &Map<String, Value>) -> bool {
    is_of(object, &["string"])
}

/// Whether it is a number or a truth value.
fn is_scalar(object: &Map<String, Value>) -> bool {
    is_of(object, &["boolean", "integer", "number"])
}

fn is_of(object: &Map<String, Value>, kinds: &[&str]) -> bool {
    let is_one = |kind: &Value| kind.as_str().is_some_and(|kind| kinds.contains(&kind));
    match object.get("type") {
        Some(Value::Array(found)) => found.iter().any(is_one),
        Some(kind) => is_one(kind),
        None => false,
    }
}
