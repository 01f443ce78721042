//! What nextest says at its end, read from its last line.

/// The tests of one run that failed nowhere.
#[derive(Debug, PartialEq)]
pub(super) struct Tests {
    pub(super) passed: u64,
    /// The line as nextest wrote it, without the duration.
    pub(super) line: String,
}

impl Tests {
    /// Reads `Summary [ 1.2s] 12 tests run: 12 passed, 0 skipped`; `None` for every other line.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (_, line) = line.trim().strip_prefix("Summary [")?.split_once(']')?;
        let (_, counts) = line.split_once(" run: ")?;
        let (passed, _) = counts.trim().split_once(" passed")?;
        Some(Self {
            passed: passed.parse().ok()?,
            line: line.trim().to_owned(),
        })
    }

    /// The last line of CI. A run with a failed test never comes so far.
    pub(super) fn count(&self) -> String {
        format!("{} passed, 0 failed", self.passed)
    }
}

/// Reads `FAIL [ 0.4s] ( 7/9) package::binary name`: which test failed.
pub(super) fn failed(line: &str) -> Option<&str> {
    let (_, counted) = line.trim().strip_prefix("FAIL [")?.split_once(']')?;
    let (_, test) = counted.split_once(") ")?;
    Some(test.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Option<u64>) {
        assert_eq!(
            Tests::read(line).map(|tests| tests.passed),
            expect,
            "{line}"
        );
    }

    #[test]
    fn the_summary_line_is_read() {
        check(
            "     Summary [   0.015s] 1 test run: 1 passed, 0 skipped",
            Some(1),
        );
        check(
            "Summary [ 61.2s] 120 tests run: 120 passed (2 slow, 1 leaky), 3 skipped",
            Some(120),
        );
        check(
            "     Summary [   0.015s] 2/9 tests run: 1 passed, 1 failed, 0 skipped",
            Some(1),
        );
    }

    #[test]
    fn other_lines_are_not() {
        check(
            "        PASS [   0.004s] xtask tidy::tests::the_tree_is_tidy",
            None,
        );
        check("Summary [ 0.1s] nothing", None);
        check("", None);
    }

    #[test]
    fn a_test_that_failed_is_named() {
        let line = "        FAIL [   0.408s] ( 797/1419) efflux-pipeline::file_port it_holds";
        assert_eq!(failed(line), Some("efflux-pipeline::file_port it_holds"));
        assert_eq!(failed("        PASS [   0.4s] ( 1/2) a b"), None);
        assert_eq!(failed("    FAILED"), None);
    }

    #[test]
    fn the_count_is_one_plain_line() {
        let tests = Tests::read("Summary [ 1s] 7 tests run: 7 passed, 0 skipped").unwrap();
        assert_eq!(tests.line, "7 tests run: 7 passed, 0 skipped");
        assert_eq!(tests.count(), "7 passed, 0 failed");
    }
}
