use std::io::Write as _;

use super::*;
use crate::matching::{Plan, match_rows};
use crate::sides::Mapping;

fn table(name: &str, text: &str) -> Table {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mapping = "[columns]\nidentity = \"id\"\nstation = \"st\"\ntag = \"tag\"\ntime = \"at\"\namount = \"amount\"";
    Table::of(vec![(name.into(), file)], &Mapping::try_from_toml(mapping).unwrap()).unwrap()
}

#[test]
fn both_sides_rows_of_a_finding_stand_together() {
    let ours = table(
        "ours.csv",
        "id,st,tag,at,amount\na,s,01,2026-11-22T00:00:00Z,100\nb,s,02,2026-11-22T00:00:00Z,50\nc,s,03,2026-11-22T00:00:00Z,7\n",
    );
    let theirs = table(
        "theirs.csv",
        "id,st,tag,at,amount\na,s,01,2026-11-22T00:00:00Z,60\na,s,01,2026-11-22T00:00:00Z,40\nx,s,02,2026-11-22T00:00:30Z,51\n",
    );
    let rules = Rules::default();
    let folder = std::env::temp_dir();
    let plan = Plan { workers: 2, memory_bytes: None, folder: folder.clone() };
    let told = |wanted| {
        let spool = || Spool::new(wanted, &folder);
        let (_, mut spools) = match_rows(&ours, &theirs, &rules, &plan, spool).unwrap();
        // As if there had been more than memory takes.
        spools.iter_mut().for_each(|spool| spool.flush().unwrap());
        let mut text = Vec::new();
        let findings = write(spools, &ours, &theirs, &rules, &mut text).unwrap();
        (findings, String::from_utf8(text).unwrap())
    };
    let (findings, text) = told(Wanted::Differences);
    let expected = "\
finding,class,rule,side,file,line,identity,station,time,group,amount
1,amount-differs,tag,ours,ours.csv,3,b,s,2026-11-22T00:00:00Z,,50
1,amount-differs,tag,theirs,theirs.csv,4,x,s,2026-11-22T00:00:30Z,,51
2,only-ours,,ours,ours.csv,4,c,s,2026-11-22T00:00:00Z,,7
";
    assert_eq!((findings, text.as_str()), (2, expected));
    let (findings, text) = told(Wanted::Everything);
    assert_eq!(findings, 3);
    assert!(
        text.contains("1,matched,identity,ours,ours.csv,2,a,s,2026-11-22T00:00:00Z,,100\n"),
        "{text}"
    );
    assert!(text.contains("1,matched,identity,theirs,theirs.csv,3,a,"), "{text}");
}
