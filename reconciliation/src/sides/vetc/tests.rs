use super::*;

#[test]
fn a_tuple_is_a_row_and_its_identity_is_transaction_and_lane() {
    // Written for this test from the format; tag, ticket and plate belong to nobody.
    let text = "(20260901070908,07:09:08,893011000000000000000001,35000,30A00001,0102,002,101,12)\n\n\
                (20260901070909_102,07:09:09,AA/16P000000001,50000,30A00002,0102,002,102,13,1,0),\r\n";
    let rows = read(text.as_bytes()).unwrap().rows;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].identity, "20260901070908_101");
    assert_eq!(rows[0].tag, "893011000000000000000001");
    assert_eq!((rows[0].time.as_str(), rows[0].group.as_str()), ("2026-09-01T00:09:08Z", "1"));
    assert_eq!((rows[1].identity.as_str(), rows[1].station.as_str()), ("20260901070909_102", "1"));
    assert_eq!((rows[1].tag.as_str(), rows[1].amount, rows[1].line), ("", 50_000, 3));
}

#[test]
fn a_line_that_is_no_transaction_is_refused_with_its_number() {
    let said = |line: &str| {
        let text =
            format!("(20260901070908,07:09:08,T/1,35000,30A00001,0102,002,101,12)\n{line}\n");
        let Refusal { line, field, why } = read(text.as_bytes()).unwrap_err();
        format!("{line} {field}: {why}")
    };
    assert_eq!(said("(2026"), "2 tuple: a line is one tuple in parentheses");
    assert_eq!(said("(a,b)"), "2 tuple: 2 fields; a transaction has 9 at least");
    assert!(said("(20261301070908,x,T/1,35000,30A00001,1,2,101,12)").contains("2 transaction: "));
    assert!(said("(20260901070908,x,T/1,35.5,30A00001,1,2,101,12)").contains("2 price: "));
    assert!(said("(20260901070908,x,T/1,35000,30A00001,1,2,101,17)").contains("2 ticket code: "));
}
