//! The name that was probably meant.

/// Letters of a name that are compared; longer ones are not what somebody mistyped.
const COMPARED_MAX: usize = 64;

/// A sentence that offers the nearest of some names, empty when none is near.
pub(in crate::port) fn did_you_mean<'a>(
    name: &str,
    others: impl IntoIterator<Item = &'a str>,
) -> String {
    let nearest = others
        .into_iter()
        .map(|other| (distance(name, other), other))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, other)) if distance <= 1 + name.len() / 4 => {
            format!("; did you mean {other:?}?")
        }
        _ => String::new(),
    }
}

/// What is told of a column that the table does not have.
pub(in crate::port) fn no_such_column(table: &str, column: &str, others: &[&str]) -> String {
    let near = did_you_mean(column, others.iter().copied());
    let near = match near.is_empty() {
        true => format!("; it has {}", others.join(", ")),
        false => near,
    };
    format!("the table {table} has no column {column:?}{near}")
}

/// How many letters have to be added, removed or changed.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        let lower = text.chars().flat_map(char::to_lowercase);
        lower.take(COMPARED_MAX).collect()
    };
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, left) in a.iter().enumerate() {
        let mut next = vec![at + 1];
        for ((right, pair), before) in b.iter().zip(row.windows(2)).zip(1_usize..) {
            let (diagonal, above) = match pair {
                [diagonal, above] => (*diagonal, *above),
                _ => (before, before),
            };
            let beside = next.last().copied().unwrap_or(before);
            let changed = diagonal + usize::from(left != right);
            next.push(changed.min(above + 1).min(beside + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_if_it_is_near() {
        let names = ["total", "country", "id"];
        assert!(did_you_mean("totl", names).contains("\"total\""));
        assert!(did_you_mean("Country", names).contains("\"country\""));
        assert_eq!(did_you_mean("quantity", ["id", "x"]), "");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_column_that_is_not_there_is_told_with_those_that_are() {
        let told = no_such_column("orders", "zzz", &["id", "total"]);
        assert!(told.contains("it has id, total"), "{told}");
    }
}
