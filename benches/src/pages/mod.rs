//! How long the pages of the centre, and the answers of the API, take over very many passages.
//!
//! The books are filled by the database itself, in the real schema (`fill`); then the real console
//! is asked over HTTP by somebody who is logged in (`visitor`), and the API's routes beside it. What
//! is measured is from the request to the last byte, on the machine of the database: the server's time
//! and a loopback. Each page is asked a few times; the first is told apart, because it finds the
//! database's memory without it.
//!
//! Deliberately absent: the browser, and the signed originals of the passages, which are filed by
//! batch and found by key.

mod fill;
mod visitor;

use std::num::NonZeroU16;

use clearing_house::api::keys::{self, NewKey};
use clearing_house::api::{Role, without_broker};
use clearing_house::config::RequestRate;
use domain::Clock;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::database::Database;
use simulator::demo::run_folder::RunFolder;
use sqlx::PgPool;

use crate::Failed;
use crate::latency::Latency;
use crate::posting::world::LIST_POLICY;
use crate::report::{Report, count};
use fill::Filled;
use visitor::{ApiCaller, Visitor, house};

/// What a page may take on the server, in milliseconds.
const PAGE_MS_MAX: f64 = 100.0;

/// How much is in the books.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Passages in all.
    passages: u64,
    /// Days over which they are spread evenly.
    days: u32,
    /// How often each page is asked.
    times: u32,
}

impl Size {
    /// Reads this process's arguments: `--passages N`, `--days N`, `--times N`, `--short`.
    ///
    /// # Errors
    /// On any other argument.
    pub fn from_command_line() -> Result<Self, Failed> {
        let mut size = Self { passages: 5_000_000, days: 100, times: 20 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<u64, Failed> {
                let text = arguments.next().ok_or_else(|| format!("{argument} needs a number"))?;
                Ok(text.replace('_', "").parse()?)
            };
            match argument.as_str() {
                "--bench" => {}
                "--short" => (size.passages, size.times) = (200_000, 5),
                "--passages" => size.passages = number()?.max(1),
                "--days" => size.days = u32::try_from(number()?)?.max(3),
                "--times" => size.times = u32::try_from(number()?)?.max(2),
                other => {
                    return Err(format!(
                        "{other:?} is not known; --short, --passages N, --days N and --times N are"
                    )
                    .into());
                }
            }
        }
        Ok(size)
    }
}

/// Fills books, opens a console over them and asks for every page.
///
/// # Errors
/// When a part does not start, or a page is not there.
pub fn measure(size: Size) -> Result<Report, Failed> {
    let run = RunFolder::temporary()?;
    let broker = Broker::start(&run, &crate::programs::nats_server()?, &[BrokerUser::Console])?;
    let database = Database::start(&run, &crate::programs::postgres_bin()?)?;
    database.create("pages")?;
    let url = database.local_url_of("pages");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut report = Report::new("pages");
        let pool =
            clearing_house::sql::connect(&clearing_house::config::Database::at(&url)).await?;
        let clock = Clock::system();
        let filled = fill::fill(&pool, (size.passages, size.days), clock).await?;
        filled.tell(&mut report);
        let (console, served) = house(&run, &broker, &url)?;
        let serving = tokio::spawn(served);
        let slow = pages(&mut report, size, &filled, &console, clock).await?
            + answers(&mut report, size, &filled, &pool, clock).await?;
        serving.abort();
        report.figure("pages and answers over 100 ms at p99", "", count(slow), "", 1);
        report.note(
            "The console and the API run in this process, beside the database, on one machine; \
             `first` is the first asking of a page after filling.",
        );
        Ok(report)
    })
}

/// Asks one thing some times; says whether it was slow.
async fn asked<F: Future<Output = Result<(), Failed>>>(
    report: &mut Report,
    (subject, name): (&str, &str),
    times: u32,
    clock: Clock,
    mut ask: impl FnMut() -> F,
) -> Result<u64, Failed> {
    let mut latency = Latency::try_new()?;
    for turn in 0..=times {
        let started = clock.real();
        ask().await.map_err(|error| format!("{name}: {error}"))?;
        let took = clock.real().duration_since(started);
        if turn == 0 {
            let metric = format!("{name}, first");
            report.figure(subject, &metric, took.as_secs_f64() * 1_000.0, "ms", 1);
        } else {
            latency.record(took);
        }
    }
    report.latency(subject, name, &latency);
    Ok(u64::from(latency.micros_at(0.99) > PAGE_MS_MAX * 1_000.0))
}

