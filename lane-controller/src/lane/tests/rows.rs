//! That `docs/situations.md` has a row for each situation, and names stories that are told.

/// The cells of the numbered rows of `docs/situations.md`.
fn rows(markdown: &str) -> Vec<Vec<&str>> {
    let cells = |line: &'_ str| line.trim_matches('|').split('|').count();
    let numbered = |line: &&str| {
        line.strip_prefix("| ")
            .is_some_and(|row| row.starts_with(|first: char| first.is_ascii_digit()))
    };
    let rows = markdown.lines().filter(numbered);
    rows.inspect(|row| assert_eq!(cells(row), 5, "{row}"))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// Names in a row's last cell that no test function has.
fn unknown_stories<'a>(cell: &'a str, sources: &str) -> Vec<&'a str> {
    let names = cell.split('`').skip(1).step_by(2);
    names.filter(|name| !sources.contains(&format!("fn {name}("))).collect()
}

#[test]
fn every_situation_has_a_row_and_every_story_it_names_is_told() {
    let sources: String = [
        include_str!("../tests.rs"),
        include_str!("../safety.rs"),
        include_str!("orders.rs"),
        include_str!("passages.rs"),
        include_str!("restart.rs"),
        include_str!("situations.rs"),
        include_str!("tags.rs"),
        include_str!("tailgating.rs"),
        include_str!("traces.rs"),
    ]
    .concat();
    let rows = rows(include_str!("../../../../docs/situations.md"));
    let numbers: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(numbers, (1..=63).map(|number| number.to_string()).collect::<Vec<_>>());
    for row in rows {
        let story = row[4];
        assert_eq!(unknown_stories(story, &sources), Vec::<&str>::new(), "row {}", row[0]);
        assert!(story.starts_with('`') || story.starts_with("not "), "row {}", row[0]);
    }
    assert_eq!(
        unknown_stories("`nobody_tells_this`", "fn somebody_tells_that()"),
        ["nobody_tells_this"]
    );
}
