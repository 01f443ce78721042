//! Any text is a query that prints what reads back as itself, or an error that can be displayed.

use crate::storage::Query;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match text.parse::<Query>() {
        Ok(query) => {
            assert_eq!(query.to_string().parse(), Ok(query.clone()), "{query}");
            let opposite = query.clone().negate();
            // The opposite may be longer than a text may be; it still displays.
            if let Ok(read) = opposite.to_string().parse::<Query>() {
                assert_eq!(read, opposite);
            }
        }
        Err(error) => {
            assert!(error.at <= error.text.len());
            assert_eq!(error.to_string().lines().count(), 3, "{error}");
        }
    }
}
