use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::matching::Rules;

const MAPPING: &str = r#"
[columns]
identity = ["id", "part"]
station = "station"
tag = "tag"
plate = "plate"
time = "at"
group = "class"
amount = "amount"
disputed = { column = "status", values = ["D", "disputed"] }
[stations]
"12" = "cienco4/ben-thuy"
[groups]
car = 1
bus = 3
[time]
zone = "Asia/Ho_Chi_Minh"
"#;
const HEAD: &str = "id,part,station,tag,plate,at,class,amount,status\n";

fn file(text: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    file
}

fn opened(texts: &[&[u8]]) -> Vec<(PathBuf, File)> {
    let name = |number: usize| PathBuf::from(format!("side-{number}.csv"));
    texts.iter().enumerate().map(|(number, text)| (name(number), file(text))).collect()
}

fn read(table: &Table, rule: &Rule) -> Result<Vec<Taken>, String> {
    let (mut all, mut scratch) = (Vec::new(), Scratch::default());
    for part in 0..table.parts() {
        table
            .read_part(part, rule, &mut scratch, |taken| all.push(taken))
            .map_err(|e| e.to_string())?;
    }
    Ok(all)
}

fn rule(number: usize) -> Rule {
    Rules::default().as_slice()[number].clone()
}

fn refusal(text: &str) -> String {
    let mapping = Mapping::try_from_toml(MAPPING).unwrap();
    match Table::of(opened(&[text.as_bytes()]), &mapping) {
        Ok(table) => read(&table, &rule(1)).unwrap_err(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_row_is_what_the_mapping_says_of_it() {
    let text = HEAD.to_owned()
        + "a,1,12,34 16 ab,30A-123.45,2026-11-22 07:09:08,car,47000,\n"
        + "a,2,cienco4/ben-thuy,0x3416AB,30a12345,2026-11-22T00:09:08Z,bus,-500,D\n";
    let mapping = Mapping::try_from_toml(MAPPING).unwrap();
    let table = Table::of(opened(&[text.as_bytes()]), &mapping).unwrap();
    let by_identity = read(&table, &rule(0)).unwrap();
    assert_ne!(by_identity[0].digest, by_identity[1].digest);
    let [first, second] = by_identity[..] else { panic!("two rows") };
    assert_eq!((first.facts.amount, first.facts.group, first.facts.reversed), (47_000, 1, false));
    assert_eq!((second.facts.amount, second.facts.group, second.facts.reversed), (500, 3, true));
    assert_eq!((first.facts.disputed, second.facts.disputed), (false, true));

    let by_tag = read(&table, &rule(1)).unwrap();
    assert_eq!(by_tag[0].at_ms, by_tag[1].at_ms, "seven hours ahead of UTC");
    let same = |text: &str| {
        let text = HEAD.to_owned() + text;
        let table = Table::of(opened(&[text.as_bytes()]), &mapping).unwrap();
        (read(&table, &rule(1)).unwrap()[0].digest, read(&table, &rule(2)).unwrap()[0].digest)
    };
    let charge = same("x,,12,3416ab,30A-123.45,,,1,\n");
    assert_eq!(charge, same("y,,cienco4/ben-thuy,34 16 AB,30a 12345,,,2,\n"));
    assert_eq!(charge, (by_tag[0].digest, read(&table, &rule(2)).unwrap()[0].digest));
}

#[test]
fn a_refusal_names_file_line_column_and_what_would_be_right() {
    let row = |text: &str| refusal(&(HEAD.to_owned() + "a,,,,,,,1,\n\n" + text));
    assert_eq!(
        row("a,,,,,,,47.5,\n"),
        "side-0.csv line 4, column \"amount\": \"47.5\" is not a whole number of minor units, such as \
         47000"
    );
    assert_eq!(
        row("a,,,3416,,yesterday,car,47,\n"),
        "side-0.csv line 4, column \"at\": \"yesterday\" is not an instant such as \
         2026-11-22T07:09:08+07:00"
    );
    assert!(row("a,,,,,,lorry,47,\n").contains("\"lorry\" is not a tariff group of the mapping: "));
    assert!(row("a,,,\n").contains("line 4, column \"amount\": the row ends after 4 columns"));
    assert!(row("a,\"b,,,,,,47,\n").contains("line 4: a quotation mark is opened and not closed"));
    assert!(
        refusal("id,amount\n")
            .contains("the mapping wants column \"part\", and the first line has id, amount")
    );
    assert!(refusal("").contains("the first line has "));
}

#[test]
fn a_row_longer_than_any_is_refused_and_not_taken_for_two() {
    let text = HEAD.to_owned() + &"x".repeat(ROW_MAX + (1 << 17)) + ",,,,,,,1,\n";
    let mapping = Mapping::try_from_toml(MAPPING).unwrap();
    let table = Table::in_parts(opened(&[text.as_bytes()]), &mapping, 1 << 10).unwrap();
    let said = read(&table, &rule(0)).unwrap_err();
    assert!(said.contains("line 2: the row is longer than 1048576 bytes"), "{said}");
}

#[test]
fn a_row_is_shown_with_its_line_and_without_tag_and_plate() {
    let text =
        HEAD.to_owned() + "a,1,12,3416ab,30A12345,2026-11-22 07:09:08,car,47000,\nb,,,,,,,1,";
    let mapping = Mapping::try_from_toml(MAPPING).unwrap();
    let table = Table::of(
        opened(&[b"id,part,station,tag,plate,at,class,amount,status", text.as_bytes()]),
        &mapping,
    )
    .unwrap();
    let places: Vec<u64> =
        read(&table, &rule(0)).unwrap().iter().map(|taken| taken.facts.place).collect();
    let shown = table.show(places[0], &mut Scratch::default()).unwrap();
    let values = Values {
        identity: "a|1".to_owned(),
        station: "cienco4/ben-thuy".to_owned(),
        time: "2026-11-22 07:09:08".to_owned(),
        group: "1".to_owned(),
        amount: "47000".to_owned(),
    };
    assert_eq!(shown, Shown { file: "side-1.csv".to_owned(), line: "2".to_owned(), values });
    assert_eq!(table.show(places[1], &mut Scratch::default()).unwrap().line, "3");
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9]{0,6}",
        1 => Just("\"a,b\"".to_owned()),
        1 => Just("\"say \"\"x\"\"\"".to_owned()),
    ]
}

proptest! {
    #[test]
    fn however_it_is_cut_a_file_is_read_as_the_csv_library_reads_it(
        rows in proptest::collection::vec((cell(), 0..100_u32, cell(), any::<bool>()), 0..12),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        ends_with_line in any::<bool>(),
        block in 1..80_u64,
    ) {
        let mut text = format!("id,amount,more{end}");
        for (id, amount, more, blank) in &rows {
            text += &format!("{id},{amount},{more}{end}{}", if *blank { end } else { "" });
        }
        if !ends_with_line {
            text.truncate(text.trim_end().len());
        }
        let mapping = "[columns]\nidentity = \"id\"\namount = \"amount\"";
        let mapping = Mapping::try_from_toml(mapping).unwrap();
        let table = Table::in_parts(opened(&[text.as_bytes()]), &mapping, block).unwrap();
        let taken = read(&table, &rule(0)).unwrap();
        let mut scratch = Scratch::default();
        let shown: Vec<(String, String)> = taken
            .iter()
            .map(|taken| table.show(taken.facts.place, &mut scratch).unwrap().values)
            .map(|values| (values.identity, values.amount))
            .collect();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let expected: Vec<(String, String)> =
            reader.records().map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
        prop_assert_eq!(shown, expected);

        let mut again = Vec::new();
        let places = taken.iter().map(|taken| taken.facts.place);
        table.read_again(places, &rule(0), &mut scratch, |taken| again.push(taken)).unwrap();
        prop_assert_eq!(again, taken);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), block in 1..50_u64) {
        let mapping = "header = false\n[columns]\nidentity = 1\namount = 2\ntag = 3\nstation = 4\ntime = 5";
        let mapping = Mapping::try_from_toml(mapping).unwrap();
        if let Ok(table) = Table::in_parts(opened(&[&bytes]), &mapping, block) {
            let said = read(&table, &rule(1));
            prop_assert!(said.is_ok() || said.unwrap_err().contains("side-0.csv line "));
        }
    }
}
