//! Every bound of the query language, with its unit and its reason.

/// Longest text of a query in bytes, as written and in its canonical form: 16 KiB.
///
/// It fits the header line of an HTTP request at most servers and proxies, and is far more than a
/// person writes.
pub(crate) const QUERY_BYTES_MAX: usize = 16 * 1024;

/// Most nested levels of parentheses. Deeper nesting is only made to exhaust a stack.
pub(crate) const QUERY_NESTING_MAX: usize = 64;

/// Most comparisons of one query, each member of an `in` list counted: every particle of a scan
/// may be held against all of them.
pub(crate) const QUERY_LEAVES_MAX: usize = 1024;
