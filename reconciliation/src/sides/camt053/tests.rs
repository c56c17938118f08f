use super::*;

/// Written for this test from the public schema.
const STATEMENT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>M1</MsgId></GrpHdr>
<Stmt><Id>S1</Id>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="VND">1500000</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="VND">1580000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>
<Ntry><Amt Ccy="VND">145500</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-22</Dt></BookgDt><AcctSvcrRef>BANK-1</AcctSvcrRef>
<NtryDtls>
<TxDtls><Refs><EndToEndId>SETTLE-1</EndToEndId></Refs><Amt Ccy="VND">100000</Amt></TxDtls>
<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId><AcctSvcrRef>BANK-1B</AcctSvcrRef></Refs><Amt Ccy="VND">45500</Amt></TxDtls>
</NtryDtls></Ntry>
<Ntry><Amt Ccy="VND">65500</Amt><CdtDbtInd>DBIT</CdtDbtInd><RvslInd>true</RvslInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-22</Dt></BookgDt><AcctSvcrRef>BANK-2</AcctSvcrRef></Ntry>
<Ntry><Amt Ccy="VND">7</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts></Ntry>
</Stmt></BkToCstmrStmt></Document>
"#;

fn lines(text: &str) -> Result<Vec<String>, String> {
    let rows = read(text.as_bytes()).map_err(|r| format!("{} {}: {}", r.line, r.field, r.why))?;
    let line = |row: &NormalRow| {
        format!("{} {} {} {}{}", row.line, row.identity, row.time, row.reversed, row.amount)
    };
    Ok(rows.rows.iter().map(line).collect())
}

#[test]
fn booked_entries_are_read_transaction_by_transaction() {
    let expected = [
        "10 SETTLE-1 2026-11-22T00:00:00Z 100000",
        "11 BANK-1B 2026-11-22T00:00:00Z 45500",
        "13 BANK-2 2026-11-22T00:00:00Z yes65500",
    ];
    assert_eq!(lines(STATEMENT).unwrap(), expected);
    assert_eq!(read(STATEMENT.as_bytes()).unwrap().currency, Some(Currency::VND));
}

#[test]
fn a_statement_that_contradicts_itself_is_refused() {
    let said = |from: &str, to: &str| lines(&STATEMENT.replacen(from, to, 1)).unwrap_err();
    assert!(
        said(">65500<", ">65501<")
            .contains("come to 1579999, and the statement closes with 1580000")
    );
    assert!(said(">100000<", ">100001<").contains("12 Ntry: its transactions come to 145501"));
    assert!(said("DBIT", "DEBIT").contains("neither CRDT nor DBIT"));
    assert!(said(">145500<", ">145500.5<").contains("\"145500.5\" is not an amount"));
    assert!(said("\"VND\">45500", "\"USD\">45500").contains("USD among VND"));
    assert!(said("<CdtDbtInd>DBIT</CdtDbtInd>", "").contains("Amt or CdtDbtInd is missing"));
    assert!(said("<Document", "<!DOCTYPE x><Document").contains("document type"));
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_it_was_cut() {
    for len in 0..STATEMENT.trim_end().len() {
        assert!(lines(&STATEMENT[..len]).is_err(), "cut at {len}");
    }
}
