//! Our passages, tags and decisions as records of IAG.

use serde_json::{Value, json};

use super::{Decided, Disposition, Parties, Passage, Standing, Tag, code_of, zoned};

/// A passage; as a correction, the transaction as it should have been.
pub(super) fn transaction(passage: &Passage, parties: &Parties<'_>) -> Value {
    let local = passage.at.to_zoned(parties.zone.clone());
    let kind = match (&passage.entry, passage.is_exit) {
        (Some(_), _) => "C",
        (None, true) => "X",
        (None, false) => "B",
    };
    let mut record = json!({
        "ETC_TRX_SERIAL_NUM": format!("{:020}", passage.number),
        "ETC_REVENUE_DATE": local.strftime("%Y%m%d").to_string(),
        "ETC_FAC_AGENCY": parties.road.map(|(agency, _)| agency.as_str()),
        "ETC_TRX_TYPE": kind,
        "ETC_TAG_AGENCY": parties.tags.as_str(),
        "ETC_TAG_SERIAL_NUMBER": format!("{:010}", passage.serial()),
        "ETC_LANE_MODE": if passage.is_lanes { "E" } else { "M" },
        "ETC_CLASS_CHARGED": passage.group.to_string(),
        "ETC_ACTUAL_AXLES": "00",
        "ETC_EXIT_SPEED": "000",
        "ETC_OVER_SPEED": "N",
        "ETC_EXIT_DATE_TIME": zoned(passage.at, &parties.zone),
        "ETC_EXIT_PLAZA": code_of(&passage.station),
        "ETC_EXIT_LANE": code_of(&passage.lane),
        "ETC_DEBIT_CREDIT": " ",
        "ETC_TOLL_AMOUNT": passage.amount.to_string(),
    });
    if passage.is_lanes {
        record["ETC_VALIDATION_STATUS"] = json!("1");
    }
    if let Some(entry) = &passage.entry {
        record["ETC_ENTRY_DATE_TIME"] = json!(zoned(entry.at, &parties.zone));
        record["ETC_ENTRY_PLAZA"] = json!(code_of(&entry.station));
        record["ETC_ENTRY_LANE"] = json!(code_of(&entry.lane));
    }
    if passage.correction.is_some() {
        record["CORR_REASON"] = json!("01");
    }
    record
}

const fn status(standing: Standing) -> &'static str {
    match standing {
        Standing::Good => "1",
        Standing::Low => "2",
        Standing::Empty | Standing::Invalid => "3",
    }
}

pub(super) fn tag(tag: &Tag, parties: &Parties<'_>) -> Value {
    json!({
        "TAG_AGENCY": parties.tags.as_str(),
        "TAG_SERIAL": format!("{:010}", tag.serial),
        "STATUS": status(tag.standing),
        "ACCT_INFO": "000000",
        "HOME_AGENCY": parties.own.as_str(),
        "PROTOCOL": "6",
        "CLASS": tag.group.to_string(),
    })
}

pub(super) fn plate(tag: &Tag, parties: &Parties<'_>) -> Value {
    json!({
        "LIC_STATE": "VN",
        "LIC_NUMBER": tag.plate,
        "TAG_AGENCY": parties.tags.as_str(),
        "TAG_SERIAL": format!("{:010}", tag.serial),
        "LIC_HOME_AGENCY": parties.own.as_str(),
    })
}

/// A number as twenty digits.
fn serial(reference: &str) -> String {
    format!("{reference:0>20}")
}

pub(super) fn decision(decided: &Decided) -> Value {
    json!({
        "ETC_TRX_SERIAL_NUM": serial(&decided.reference),
        "ETC_POST_STATUS": match decided.disposition {
            Disposition::Posted => "POST",
            Disposition::Duplicate => "RJDP",
            Disposition::NotOnFile => "RJTA",
            Disposition::AccountInvalid => "ACCB",
            Disposition::Insufficient => "INSU",
            Disposition::TooOld => "OLD1",
            Disposition::NothingToCorrect => "NPST",
            Disposition::GivesBack => "RINV",
        },
        "ETC_DEBIT_CREDIT": " ",
        "ETC_OWED_AMOUNT": decided.amount.to_string(),
        "ETC_DUP_SERIAL_NUM": if decided.disposition == Disposition::Duplicate {
            serial(&decided.reference)
        } else {
            format!("{:020}", 0)
        },
    })
}
