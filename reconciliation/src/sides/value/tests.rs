use super::*;

fn amount(form: AmountForm, decimals: u32, text: &str) -> Option<(u64, bool)> {
    let worth = AmountReader::new(form, decimals).read(text.as_bytes())?;
    Some((worth.units, worth.negative))
}

#[test]
fn an_amount_is_whole_minor_units_and_nothing_is_rounded_away() {
    use AmountForm::{Comma, MinorUnits, Point};
    assert_eq!(amount(MinorUnits, 0, "47000"), Some((47_000, false)));
    assert_eq!(amount(MinorUnits, 0, "-47000"), Some((47_000, true)));
    assert_eq!(amount(Point, 0, "47000.00"), Some((47_000, false)));
    assert_eq!(amount(Point, 0, "47000.50"), None);
    assert_eq!(amount(Point, 2, "470.5"), Some((47_050, false)));
    assert_eq!(amount(Comma, 2, "470,05"), Some((47_005, false)));
    assert_eq!(amount(Comma, 0, "47000,"), Some((47_000, false)));
    assert_eq!(amount(Point, 2, "470.505"), None);
    assert_eq!(amount(MinorUnits, 0, "9223372036854775807"), Some((i64::MAX as u64, false)));
    for bad in [
        "",
        "-",
        "47 000",
        "47,000",
        "4e4",
        "0x10",
        "9223372036854775808",
        "99999999999999999999",
        "١",
    ] {
        assert_eq!(amount(MinorUnits, 0, bad), None, "{bad}");
    }
}

fn instant(format: &str, text: &str) -> Option<i64> {
    let mapping = format!(
        "[time]\nformat = {format:?}\nzone = \"Asia/Ho_Chi_Minh\"\n[columns]\namount = \"a\""
    );
    TimeReader::try_new(&Mapping::try_from_toml(&mapping).unwrap()).unwrap().read(text.as_bytes())
}

#[test]
fn an_instant_is_the_same_in_every_form() {
    let expected = Some(1_795_306_148_000);
    assert_eq!(instant("iso", "2026-11-22T00:09:08Z"), expected);
    assert_eq!(instant("iso", "2026-11-22T07:09:08+07:00"), expected);
    assert_eq!(instant("iso", "2026-11-22 07:09:08"), expected);
    assert_eq!(instant("compact", "20261122070908"), expected);
    assert_eq!(instant("unix-s", "1795306148"), expected);
    assert_eq!(instant("unix-ms", "1795306148000"), expected);
    assert_eq!(instant("%d/%m/%Y %H:%M:%S", "22/11/2026 07:09:08"), expected);
    assert_eq!(instant("%d/%m/%Y", "22/11/2026"), instant("compact", "20261122"));
    for (format, bad) in [
        ("iso", "22/11/2026"),
        ("compact", "20261322070908"),
        ("compact", "2026112207"),
        ("unix-s", "soon"),
    ] {
        assert_eq!(instant(format, bad), None, "{bad}");
    }
}
