//! A payment order as a bank takes it: ISO 20022 `pain.001.001.09`, customer credit transfer initiation.
//! Pure.
//!
//! Only what every bank reads: one debtor, one execution date, credit transfers with their end-to-end
//! identification. The file proves itself: number and control sum stand in it twice, and are counted
//! from the payments.

use domain::{Amount, BusinessDate, Currency, MoneyError, Timestamp};
use quick_xml::escape::escape;

/// Somebody with a bank account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// In whose name the account is, at most 140 characters.
    pub holder: String,
    /// Its number.
    pub number: String,
    /// The bank.
    pub bic: String,
}

/// One credit transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// What names it from end to end: at most 35 characters.
    pub end_to_end: String,
    /// How much.
    pub amount: Amount,
    /// To whom.
    pub creditor: Party,
    /// What for, at most 140 characters.
    pub remittance: String,
}

/// A file for one bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What names the file: at most 35 characters.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the bank is to pay.
    pub execute_on: BusinessDate,
    /// The currency of every amount.
    pub currency: Currency,
    /// Who pays.
    pub debtor: Party,
    /// What is paid.
    pub payments: Vec<Payment>,
}

/// An amount as banks write it: a decimal with the currency's places.
fn decimal(amount: Amount, currency: Currency) -> String {
    let in_one = 10_i64.pow(currency.exponent());
    let (whole, minor) = (amount.minor_units() / in_one, amount.minor_units() % in_one);
    match currency.exponent() {
        0 => whole.to_string(),
        places => format!("{whole}.{minor:0width$}", width = usize::try_from(places).unwrap_or(0)),
    }
}

/// Writes the file.
///
/// # Errors
/// When the sum of the payments is past what the books hold.
pub fn write(order: &Order) -> Result<String, MoneyError> {
    let Order { id, created_at, execute_on, currency, debtor, payments } = order;
    let (count, total) = (payments.len(), decimal(order.total()?, *currency));
    let created_at = created_at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let (holder, number, bic) =
        (escape(&debtor.holder), escape(&debtor.number), escape(&debtor.bic));
    let mut file = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09">
<CstmrCdtTrfInitn>
<GrpHdr><MsgId>{id}</MsgId><CreDtTm>{created_at}</CreDtTm><NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum><InitgPty><Nm>{holder}</Nm></InitgPty></GrpHdr>
<PmtInf>
<PmtInfId>{id}</PmtInfId><PmtMtd>TRF</PmtMtd><BtchBookg>false</BtchBookg><NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>
<ReqdExctnDt><Dt>{execute_on}</Dt></ReqdExctnDt>
<Dbtr><Nm>{holder}</Nm></Dbtr><DbtrAcct><Id><Othr><Id>{number}</Id></Othr></Id><Ccy>{currency}</Ccy></DbtrAcct><DbtrAgt><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></DbtrAgt>
"#
    );
    for payment in payments {
        let Payment { end_to_end, amount, creditor, remittance } = payment;
        let amount = decimal(*amount, *currency);
        let (holder, number, bic) =
            (escape(&creditor.holder), escape(&creditor.number), escape(&creditor.bic));
        let remittance: String = remittance.chars().take(140).collect();
        let remittance = escape(&remittance);
        let line = format!(
            r#"<CdtTrfTxInf><PmtId><EndToEndId>{end_to_end}</EndToEndId></PmtId><Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt><CdtrAgt><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>{holder}</Nm></Cdtr><CdtrAcct><Id><Othr><Id>{number}</Id></Othr></Id></CdtrAcct><RmtInf><Ustrd>{remittance}</Ustrd></RmtInf></CdtTrfTxInf>
"#
        );
        file.push_str(&line);
    }
    file.push_str("</PmtInf>\n</CstmrCdtTrfInitn>\n</Document>\n");
    Ok(file)
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;

    fn party(holder: &str) -> Party {
        Party::new(holder.to_owned(), "0123456789".to_owned(), "BFTVVNVX".to_owned())
    }

    fn order(currency: Currency) -> Order {
        let payment = |number: u32, units| Payment {
            end_to_end: format!("ETC000000000007-{number:04}"),
            amount: Amount::try_new(units).unwrap(),
            creditor: party("CIENCO4 & <con>"),
            remittance: "Toll cienco4 2026-11-21".to_owned(),
        };
        Order {
            id: "ETC000000000007".to_owned(),
            created_at: "2026-11-22T01:02:03.999Z".parse().unwrap(),
            execute_on: "2026-11-22".parse().unwrap(),
            currency,
            debtor: party("VETC"),
            payments: vec![payment(1, 1_367_700), payment(2, 5)],
        }
    }

    /// Every element with text, by its path.
    fn leaves(file: &str) -> Vec<(String, String)> {
        let mut reader = Reader::from_str(file);
        let (mut path, mut leaves) = (Vec::new(), Vec::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    path.push(start.local_name().as_ref().to_owned());
                }
                Event::End(_) => drop(path.pop()),
                Event::Text(text) => {
                    let text = (*text).to_owned();
                    if !text.trim().is_empty() {
                        leaves.push((path.join("/"), text));
                    }
                }
                Event::Eof => break leaves,
                _ => {}
            }
        }
    }

    fn texts(file: &str, end: &str) -> Vec<String> {
        leaves(file)
            .into_iter()
            .filter(|(path, _)| path.ends_with(end))
            .map(|(_, text)| text)
            .collect()
    }

    #[test]
    fn a_file_says_twice_how_many_payments_it_has_and_what_they_sum_to() {
        let file = write(&order(Currency::VND)).unwrap();
        assert_eq!(texts(&file, "NbOfTxs"), ["2", "2"]);
        assert_eq!(texts(&file, "CtrlSum"), ["1367705", "1367705"]);
        assert_eq!(texts(&file, "InstdAmt"), ["1367700", "5"]);
        assert_eq!(texts(&file, "ReqdExctnDt/Dt"), ["2026-11-22"]);
        assert_eq!(texts(&file, "CreDtTm"), ["2026-11-22T01:02:03Z"]);
        let names = texts(&file, "EndToEndId");
        assert_eq!(names, ["ETC000000000007-0001", "ETC000000000007-0002"]);
        assert!(names.iter().all(|name| name.len() <= 35));
        assert!(file.contains("CIENCO4 &amp; &lt;con&gt;"));
    }

    #[test]
    fn an_amount_has_the_places_of_its_currency() {
        let file = write(&order("USD".parse().unwrap())).unwrap();
        assert_eq!(texts(&file, "InstdAmt"), ["13677.00", "0.05"]);
    }
}
