use domain::Timestamp;

use super::{Chain, ChainBreak, Deed, check};

fn log() -> String {
    let mut chain = Chain::default();
    let mut text = String::new();
    for (second, deed) in [
        Deed::Started,
        Deed::PeopleRead { version: 3 },
        Deed::LoggedIn { second_factor: false },
        Deed::ShiftStarted,
    ]
    .into_iter()
    .enumerate()
    {
        let at = Timestamp::from_second(1_780_000_000 + i64::try_from(second).unwrap()).unwrap();
        let (entry, line, next) = chain.link(at, (Some("lan".to_owned()), None), deed).unwrap();
        assert_eq!(entry.seq, next.entries);
        text.push_str(&line);
        text.push('\n');
        chain = next;
    }
    text
}

fn checked(text: &str) -> Result<Chain, ChainBreak> {
    check(text.as_bytes()).unwrap()
}

#[test]
fn a_chain_that_nobody_touched_holds_and_says_its_head() {
    let chain = checked(&log()).unwrap();
    assert_eq!(chain.entries, 4);
    assert_ne!(chain.head, Chain::default().head);
    assert_eq!(checked("").unwrap(), Chain::default());
}

#[test]
fn a_line_changed_added_swapped_or_taken_out_is_found_where_it_is() {
    let text = log();
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let broken = |text: &str| checked(text).unwrap_err().line;

    assert_eq!(broken(&text.replacen("\"version\":3", "\"version\":4", 1)), 3);
    assert_eq!(broken(&joined(&[lines[0], lines[2], lines[3]])), 2);
    assert_eq!(broken(&joined(&[lines[0], lines[1], lines[1], lines[2]])), 3);
    assert_eq!(broken(&joined(&[lines[0], lines[2], lines[1], lines[3]])), 2);
    assert_eq!(broken(&joined(&lines[1..])), 1);
    assert_eq!(broken(&joined(&["not json"])), 1);
    assert_eq!(broken(&text.replacen("\"seq\":1", "\"seq\":2", 1)), 1);
}

#[test]
fn a_tail_that_is_cut_off_changes_the_head_that_people_have_on_paper() {
    let text = log();
    let shorter: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
    assert_ne!(checked(&shorter).unwrap().head, checked(&text).unwrap().head);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    for text in ["\n", "{}\n", "\u{0}\n", "{\"v\":1}\n"] {
        assert!(checked(text).is_err(), "{text:?}");
    }
    assert_eq!(check([0xff, b'\n'].as_slice()).unwrap().unwrap_err().line, 1);
    assert_eq!(checked("half a line").unwrap().entries, 0, "torn, not broken");
}
