//! Cells and rows for spreadsheets (RFC 4180), that start no formula.

use super::write::visible;

/// A row with its end.
pub fn row<I: IntoIterator<Item = S>, S: AsRef<str>>(cells: I) -> String {
    let mut row = cells.into_iter().map(|text| cell(text.as_ref())).collect::<Vec<_>>().join(",");
    row.push_str("\r\n");
    row
}

/// A cell: hostile characters are made visible; what a spreadsheet would take for a formula gets an apostrophe before
/// it; quotes where a comma, a quote or a line end asks for them.
pub fn cell(text: &str) -> String {
    let mut shown = visible(text);
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        shown.insert(0, '\'');
    }
    if shown.contains([',', '"', '\n', '\r']) {
        shown = format!("\"{}\"", shown.replace('"', "\"\""));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        for (from, to) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\\u{9}x"),
            ("\rx", "'\\u{d}x"),
            ("＝1", "'＝1"),
            ("10.0.0.1", "10.0.0.1"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(from), to);
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(cell("=1,\"2\""), "\"'=1,\"\"2\"\"\"");
        assert_eq!(cell("a\nb\u{1b}[0m"), "a\\u{a}b\\u{1b}[0m", "a cell stays on its line");
        assert_eq!(row(["a", "b,c", ""]), "a,\"b,c\",\r\n");
    }
}
