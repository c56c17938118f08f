//! Stories of single groups, then what must hold of any two sides.

use std::io;

use proptest::prelude::*;

use super::class::CLASSES;
use super::engine::{Means, run};
use super::shelf::{Room, Shape};
use super::*;

/// `identity tag-number second group amount` and, behind it, `disputed` or `reversed`; `-` where
/// there is none.
fn row(line: &str) -> Row {
    let mut words = line.split_whitespace();
    let mut word = || words.next().filter(|word| *word != "-");
    let identity = word().map(str::to_owned);
    let tag = word().map(|number| {
        let bytes: [u8; 12] = std::array::from_fn(|_| number.parse().unwrap());
        domain::TagId::try_from_slice(&bytes).unwrap()
    });
    let at = word().map(|second| domain::Timestamp::from_second(second.parse().unwrap()).unwrap());
    let group = word().map(|group| domain::VehicleGroup::try_new(group.parse().unwrap()).unwrap());
    let amount = domain::Amount::try_new(word().unwrap().parse().unwrap()).unwrap();
    let marks: Vec<&str> = words.collect();
    Row {
        identity,
        station: Some("cienco4/ben-thuy".to_owned()),
        tag,
        plate: None,
        at,
        group,
        amount,
        reversed: marks.contains(&"reversed"),
        disputed: marks.contains(&"disputed"),
    }
}

fn rows(lines: &str) -> Vec<Row> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(row).collect()
}

/// Class, rule, our rows and theirs.
type Line = (Class, Option<usize>, Vec<String>, Vec<String>);

/// Every finding as text: class, rule, and both sides' rows without their places.
#[derive(Debug, Default)]
struct Told<'a> {
    ours: &'a [Row],
    theirs: &'a [Row],
    findings: Vec<Line>,
}

fn text(rows: &[Row], stubs: &[Stub]) -> Vec<String> {
    let one = |stub: &Stub| format!("{:?}", rows[usize::try_from(stub.place()).unwrap()]);
    let mut all: Vec<String> = stubs.iter().map(one).collect();
    all.sort();
    all
}

impl Sink for Told<'_> {
    fn take(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let (ours, theirs) = (text(self.ours, finding.ours), text(self.theirs, finding.theirs));
        self.findings.push((finding.class, finding.rule, ours, theirs));
        Ok(())
    }
}

type Outcome = (ClassTotals, Vec<Line>);

/// With tiny stages and chunks, and 16 shelves; `room` chunks may stay in memory.
fn matched_with(
    ours: &[Row],
    theirs: &[Row],
    rules: &Rules,
    (workers, room, stage_len): (usize, usize, u8),
) -> Outcome {
    let chunk_len = 2 * usize::from(stage_len);
    let shape = Shape { bits: 4, chunk_len, stage_len, folder: std::env::temp_dir() };
    let means = Means { shape, room: Room::new(room), workers };
    let sink = || Told { ours, theirs, findings: Vec::new() };
    let (totals, told) = run(&Rows(ours), &Rows(theirs), rules, &means, sink).unwrap();
    (totals, told.into_iter().flat_map(|told| told.findings).collect())
}

/// In memory, by one worker.
fn matched(ours: &[Row], theirs: &[Row], rules: &Rules) -> Outcome {
    matched_with(ours, theirs, rules, (1, usize::MAX, 1))
}

/// Each finding as a line.
struct Lines<F>(F, Vec<String>);
impl<F: Fn(&Finding<'_>) -> String + Send> Sink for Lines<F> {
    fn take(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let line = (self.0)(finding);
        self.1.push(line);
        Ok(())
    }
}

