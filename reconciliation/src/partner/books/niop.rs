//! Our passages, tags and decisions as records of NIOP.

use serde_json::{Value, json};

use super::{
    Agency, Decided, Disposition, Parties, Passage, Standing, Tag, code_of, instant, zoned,
};

pub(super) fn transaction(passage: &Passage, parties: &Parties<'_>) -> Value {
    let road = parties.road.map_or_else(String::new, |(_, operator)| code_of(operator.as_str()));
    let mut record = json!({
        "RecordType": if passage.entry.is_some() { "TC01" } else { "TB01" },
        "TxnReferenceID": passage.number.to_string(),
        "ExitDateTime": instant(passage.at),
        "FacilityID": road,
        "FacilityDesc": road,
        "ExitPlaza": code_of(&passage.station),
        "ExitPlazaDesc": code_of(&passage.station),
        "ExitLane": code_of(&passage.lane),
        "TagInfo": {
            "TagAgencyID": parties.tags.as_str(),
            "TagSerialNo": passage.serial().to_string(),
            "TagStatus": if passage.is_lanes { "V" } else { "I" },
        },
        "VehicleClass": passage.group.to_string(),
        "TollAmount": passage.amount.to_string(),
        "ExitDateTimeTZ": zoned(passage.at, &parties.zone),
    });
    if let Some(entry) = &passage.entry {
        record["EntryData"] = json!({
            "EntryDateTime": instant(entry.at),
            "EntryPlaza": code_of(&entry.station),
            "EntryPlazaDesc": code_of(&entry.station),
            "EntryLane": code_of(&entry.lane),
        });
        record["EntryDateTimeTZ"] = json!(zoned(entry.at, &parties.zone));
    }
    record
}

/// The transaction as it should have been, behind which correction of it this is.
pub(super) fn correction(passage: &Passage, parties: &Parties<'_>) -> Value {
    let original = transaction(passage, parties);
    let kind = original["RecordType"].as_str().unwrap_or_default();
    let (number, made_at) = passage.correction.unwrap_or((0, passage.at));
    json!({
        "RecordType": format!("{kind}A"),
        "CorrectionDateTime": instant(made_at),
        "CorrectionReason": "C",
        "CorrectionSeqNo": number.to_string(),
        "ResubmitCount": "0",
        "OriginalTransactionDetail": original,
    })
}

pub(super) fn tag(tag: &Tag, parties: &Parties<'_>) -> Value {
    json!({
        "HomeAgencyID": parties.own.as_str(),
        "TagAgencyID": parties.tags.as_str(),
        "TagSerialNumber": tag.serial.to_string(),
        "TagStatus": match tag.standing {
            Standing::Good | Standing::Low => "V",
            Standing::Empty => "Z",
            Standing::Invalid => "I",
        },
        "TagClass": tag.group.to_string(),
    })
}

pub(super) fn decision(decided: &Decided, own: &Agency) -> Value {
    json!({
        "TxnReferenceID": decided.reference,
        "AdjustmentCount": decided.correction.to_string(),
        "ResubmitCount": "0",
        "ReconHomeAgencyID": own.as_str(),
        "PostingDisposition": match decided.disposition {
            Disposition::Posted => "P",
            Disposition::Duplicate => "D",
            Disposition::NotOnFile => "C",
            Disposition::AccountInvalid => "I",
            Disposition::Insufficient
            | Disposition::NothingToCorrect
            | Disposition::GivesBack => "N",
            Disposition::TooOld => "O",
        },
        "PostedAmount": decided.amount.to_string(),
        "PostedDateTime": instant(decided.at),
        "TransFlatFee": "0",
        "TransPercentFee": "0",
    })
}
