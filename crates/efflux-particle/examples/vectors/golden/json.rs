//! vectors.json: what a reader should find in each file.

use std::fmt::Write;

use efflux_particle::{ContentEncoding, Id, Particle};

use super::{CONTENT, Reading, Result, TOPIC, Vector, read};

/// Renders all vectors, after holding each against what this crate reads in it.
pub(super) fn render(vectors: &[Vector]) -> Result<String> {
    let mut json =
        format!("{{\n  \"format_version\": 1,\n  \"topic\": {TOPIC:?},\n  \"vectors\": [");
    for (index, vector) in vectors.iter().enumerate() {
        let reading = read(&vector.stream)?;
        let found = reading.end.as_ref().err().map(|fault| fault.kind);
        if found != vector.error {
            let (name, expected) = (vector.name, vector.error);
            return Err(format!("{name}: expected {expected:?}, found {found:?}").into());
        }
        json.push_str(if index == 0 { "\n" } else { ",\n" });
        render_vector(&mut json, vector, &reading)?;
    }
    json.push_str("\n  ]\n}\n");
    Ok(json)
}

fn render_vector(json: &mut String, vector: &Vector, reading: &Reading) -> Result {
    let (name, says) = (vector.name, vector.says);
    write!(json, "    {{\n      \"file\": \"{name}.frames\",\n")?;
    writeln!(json, "      \"says\": {},", quoted(says))?;
    write!(
        json,
        "      \"bytes\": {},\n      \"particles\": [",
        vector.stream.len()
    )?;
    for (index, (offset, particle)) in reading.particles.iter().enumerate() {
        json.push_str(if index == 0 { "\n" } else { ",\n" });
        render_particle(json, *offset, particle)?;
    }
    let end = if reading.particles.is_empty() {
        ""
    } else {
        "\n      "
    };
    writeln!(json, "{end}],")?;
    match &reading.end {
        Ok(head) => write!(json, "      \"head\": \"{head}\"\n    }}")?,
        Err(fault) => write!(
            json,
            "      \"error\": {{ \"kind\": \"{}\", \"offset\": {}, \"sequence\": \"{}\" }}\n    }}",
            fault.kind, fault.offset, fault.sequence
        )?,
    }
    Ok(())
}

fn render_particle(json: &mut String, offset: usize, particle: &Particle) -> Result {
    let metadata = particle.metadata();
    let text = |text: Option<&str>| text.map_or("null".to_owned(), quoted);
    let id = match metadata.id() {
        id if id.uuid().is_some() => format!("{{ \"uuid\": \"{id}\" }}"),
        id => format!("{{ \"text\": {} }}", text(Id::text(&id))),
    };
    let link = metadata.linked_fingerprint().map(|link| link.to_string());
    let encoding = metadata.content_encoding();
    let properties = metadata
        .properties()
        .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)))
        .collect::<Vec<_>>();
    let unknown = metadata.unknown_keys().map(quoted).collect::<Vec<_>>();
    let fields = [
        ("offset", offset.to_string()),
        ("frame_bytes", particle.frame().len().to_string()),
        ("fingerprint", quoted(&particle.fingerprint().to_string())),
        ("id", id),
        ("sequence", format!("\"{}\"", metadata.sequence())),
        ("created", format!("\"{}\"", metadata.created().nanos())),
        ("timestamp", format!("\"{}\"", metadata.timestamp().nanos())),
        ("payload_hash", quoted(&metadata.payload_hash().to_string())),
        ("linked_fingerprint", text(link.as_deref())),
        ("batch_remaining", metadata.batch_remaining().to_string()),
        ("data_type", text(metadata.data_type())),
        ("content_type", text(metadata.content_type())),
        (
            "content_encoding",
            text(encoding.map(ContentEncoding::as_str)),
        ),
        ("message_group", text(metadata.message_group())),
        ("properties", format!("{{{}}}", properties.join(", "))),
        ("unknown_keys", format!("[{}]", unknown.join(", "))),
        ("metadata", quoted(&hex(metadata.bytes()))),
        ("payload", quoted(&hex(&particle.payload()))),
        ("content", text(encoding.map(|_| CONTENT))),
    ];
    json.push_str("        {");
    for (index, (key, value)) in fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(json, "{comma}\n          \"{key}\": {value}")?;
    }
    json.push_str("\n        }");
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JSON string: everything outside of plain ASCII as `\u` escapes, so that no tool changes it.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for unit in text.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(plain @ (' '..='!' | '#'..='[' | ']'..='~')) => quoted.push(plain),
            _ => quoted.push_str(&format!("\\u{unit:04x}")),
        }
    }
    quoted.push('"');
    quoted
}