/// What became of the rows: `class ours:theirs` in amounts, in any order of finding.
fn check(ours: &str, theirs: &str, expected: &str) {
    let (ours, theirs) = (rows(ours), rows(theirs));
    let amounts = |rows: &[Row], stubs: &[Stub]| -> String {
        let mut all: Vec<u64> = stubs.iter().map(Stub::amount).collect();
        all.sort_unstable();
        assert!(stubs.iter().all(|stub| stub.place() < rows.len() as u64));
        all.iter().map(u64::to_string).collect::<Vec<_>>().join("+")
    };
    let rules = Rules::default();
    let line = |finding: &Finding<'_>| {
        let rule = finding.rule.map_or("-", |number| rules.as_slice()[number].name.as_str());
        let class = finding.class.as_str();
        let (a, b) = (amounts(&ours, finding.ours), amounts(&theirs, finding.theirs));
        format!("{class} {rule} {a}:{b}")
    };
    let plan = Plan { workers: 1, memory_bytes: None, folder: std::env::temp_dir() };
    let (_, sinks) =
        match_rows(&Rows(&ours), &Rows(&theirs), &rules, &plan, || Lines(line, Vec::new()))
            .unwrap();
    let mut told: Vec<String> = sinks.into_iter().flat_map(|lines| lines.1).collect();
    told.sort();
    let mut expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[test]
fn every_class_is_found_and_told_from_the_others() {
    check(
        "a 1 0 1 47000
         b 1 0 1 47000
         c 1 0 1 47000
         d 1 0 1 47000
         e 1 0 1 47000 disputed
         g 1 0 1 47000
         g 1 0 1 47000",
        "a 2 900 1 47000
         b 2 900 1 64000
         c 2 900 2 64000
         e 2 900 1 47000
         f 2 900 1 47000
         g 2 900 1 47000",
        "matched identity 47000:47000
         amount-differs identity 47000:64000
         group-differs identity 47000:64000
         only-ours - 47000:
         only-theirs - :47000
         disputed identity 47000:47000
         matched identity 47000:47000
         duplicate identity 47000:",
    );
}

#[test]
fn a_split_is_one_thing_and_its_parts_sent_twice_are_duplicates() {
    check("a - - 1 100", "a - - 1 60\n a - - 1 40", "matched identity 100:40+60");
    check(
        "a - - 1 60\n a - - 1 40\n a - - 1 60\n a - - 1 40",
        "a - - 1 100",
        "matched identity 40+60:100
         duplicate identity 40:
         duplicate identity 60:",
    );
    check(
        "a - - 1 60\n a - - 1 40",
        "a - - 1 100\n a - - 1 100",
        "matched identity 40+60:100
         duplicate identity :100",
    );
    check(
        "a - - 1 100",
        "a - - 1 50\n a - - 1 50",
        "amount-differs identity 100:50
         duplicate identity :50",
    );
    check(
        "a - - 1 100",
        "a - - 1 60\n a - - 1 50",
        "amount-differs identity 100:60
         duplicate identity :50",
    );
}

#[test]
fn a_copy_of_what_agrees_is_a_duplicate_whatever_it_is_worth() {
    check(
        "a - - 1 50",
        "a - - 1 20\n a - - 1 50\n a - - 1 50",
        "matched identity 50:50
         duplicate identity :20
         duplicate identity :50",
    );
}

#[test]
fn of_equal_amounts_the_one_of_our_group_is_ours() {
    check(
        "a - - 2 50",
        "a - - 1 50\n a - - 2 50\n a - - 3 50",
        "matched identity 50:50
         duplicate identity :50
         duplicate identity :50",
    );
}

#[test]
fn a_reversal_never_meets_the_charge_whose_identity_it_has() {
    check(
        "a - - 1 50\n a - - 1 50 reversed",
        "a - - 1 50 reversed",
        "only-ours - 50:
         matched identity 50:50",
    );
}

#[test]
fn what_has_another_identity_is_found_by_tag_station_and_time() {
    check(
        "x 7 1000 1 47000\n y 8 1000 1 47000\n z 9 1000 1 47000",
        "1 7 1100 1 47000\n 2 8 1121 1 47000\n 3 9 1000 2 64000",
        "matched tag 47000:47000
         only-ours - 47000:
         only-theirs - :47000
         group-differs tag 47000:64000",
    );
}

#[test]
fn a_clock_that_is_off_shifts_pairs_and_loses_none() {
    check(
        "x 7 0 1 10\n y 7 100 1 20",
        "1 7 90 1 10\n 2 7 190 1 20",
        "matched tag 10:10
         matched tag 20:20",
    );
}

