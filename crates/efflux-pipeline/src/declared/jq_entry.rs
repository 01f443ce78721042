//! A program of jq in a file: its text alone, or a table with its bounds.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::setting_fault::SettingFault;
use crate::transform::{JqError, JqSettings};

/// A program of jq: its text alone, or a table with its bounds.
#[derive(Clone, Debug)]
pub struct JqEntry {
    settings: JqSettings,
    is_text: bool,
}

impl JqEntry {
    pub(super) const fn settings(&self) -> &JqSettings {
        &self.settings
    }

    /// What is wrong beside the program.
    pub(super) fn faults(&self) -> Vec<SettingFault> {
        let what = "0 steps: no program could be run";
        let fault = SettingFault::unless(self.settings.steps_max > 0, "steps_max", what);
        fault.into_iter().collect()
    }

    /// What is wrong with the program, at its place.
    pub(super) fn fault(&self, error: JqError) -> SettingFault {
        let fault = SettingFault::at_byte(error.at, error.what);
        match self.is_text {
            true => fault,
            false => fault.within("program"),
        }
    }
}

impl<'de> Deserialize<'de> for JqEntry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = JqEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a program of jq, or a table with `program`")
    }

    fn visit_str<E: Error>(self, program: &str) -> Result<JqEntry, E> {
        let field = [("program", program)];
        let table = serde::de::value::MapDeserializer::new(field.into_iter());
        Ok(JqEntry {
            settings: JqSettings::deserialize(table)?,
            is_text: true,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<JqEntry, A::Error> {
        Ok(JqEntry {
            settings: JqSettings::deserialize(MapAccessDeserializer::new(map))?,
            is_text: false,
        })
    }
}

impl JsonSchema for JqEntry {
    fn schema_name() -> Cow<'static, str> {
        "Jq".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<JqSettings>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}
