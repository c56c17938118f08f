use super::*;

/// Written for this test from the format.
const STATEMENT: &str = "{1:F01BANKVNVXAXXX0000000000}{4:\r
:20:STMT-326\r
:25:0011001234567\r
:28C:326/1\r
:60F:C261121VND1500000,\r
:61:2611221122C145500,NTRFSETTLE-CIENCO4-1//BANK-1\r
/further words\r
:86:settlement\r
:61:261122D20000,NCHGNONREF//BANK-2\r
:61:261122RC45500,NTRFSETTLE-VEC-1//BANK-3\r
:62F:C261122VND1580000,\r
-}\r
";

fn lines(text: &str) -> Result<Vec<String>, String> {
    let rows = read(text.as_bytes()).map_err(|r| format!("{} {}: {}", r.line, r.field, r.why))?;
    let line = |row: &NormalRow| {
        format!("{} {} {} {}{}", row.line, row.identity, row.time, row.reversed, row.amount)
    };
    Ok(rows.rows.iter().map(line).collect())
}

#[test]
fn entries_are_read_with_their_references_and_which_way_the_money_went() {
    let expected = [
        "6 SETTLE-CIENCO4-1 2026-11-22T00:00:00Z 145500",
        "9 BANK-2 2026-11-22T00:00:00Z yes20000",
        "10 SETTLE-VEC-1 2026-11-22T00:00:00Z yes45500",
    ];
    assert_eq!(lines(STATEMENT).unwrap(), expected);
    assert_eq!(read(STATEMENT.as_bytes()).unwrap().currency, Some(Currency::VND));
}

#[test]
fn a_statement_that_does_not_come_to_its_closing_balance_is_refused() {
    let altered = STATEMENT.replace("145500", "145501");
    let said = lines(&altered).unwrap_err();
    assert!(
        said.starts_with("11 :62F:: opening balance 1500000 and entries 80001 come to 1580001"),
        "{said}"
    );
    let lines_of = |keep: &dyn Fn(&str) -> bool| -> String {
        STATEMENT.lines().filter(|line| keep(line)).map(|line| line.to_owned() + "\n").collect()
    };
    for number in ["BANK-1", "BANK-2", "BANK-3"] {
        assert!(lines(&lines_of(&|line| !line.contains(number))).is_err(), "{number} is missing");
    }
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_it_was_cut() {
    let closing = STATEMENT.find(":62F:").unwrap();
    for len in 0..closing + ":62F:C261122VND1580000".len() {
        assert!(lines(&STATEMENT[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn what_is_no_entry_is_refused_with_an_example() {
    let altered = STATEMENT.replace("261122D20000,", "261122X20000,");
    assert_eq!(
        lines(&altered).unwrap_err(),
        "9 :61:: no C, D, RC or RD, as in 2611211121C47000,NTRFPAY-17//BANK-4"
    );
    assert!(lines("hello\n").unwrap_err().contains("is this MT940?"));
}
