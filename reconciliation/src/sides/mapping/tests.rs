use super::*;

fn said(text: &str) -> String {
    let error = Mapping::try_from_toml(text).unwrap_err();
    match &error {
        MappingError::Toml(toml) => toml.to_string(),
        MappingError::Delimiter(_)
        | MappingError::Unnamed(_)
        | MappingError::Zero
        | MappingError::Zone { .. }
        | MappingError::Format(_) => error.to_string(),
    }
}

#[test]
fn an_unsound_mapping_is_refused_with_what_would_be_right() {
    let columns = "\n[columns]\namount = \"a\"\n";
    assert!(said("").contains("missing field `columns`"));
    assert!(said(&format!("delimiter = \"x\"{columns}")).contains("use a comma, a semicolon"));
    assert!(said("header = false\n[columns]\namount = \"a\"").contains("give its number, from 1"));
    assert!(said("[columns]\namount = 0").contains("columns are counted from 1"));
    assert!(
        said(&format!("[time]\nzone = \"Hanoi\"{columns}")).contains("such as Asia/Ho_Chi_Minh")
    );
    assert!(said(&format!("[time]\nformat = \"dmy\"{columns}")).contains("or a pattern with %"));
    assert!(said("[columns]\namount = \"a\"\ncolour = \"b\"").contains("unknown field `colour`"));
    assert!(said(&format!("[groups]\ncar = 0{columns}")).contains("0"));
}