#[test]
fn of_two_passages_the_nearer_one_is_the_same() {
    check(
        "x 7 0 1 10\n y 7 100 1 10",
        "1 7 90 1 10",
        "matched tag 10:10
         only-ours - 10:",
    );
}

#[test]
fn what_lacks_a_field_takes_no_part_in_the_rule_and_is_told_all_the_same() {
    check(
        "- - - - 5\n - 1 - 1 6",
        "- 1 0 1 6",
        "only-ours - 5:\n only-ours - 6:\n only-theirs - :6",
    );
}

#[test]
fn a_cluster_that_no_traffic_makes_is_paired_in_order_of_time() {
    let many: String = (0..300).map(|n| format!("o{n} 7 {n} 1 10\n")).collect();
    let more: String = (0..301).map(|n| format!("t{n} 7 {n} 1 10\n")).collect();
    let expected = "matched tag 10:10\n".repeat(300) + "only-theirs - :10";
    check(&many, &more, &expected);
}

#[test]
fn too_little_memory_is_refused() {
    let plan = Plan { workers: 2, memory_bytes: Some(1 << 20), folder: std::env::temp_dir() };
    let said = match_rows(&Rows(&[]), &Rows(&[]), &Rules::default(), &plan, || NoSink).unwrap_err();
    assert!(said.to_string().contains("67108864 is the least"), "{said}");
}

#[test]
fn a_sum_past_what_the_books_hold_is_refused() {
    let rows = rows("a - - 1 9223372036854775807\n b - - 1 1");
    let plan = Plan { workers: 1, memory_bytes: None, folder: std::env::temp_dir() };
    let said = match_rows(&Rows(&rows), &Rows(&[]), &Rules::default(), &plan, || NoSink);
    assert!(matches!(said, Err(MatchError::Money(_))), "{said:?}");
}

#[test]
fn unsound_rules_are_refused_with_what_would_be_right() {
    let said = |text: &str| toml::from_str::<Rules>(text).unwrap_err().to_string();
    let one = |body: &str| said(&format!("[[rule]]\nname = \"r\"\n{body}"));
    assert!(one("key = []").contains("name at least one field"));
    assert!(one("key = [\"tag\", \"tag\"]\nwindow_ms = 1").contains("twice"));
    assert!(one("key = [\"tag\"]").contains("neither \"identity\" in its key nor window_ms"));
    assert!(one("key = [\"identity\"]\nwindow_ms = 1").contains("needs no window"));
    assert!(one("key = [\"identity\"]\nwindow = 1").contains("unknown field"));
    assert!(said("rule = []").contains("at least one [[rule]]"));
}

fn any_row() -> impl Strategy<Value = Row> {
    // Few of everything, so that every class and every rule happens often.
    let identity =
        prop_oneof![1 => Just("-".to_owned()), 4 => (0..8_u8).prop_map(|n| format!("i{n}"))];
    let tag = prop_oneof![1 => Just("-".to_owned()), 3 => (0..3_u8).prop_map(|n| n.to_string())];
    let at = prop_oneof![1 => Just("-".to_owned()), 9 => (0..400_u16).prop_map(|n| n.to_string())];
    let group = prop_oneof![1 => Just("-".to_owned()), 4 => (1..3_u8).prop_map(|n| n.to_string())];
    let mark = prop_oneof![8 => Just(""), 1 => Just("reversed"), 1 => Just("disputed")];
    (identity, tag, at, group, 0..4_u8, mark)
        .prop_map(|(i, t, at, g, a, m)| row(&format!("{i} {t} {at} {g} {} {m}", u32::from(a) * 10)))
}

fn any_side() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(any_row(), 0..40)
}

/// The findings in an order of their own, so that two runs can be compared.
fn sorted(mut outcome: Outcome) -> Outcome {
    outcome.1.sort();
    outcome
}