async fn pages(
    report: &mut Report,
    size: Size,
    filled: &Filled,
    house: &visitor::House,
    clock: Clock,
) -> Result<u64, Failed> {
    let staff = Visitor::log_in(house, "staff").await?;
    let holder = Visitor::log_in(house, "holder").await?;
    let Filled { open_day, closed_day, passage, plate, tag, .. } = filled;
    let mut slow = 0;
    for path in [
        "/finance".to_owned(),
        format!("/finance/day/cienco4/{closed_day}"),
        format!("/finance/day/cienco4/{open_day}"),
        "/finance/payments".to_owned(),
        "/passages".to_owned(),
        format!("/passages?day={closed_day}"),
        format!("/passages?station=cienco4/ben-thuy&day={open_day}"),
        "/passages?exception=blocked".to_owned(),
        "/passages?disposition=not-on-file".to_owned(),
        format!("/passages?amount={}", fill::RARE_AMOUNT),
        format!("/passages?account={}", fill::ACCOUNT),
        format!("/passages/{}", passage.replace(':', "/")),
        "/cases".to_owned(),
        "/authority".to_owned(),
        format!("/authority?day={closed_day}"),
        "/tariffs".to_owned(),
        "/equipment".to_owned(),
        "/quarantine".to_owned(),
        "/audit".to_owned(),
        "/people".to_owned(),
    ] {
        let staff = &staff;
        let path = path.as_str();
        slow += asked(report, ("page", path), size.times, clock, || staff.look(path)).await?;
    }
    let (older, staff) = (staff.older("/passages").await?, &staff);
    let older = older.as_str();
    slow +=
        asked(report, ("page", "the next of /passages"), size.times, clock, || staff.look(older))
            .await?;
    for (name, by, what) in
        [("by plate, all days", "plate", plate), ("by tag, all days", "tag", tag)]
    {
        let form = format!("by={by}&what={what}&day=");
        let form = form.as_str();
        let ask = || staff.send("/passages/find", form);
        slow += asked(report, ("page", name), size.times, clock, ask).await?;
    }
    for path in ["/account".to_owned(), format!("/account?day={closed_day}")] {
        let (holder, path) = (&holder, path.as_str());
        slow += asked(report, ("page", path), size.times, clock, || holder.look(path)).await?;
    }
    Ok(slow)
}

async fn answers(
    report: &mut Report,
    size: Size,
    filled: &Filled,
    pool: &PgPool,
    clock: Clock,
) -> Result<u64, Failed> {
    let often = NonZeroU16::MAX;
    let rate = RequestRate { per_s: often, burst: often };
    let router =
        without_broker([pool.clone(), pool.clone(), pool.clone()], (LIST_POLICY, rate), clock);
    let key = NewKey { name: "bench".to_owned(), role: Role::Centre, valid_until: None };
    let (_, token) = keys::make(pool, &key, "bench", clock.now()).await?;
    let caller = ApiCaller::serve(router, token).await?;
    let Filled { open_day, closed_day, passage, .. } = filled;
    let account = fill::ACCOUNT;
    let mut slow = 0;
    for path in [
        "/api/v1/accounts".to_owned(),
        format!("/api/v1/accounts/{account}"),
        format!("/api/v1/accounts/{account}/statement"),
        format!("/api/v1/accounts/{account}/statement?from={closed_day}T00:00:00Z"),
        format!("/api/v1/accounts/{account}/passages"),
        format!("/api/v1/accounts/{account}/disputes"),
        "/api/v1/passages".to_owned(),
        format!("/api/v1/passages?from={closed_day}&to={closed_day}&limit=500"),
        format!("/api/v1/passages?station=ben-thuy&from={open_day}"),
        format!("/api/v1/passages/{}", passage.replace(':', "/")),
        "/api/v1/corrections".to_owned(),
        "/api/v1/settlement/days".to_owned(),
        format!("/api/v1/settlement/days/cienco4/{closed_day}"),
        "/api/v1/lanes".to_owned(),
        "/api/v1/list".to_owned(),
    ] {
        let (caller, path) = (&caller, path.as_str());
        slow += asked(report, ("API", path), size.times, clock, || caller.ask(path)).await?;
    }
    Ok(slow)
}
