//! That `docs/rating.md` has whole rows, and names tests that there are.

/// The cells of the numbered rows of the document.
fn rows(markdown: &str) -> Vec<Vec<&str>> {
    let numbered = |line: &&str| {
        line.strip_prefix("| ")
            .is_some_and(|row| row.starts_with(|first: char| first.is_ascii_digit()))
    };
    markdown
        .lines()
        .filter(numbered)
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// Names between backticks that no test function has.
fn unknown_tests<'a>(cell: &'a str, sources: &str) -> Vec<&'a str> {
    let names = cell.split('`').skip(1).step_by(2);
    names.filter(|name| !sources.contains(&format!("fn {name}("))).collect()
}

#[test]
fn every_rule_of_the_document_names_tests_that_there_are() {
    let sources: String = [
        include_str!("../tests.rs"),
        include_str!("../../tariff/lint/tests.rs"),
        include_str!("../../../../domain/src/tariff/tests.rs"),
        include_str!("../../../../domain/src/tariff/road.rs"),
        include_str!("../../../../domain/src/tariff/price/tests.rs"),
        include_str!("../../../../tests/tests/system/rating.rs"),
    ]
    .concat();
    let rows = rows(include_str!("../../../../docs/rating.md"));
    let numbers: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(numbers, (1..=33).map(|number| number.to_string()).collect::<Vec<_>>());
    for row in rows {
        assert_eq!(row.len(), 5, "row {}", row[0]);
        assert!(row[4].starts_with('`'), "row {} names no test", row[0]);
        assert_eq!(unknown_tests(row[4], &sources), Vec::<&str>::new(), "row {}", row[0]);
    }
    assert_eq!(
        unknown_tests("`nobody_tells_this`", "fn somebody_tells_that()"),
        ["nobody_tells_this"]
    );
}
