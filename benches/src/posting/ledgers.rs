//! Other people's ledgers on the same server: `cala-ledger` and `doubleentry`, by a program of their
//! own, as they bring another world of crates (`benches/contenders/ledgers`).

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use simulator::demo::database::Database;

use crate::Failed;
use crate::report::Report;

const LEDGERS: [&str; 2] = ["cala", "doubleentry"];

/// Measures each way of each ledger in a database of its own; tells the best of them in postings a
/// second, or none where the program was not built.
pub(super) fn measure(
    report: &mut Report,
    database: &Database,
    lasting: Duration,
) -> Result<Option<f64>, Failed> {
    let Some(program) = std::env::var_os("LEDGER_CONTENDERS").map(PathBuf::from) else {
        report.note(
            "`cala-ledger` and `doubleentry` are not here: `benches/contenders/ledgers-install` \
             builds them.",
        );
        return Ok(None);
    };
    let mut best: Option<f64> = None;
    for ledger in LEDGERS {
        database.create(ledger)?;
        let output = Command::new(&program)
            .args([ledger, &lasting.as_secs().to_string()])
            .env("DATABASE_URL", database.local_url_of(ledger))
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{ledger}: {}", said.trim()).into());
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let &[way, rate, n] = fields.as_slice() else {
                return Err(format!("{ledger} says {line:?}").into());
            };
            let rate: f64 = rate.parse()?;
            report.figure(&format!("{ledger}, {way}"), "postings", rate, "1/s", n.parse()?);
            best = Some(best.map_or(rate, |best| best.max(rate)));
        }
    }
    report.note(
        "`cala` (cala-ledger 0.33.3) and `doubleentry` (0.8.0) by their public calls, as their \
         documentation has them: an account of a customer, one of an operator, one amount. Made \
         easy for them: 1,000 and 200 customers where ours has a million; cala's operators are \
         eventually consistent and their balances are never folded; neither keeps anything else \
         of a toll. One writer a ledger is what `doubleentry` has.",
    );
    Ok(best)
}
