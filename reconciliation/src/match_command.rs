//! `reconciliation match`: two parties' files, and what became of every row.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use clap::Args;
use clearing_house::config::load;
use clearing_house::sql::connect;
use domain::{BusinessDate, Clock, OperatorId, Timestamp};
use reconciliation::cases;
use reconciliation::cases::of_matching::{About, Differences};
use reconciliation::command::progress::{Progress, Unit, Watched};
use reconciliation::command::side_files::{FormName, mapping, rules_of, table};
use reconciliation::config::Config;
use reconciliation::matching::class::ClassLine;
use reconciliation::matching::{ClassTotals, NoSink, Plan, Side as _, match_rows};
use reconciliation::sides::again::{Again, once_each};
use reconciliation::sides::ledger::{By, Charges, charges};
use reconciliation::sides::outcome::{Outcome, Spool, Wanted, tell};
use reconciliation::sides::{Mapping, Table};
use reconciliation::window::Actor;
use sqlx::PgPool;

/// Matches two parties' records and says what became of every row.
#[derive(Debug, Args)]
pub(crate) struct Match {
    /// Our files.
    #[arg(long, required_unless_present = "ours_ledger", num_args = 1.., value_name = "FILE")]
    ours: Vec<PathBuf>,
    /// In place of files, what this operator's days charged to accounts, from the books.
    #[arg(long, conflicts_with = "ours", requires = "from", value_name = "OPERATOR")]
    ours_ledger: Option<OperatorId>,
    /// The first settlement day of the books.
    #[arg(long, requires = "ours_ledger", value_name = "YYYY-MM-DD")]
    from: Option<BusinessDate>,
    /// The last; the first where not given.
    #[arg(long, requires = "from", value_name = "YYYY-MM-DD")]
    through: Option<BusinessDate>,
    /// Take what passed on these days, also what came late and was settled with a later one.
    #[arg(long, requires = "ours_ledger")]
    by_time: bool,
    /// The form of our files.
    #[arg(long, value_enum, default_value_t = FormName::Table)]
    ours_form: FormName,
    /// The mapping of our tables; the normal form where not given.
    #[arg(long, value_name = "MAPPING.toml")]
    ours_as: Option<PathBuf>,
    /// Their files.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    theirs: Vec<PathBuf>,
    /// The form of their files.
    #[arg(long, value_enum, default_value_t = FormName::Table)]
    theirs_form: FormName,
    /// The mapping of their tables; the normal form where not given.
    #[arg(long, value_name = "MAPPING.toml")]
    theirs_as: Option<PathBuf>,
    /// The rules, in their order; identity, then tag, then plate where not given.
    #[arg(long, value_name = "RULES.toml")]
    rules: Option<PathBuf>,
    /// How much memory may be taken, such as 1GB or 512MB; above it, files are used.
    #[arg(long, value_name = "SIZE", value_parser = bytes_of)]
    memory: Option<u64>,
    /// Where those files are made; the system's folder for them where not given.
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// How many threads; one a core where not given.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where every row that did not match is written, as CSV.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Open a case for everything that does not match.
    #[arg(long, requires = "ours_ledger")]
    cases: bool,
    /// Write down what matched as well.
    #[arg(long, requires = "out")]
    everything: bool,
    /// The totals as one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

fn bytes_of(text: &str) -> Result<u64, String> {
    let wanted = || format!("{text:?} is not a size such as 1GB, 512MB or 65536");
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_no_number| wanted())?;
    let factor: u64 = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wanted()),
    };
    number.checked_mul(factor).ok_or_else(wanted)
}