fn swapped((totals, findings): Outcome) -> Outcome {
    let class = |class| match class {
        Class::OnlyOurs => Class::OnlyTheirs,
        Class::OnlyTheirs => Class::OnlyOurs,
        Class::Matched
        | Class::AmountDiffers
        | Class::GroupDiffers
        | Class::Duplicate
        | Class::Disputed => class,
    };
    let lines = |lines: Vec<class::ClassLine>| {
        let mut lines: Vec<_> = lines
            .into_iter()
            .map(|line| class::ClassLine {
                class: class(line.class),
                ours: line.theirs,
                theirs: line.ours,
            })
            .collect();
        lines.sort_by_key(|line| line.class);
        lines
    };
    let ClassTotals { classes, rules, ours, theirs } = totals;
    let rules = rules
        .into_iter()
        .map(|of_rule| class::RuleTotals { rule: of_rule.rule, classes: lines(of_rule.classes) })
        .collect();
    let totals = ClassTotals { classes: lines(classes), rules, ours: theirs, theirs: ours };
    let findings =
        findings.into_iter().map(|(c, rule, ours, theirs)| (class(c), rule, theirs, ours));
    (totals, findings.collect())
}

proptest! {
    #[test]
    fn the_classes_partition_both_sides(ours in any_side(), theirs in any_side()) {
        let (totals, findings) = matched(&ours, &theirs, &Rules::default());
        let all = |rows: &[Row]| {
            let mut all: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
            all.sort();
            all
        };
        let told = |side: fn(&Line) -> &Vec<String>| {
            let mut told: Vec<String> = findings.iter().flat_map(side).cloned().collect();
            told.sort();
            told
        };
        prop_assert_eq!(told(|finding| &finding.2), all(&ours));
        prop_assert_eq!(told(|finding| &finding.3), all(&theirs));
        prop_assert_eq!(totals.ours.rows, ours.len() as u64);
        for class in CLASSES {
            let of_class = |finding: &&Line| finding.0 == class;
            let rows: usize = findings.iter().filter(of_class).map(|finding| finding.2.len()).sum();
            prop_assert_eq!(totals.class(class).ours.rows, rows as u64);
        }
    }

    #[test]
    fn which_side_is_called_ours_changes_no_class(ours in any_side(), theirs in any_side()) {
        let one_way = matched(&ours, &theirs, &Rules::default());
        let other_way = matched(&theirs, &ours, &Rules::default());
        prop_assert_eq!(sorted(one_way), sorted(swapped(other_way)));
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing(
        (ours, shuffled) in any_side().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        theirs in any_side(),
    ) {
        let backwards: Vec<Row> = theirs.iter().rev().cloned().collect();
        let one_way = matched(&ours, &theirs, &Rules::default());
        let other_way = matched(&shuffled, &backwards, &Rules::default());
        prop_assert_eq!(sorted(one_way), sorted(other_way));
    }

    #[test]
    fn memory_and_workers_change_nothing_not_even_the_order_of_findings(
        ours in any_side(), theirs in any_side(), means in (1..4_usize, 0..6_usize, 1..4_u8),
    ) {
        let in_memory = matched(&ours, &theirs, &Rules::default());
        let spilled = matched_with(&ours, &theirs, &Rules::default(), means);
        prop_assert_eq!(in_memory, spilled);
    }

    #[test]
    fn a_side_that_is_sent_again_adds_duplicates_and_changes_nothing_else(
        ours in any_side(), theirs in any_side(),
    ) {
        // What is sent again can be known as such where it has an identity.
        let named = |rows: Vec<Row>| rows.into_iter().filter(|row| row.identity.is_some()).collect::<Vec<_>>();
        let (ours, theirs) = (named(ours), named(theirs));
        let by_identity = Rules::try_new(vec![Rules::default().as_slice()[0].clone()]).unwrap();
        let once = matched(&ours, &theirs, &by_identity).0;
        let twice = [theirs.clone(), theirs.clone()].concat();
        let again = matched(&ours, &twice, &by_identity).0;
        for class in CLASSES {
            let (once, again) = (once.class(class), again.class(class));
            match class {
                Class::Duplicate | Class::Disputed => {}
                _ => prop_assert_eq!(once, again),
            }
        }
        let more = again.theirs.rows - once.theirs.rows;
        prop_assert_eq!(more, theirs.len() as u64);
    }
}
