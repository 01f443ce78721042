//! The entities that XML has by itself. There are no others: they need a document type.

/// Characters of an entity's name that are told.
const TOLD_CHARS: usize = 40;

/// Tells what is wrong with the entities in the value of an attribute.
pub(super) fn entities(value: &str) -> Result<(), String> {
    for (at, _) in value.match_indices('&') {
        let behind = value.get(at + 1..).unwrap_or_default();
        match behind.split_once(';') {
            Some((name, _)) => entity(name)?,
            None => return Err("an & in it begins no entity".to_owned()),
        }
    }
    Ok(())
}

/// Tells what is wrong with an entity, by what stands between `&` and `;`.
pub(super) fn entity(name: &str) -> Result<(), String> {
    let is_character = |digits: &str, radix| {
        let number = u32::from_str_radix(digits, radix).ok();
        number.and_then(char::from_u32).is_some_and(is_of_xml)
    };
    let is_known = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix('x') {
            Some(digits) => is_character(digits, 16),
            None => is_character(number, 10),
        },
        None => matches!(name, "lt" | "gt" | "amp" | "apos" | "quot"),
    };
    if is_known {
        return Ok(());
    }
    let name: String = name.chars().take(TOLD_CHARS).collect();
    Err(format!("there is no entity &{name};"))
}

/// The characters that a document may hold: <https://www.w3.org/TR/xml/#charsets>
fn is_of_xml(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    }
}