/// Runs it.
///
/// # Errors
/// When a file is refused or cannot be read; nothing was changed then.
pub(crate) async fn run(what: &Match, config: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut ours_as = mapping(what.ours_form, what.ours_as.as_deref())?;
    let mut theirs_as = mapping(what.theirs_form, what.theirs_as.as_deref())?;
    // Only a mapping says a currency by itself; another form must have the other side's.
    match (&what.ours_as, &what.theirs_as) {
        (None, Some(_)) => ours_as.currency = theirs_as.currency,
        (Some(_), None) => theirs_as.currency = ours_as.currency,
        (None, None) | (Some(_), Some(_)) => {}
    }
    if ours_as.currency != theirs_as.currency {
        let (a, b) = (ours_as.currency, theirs_as.currency);
        return Err(format!("our files are in {a} and theirs in {b}: match like with like").into());
    }
    let rules = rules_of(what.rules.as_deref())?;
    let folder = what.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let (their_files, again) = once_each(&what.theirs)?;
    for Again { file, of } in &again {
        tracing::warn!("{} is {} again, and is taken once", file.display(), of.display());
    }
    let books = match &what.ours_ledger {
        None => None,
        Some(operator) => Some(OurBooks::open(what, operator, config).await?),
    };
    let ours = match &books {
        None => table(&what.ours, what.ours_form, &ours_as, &folder)?,
        Some(books) => books.charges(what, &folder).await?,
    };
    let theirs = table(&their_files, what.theirs_form, &theirs_as, &folder)?;
    let plan = Plan {
        workers: what
            .threads
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
        memory_bytes: what.memory,
        folder,
    };
    let bytes = ours.extent() + theirs.extent();
    let progress = Progress::new("matching", bytes, Unit::Bytes, what.json);
    let sides = (Watched::new(&ours, &progress), Watched::new(&theirs, &progress));
    let about = books.as_ref().filter(|_| what.cases).map(|books| &books.about);
    let mut differences = about.map(Differences::new);
    let totals = if what.out.is_none() && about.is_none() {
        match_rows(&sides.0, &sides.1, &rules, &plan, || NoSink)?.0
    } else {
        let wanted = if what.everything { Wanted::Everything } else { Wanted::Differences };
        let spool = || Spool::new(wanted, &plan.folder);
        let (totals, spools) = match_rows(&sides.0, &sides.1, &rules, &plan, spool)?;
        let file = what.out.as_ref().map(File::create).transpose()?;
        let mut file = file.map(|file| Outcome::try_new(BufWriter::new(file))).transpose()?;
        tell(spools, &ours, &theirs, &rules, |told| {
            if let Some(differences) = &mut differences {
                differences.take(told);
            }
            file.as_mut().map_or(Ok(()), |file| file.take(told))
        })?;
        file.map_or(Ok(()), Outcome::finish)?;
        totals
    };
    drop(progress);
    if let (Some(books), Some(differences)) = (&books, differences) {
        let mut findings = differences.finish()?;
        findings.extend(again.iter().map(|again| books.about.sent_again(again)));
        let cases = cases::open_all(&books.pool, &findings, &Actor::Program, books.now).await?;
        tracing::info!(cases = cases.len(), "everything that does not match is a case");
    }
    let told = if what.json { serde_json::to_string(&totals)? + "\n" } else { table_of(&totals)? };
    write!(io::stdout().lock(), "{told}")?;
    Ok(ExitCode::SUCCESS)
}

/// Our side out of the books.
struct OurBooks {
    pool: PgPool,
    about: About,
    now: Timestamp,
}

impl OurBooks {
    async fn open(
        what: &Match,
        operator: &OperatorId,
        config: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let config: Config = load(config)?;
        let pool = connect(&config.database.clone().or_environment()).await?;
        let from = what.from.ok_or("--from says from which day on")?;
        let about = About::of(&pool, operator, from).await?;
        Ok(Self { pool, about, now: Clock::of_run(config.clock).now() })
    }

    async fn charges(&self, what: &Match, folder: &Path) -> Result<Table, Box<dyn Error>> {
        let About { operator, calendar, day } = self.about.clone();
        let by = if what.by_time { By::Passed(calendar) } else { By::Settled };
        let through = what.through.unwrap_or(day);
        let wanted = Charges { operator, issuer: None, from: day, through, by };
        let file = charges(&self.pool, &wanted, folder).await?;
        Ok(Table::of(vec![(PathBuf::from("books"), file)], &Mapping::normal())?)
    }
}

fn table_of(totals: &ClassTotals) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let head = ["rows", "amount", "reversed", "rows", "amount", "reversed"];
    let [a, b, c, d, e, f] = head;
    writeln!(text, "{:<16}{:<16}{:>51}{:>51}", "", "", "ours", "theirs")?;
    writeln!(text, "{:<16}{:<16}{a:>11}{b:>20}{c:>20}{d:>11}{e:>20}{f:>20}", "rule", "class")?;
    let mut line = |rule: &str, class: &str, line: &ClassLine| {
        let (a, b) = (line.ours, line.theirs);
        writeln!(
            text,
            "{rule:<16}{class:<16}{:>11}{:>20}{:>20}{:>11}{:>20}{:>20}",
            a.rows,
            a.amount.minor_units(),
            a.reversed.minor_units(),
            b.rows,
            b.amount.minor_units(),
            b.reversed.minor_units()
        )
    };
    for of_rule in &totals.rules {
        for class in &of_rule.classes {
            line(of_rule.rule.as_deref().unwrap_or("-"), class.class.as_str(), class)?;
        }
    }
    for class in &totals.classes {
        line("all", class.class.as_str(), class)?;
    }
    let sum =
        ClassLine { class: totals.classes[0].class, ours: totals.ours, theirs: totals.theirs };
    line("all", "all", &sum)?;
    Ok(text)
}
