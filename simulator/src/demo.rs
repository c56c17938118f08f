//! The demonstration: a whole toll network started, watched, counted and stopped by one program.
//!
//! Everything is real and its own: broker and database on free loopback ports in the run's folder,
//! the system's programs under supervision, the road and its readers made of software. Nothing
//! that was there before the run is touched, and nothing is left behind but what was asked for.
//!
//! *Run*: from the folder's making to the last server's end. *Books*: what the centre says at the
//! end. *Truth*: what the road says. The run went well when they agree.
//!
//! The servers ([`broker`], [`database`]) are also what whole-system tests and benchmarks start.

pub mod options;
pub mod scenario;
pub mod system;
pub mod watch;
pub mod books;
pub mod check;
pub mod report;
pub mod summary;
pub mod screen;
pub mod latency;
pub mod text;
pub mod configs;
pub mod programs;
mod authority;
pub mod broker;
pub mod database;
pub mod process;
pub mod run_folder;
pub mod password;
pub mod people;
pub mod ports;
pub mod system_user;

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use domain::{Clock, LaneId};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, block_in_place};

use self::broker::BrokerUser;
use self::check::TruthTotals;
use self::configs::desk_key;
use self::database::Role;
use self::options::Options;
use self::people::DESK_USER;
use self::process::{ProcessError, Recipe};
use self::programs::Programs;
use self::report::{Connect, Report, Run};
use self::run_folder::RunFolder;
use self::scenario::Scenario;
use self::screen::{Screen, View};
use self::summary::Summary;
use self::system::{Centre, Ground, System, close_books};
use self::watch::Watch;
use crate::plaza::{Fittings, Plaza, PlazaSetup, TopUp};

/// How long the lanes may take to come up while none of them gets any further.
const READY_PATIENCE: Duration = Duration::from_secs(30);
/// How long the last receipts may take while none comes.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing may happen on the road: run time, and real time besides.
const ROAD_PATIENCE_RUN: Duration = Duration::from_secs(4 * 3600);
const ROAD_PATIENCE_REAL: Duration = Duration::from_secs(60);
/// How often a top-up is tried while the centre is down, and how long lies between.
const TOP_UP_TRIES: u32 = 20;
const TOP_UP_AGAIN: Duration = Duration::from_millis(500);
/// Bad rows of a recording that are shown; all are in the log.
const BAD_ROWS_SHOWN: usize = 20;
/// What a shell calls a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant says what its source is about")]
pub enum DemoError {
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Network(#[from] crate::network::NetworkError),
    #[error(transparent)]
    Plan(#[from] crate::plan::PlanError),
    #[error(transparent)]
    Traffic(#[from] crate::traffic::TrafficError),
    #[error(transparent)]
    Plaza(#[from] crate::plaza::PlazaError),
    #[error(transparent)]
    Time(#[from] domain::time::TimeError),
    #[error("connect to the run's broker")]
    Connect(#[from] broker_link::LinkError),
    #[error("listen to the lanes")]
    Listen(#[from] async_nats::client::SubscribeError),
    #[error("lanes did not come up:\n{lanes}{logs}")]
    LanesNotReady { lanes: String, logs: String },
    #[error("passages were not posted in time:\n{lanes}{logs}")]
    NotPosted { lanes: String, logs: String },
    #[error("nothing happened on the road any more: {crossed} crossings, {in_lane} in a lane")]
    Stalled { crossed: u64, in_lane: u64 },
    #[error("the network has no operator")]
    NoOperator,
    #[error("nobody drives: the recording has no row that could be used")]
    NobodyDrives,
    #[error("{} {}", what, path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl DemoError {
    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

/// Whether the books agreed with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well,
    Wrong,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Well => Self::SUCCESS,
            Verdict::Wrong => Self::FAILURE,
        }
    }
}

/// A run after its summary: everything that is still up. Fields are dropped in this order.
#[derive(Debug)]
struct Finished {
    verdict: Verdict,
    _plaza: Option<Plaza>,
    _system: System,
    _ground: Ground,
}

/// Runs a demonstration to its end, or until Ctrl-C.
#[must_use]
pub async fn main(options: Options) -> ExitCode {
    let stays = options.hold || !options.exit;
    let mut work = tokio::spawn(run(options));
    let done = tokio::select! {
        done = &mut work => done,
        () = told_to_stop() => {
            // What was started goes with the task; a second Ctrl-C does not wait for that.
            work.abort();
            return tokio::select! {
                done = &mut work => match done {
                    // A run that had come to its summary ends as that says.
                    Ok(Ok(finished)) => finished.verdict.into(),
                    Ok(Err(_)) | Err(_) => ExitCode::from(INTERRUPTED),
                },
                () = told_to_stop() => ExitCode::from(INTERRUPTED),
            };
        }
    };
    let finished = match done {
        Ok(Ok(finished)) => finished,
        Ok(Err(error)) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
        Err(panicked) => {
            complain(&panicked);
            return ExitCode::FAILURE;
        }
    };
    if stays {
        told_to_stop().await;
    }
    finished.verdict.into()
}

/// Says on the standard error what went wrong, with every cause.
fn complain(error: &dyn std::error::Error) {
    let mut text = format!("demo: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}\n  because: {source}");
        cause = source.source();
    }
    tracing::error!(error = text, "the run failed");
    io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes()).ok();
}

/// Waits for Ctrl-C, or for another signal to end.
async fn told_to_stop() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    let any = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    if any.len() == 0 {
        std::future::pending::<()>().await;
    }
    futures::future::select_all(any).await;
}

/// Tells what stands at the lanes, and where a person may look on.
fn tell_places(screen: &mut Screen, plaza: &Plaza, system: &System) {
    screen.say(&format!("plaza       {}", plaza.equipment()));
    screen.say(&format!("console     {}", system.console_url));
    let people = &system.people;
    screen.say(&format!("            user {DESK_USER}, password {}", people.password.reveal()));
    screen.say("            maker, checker and admin have the same password, and a code:");
    screen.say(&format!("            {} maker", people.code_command));
}

async fn run(options: Options) -> Result<Finished, DemoError> {
    let mut screen = Screen::stdout();
    let scenario = Scenario::try_new(&options)?;
    let folder = match &options.keep {
        Some(path) => RunFolder::kept(path)?,
        None => RunFolder::temporary()?,
    };
    log_to(&folder.log("simulator"))?;
    let fate = if folder.is_kept() { "" } else { " (gone at the end; --keep DIR keeps one)" };
    screen.say(&format!("run folder  {}{fate}", folder.path().display()));
    tell_bad_rows(&mut screen, &scenario, &folder);

    let ground = block_in_place(|| {
        let programs = Programs::beside_this_one()?;
        Ground::start(folder, programs, &options)
    })?;
    screen.say("started     broker and database");
    let centre = block_in_place(|| Centre::prepare(&ground, &scenario))?;
    let clock_config = scenario.clock_of_run();
    centre.set_clock(&ground, clock_config)?;
    let clock = Clock::of_run(Some(clock_config));
    screen.say("prepared    keys, network, tariffs, accounts");

    let watch = Watch::start(ground.broker.connect(&BrokerUser::Observer).await?).await?;
    let truth = truth_path(&options, &ground.run)?;
    let mut plaza = Plaza::start(PlazaSetup {
        network: scenario.network.clone(),
        plan: scenario.plan.clone(),
        clock,
        seed: options.seed,
        devices_folder: ground.run.join("data"),
        broker: ground.broker.link(&BrokerUser::Simulator),
        desk: desk_key(&ground.run)?,
        truth: truth.clone(),
        fittings: Fittings::Mixed,
    })
    .await?;
    let mut system =
        block_in_place(|| System::start(&ground, &centre, clock_config, plaza.devices()))?;
    let lanes: Vec<LaneId> = scenario.network.lanes().map(|lane| lane.id.clone()).collect();
    wait_for_lanes(&watch, &lanes, &system).await?;
    tell_places(&mut screen, &plaza, &system);
    let top_ups = pay_in(&mut plaza, centre.clearing_house_as(&ground, Role::Accounts));
    plaza.begin();
    screen.say(&format!("traffic     {} vehicles\n", plaza.progress().vehicles));

    let stage = Stage { scenario: &scenario, ground: &ground, system: &system, clock: &clock };
    drive(&mut screen, &stage, &plaza, &watch).await?;
    watch.forget_heartbeats();
    wait_for_receipts(&watch, &lanes, &system).await?;
    drop(top_ups);

    screen.say("\nclosing the books");
    let report = block_in_place(|| conclude(&options, &stage, &centre, &plaza, &watch, &truth))?;
    if let Some(path) = &options.report {
        let text = serde_json::to_string_pretty(&report).unwrap_or_default();
        fs::write(path, text + "\n").map_err(DemoError::file("write", path))?;
    }
    screen.say(&Summary(&report).to_string());
    let verdict = if report.problems.is_empty() { Verdict::Well } else { Verdict::Wrong };
    let mut plaza = Some(plaza);
    if options.hold {
        block_in_place(|| system.stop_lanes());
        plaza = None;
    }
    if options.hold || !options.exit {
        tell_how_to_connect(&mut screen, &report.connect, &ground.run);
    }
    Ok(Finished { verdict, _plaza: plaza, _system: system, _ground: ground })
}

/// What the middle of a run looks at.
struct Stage<'a> {
    scenario: &'a Scenario,
    ground: &'a Ground,
    system: &'a System,
    clock: &'a Clock,
}

/// From now on this program logs to a file of the run: the screen is the live view's.
fn log_to(path: &Path) -> Result<(), DemoError> {
    let open = OpenOptions::new().create(true).append(true).open(path);
    let file = open.map_err(DemoError::file("open", path))?;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(file))
        .try_init()
        // A second run in one process logs where the first did.
        .ok();
    Ok(())
}

fn tell_bad_rows(screen: &mut Screen, scenario: &Scenario, folder: &RunFolder) {
    for row in &scenario.bad_rows {
        tracing::warn!(line = row.line, why = %row.why, "a row of the recording is skipped");
    }
    for row in scenario.bad_rows.iter().take(BAD_ROWS_SHOWN) {
        screen.say(&format!("skipped     line {}: {}", row.line, row.why));
    }
    let more = scenario.bad_rows.len().saturating_sub(BAD_ROWS_SHOWN);
    if more > 0 {
        let log = folder.log("simulator");
        screen.say(&format!("skipped     {more} more rows, see {}", log.display()));
    }
}

fn truth_path(options: &Options, run: &RunFolder) -> Result<PathBuf, DemoError> {
    match &options.truth {
        None => Ok(run.join("truth.ndjson")),
        Some(path) => std::path::absolute(path).map_err(DemoError::file("find", path)),
    }
}

async fn wait_for_lanes(watch: &Watch, lanes: &[LaneId], system: &System) -> Result<(), DemoError> {
    let ready = |seen: &watch::Seen| {
        lanes.iter().filter(|lane| seen.lacks_to_begin(lane).is_none()).count()
    };
    let all = |seen: &watch::Seen| ready(seen) == lanes.len();
    if watch.wait_until(READY_PATIENCE, |seen| ready(seen) as u64, all).await {
        return Ok(());
    }
    let lacking = lacking(watch, lanes, watch::Seen::lacks_to_begin);
    let logs = system.log_tails(&lacking.iter().map(|(lane, _)| lane.clone()).collect::<Vec<_>>());
    Err(DemoError::LanesNotReady { lanes: as_lines(&lacking), logs })
}

async fn wait_for_receipts(
    watch: &Watch,
    lanes: &[LaneId],
    system: &System,
) -> Result<(), DemoError> {
    let posted = |seen: &watch::Seen| seen.recorded_and_posted().1;
    let all = |seen: &watch::Seen| lanes.iter().all(|lane| seen.lacks_to_close(lane).is_none());
    if watch.wait_until(RECEIPT_PATIENCE, posted, all).await {
        return Ok(());
    }
    let lacking = lacking(watch, lanes, watch::Seen::lacks_to_close);
    let logs = system.log_tails(&lacking.iter().map(|(lane, _)| lane.clone()).collect::<Vec<_>>());
    Err(DemoError::NotPosted { lanes: as_lines(&lacking), logs })
}

fn lacking<T: ToString>(
    watch: &Watch,
    lanes: &[LaneId],
    lacks: impl Fn(&watch::Seen, &LaneId) -> Option<T>,
) -> Vec<(LaneId, String)> {
    let of = |seen: &watch::Seen, lane: &LaneId| {
        lacks(seen, lane).map(|what| (lane.clone(), what.to_string()))
    };
    watch.look(|seen| lanes.iter().filter_map(|lane| of(seen, lane)).collect())
}

fn as_lines(lacking: &[(LaneId, String)]) -> String {
    lacking.iter().map(|(lane, what)| format!("  {lane}: {what}\n")).collect()
}

/// Ends a task when it is dropped.
struct Ends(JoinHandle<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Carries drivers' top-ups to the clearing house, by the command a person would give.
fn pay_in(plaza: &mut Plaza, command: Recipe) -> Option<Ends> {
    let mut asked = plaza.top_ups()?;
    Some(Ends(tokio::spawn(async move {
        while let Some(top_up) = asked.recv().await {
            tokio::spawn(pay_in_one(command.clone(), top_up));
        }
    })))
}

async fn pay_in_one(command: Recipe, top_up: TopUp) {
    let command = command
        .arg("account")
        .arg("top-up")
        .arg("--account")
        .arg(top_up.account.to_string())
        .arg("--amount")
        .arg(top_up.amount.minor_units().to_string())
        .arg("--reference")
        .arg(&top_up.reference);
    for _ in 0..TOP_UP_TRIES {
        let command = command.clone();
        match tokio::task::spawn_blocking(move || command.run_to_end()).await {
            Ok(Ok(_)) => return,
            // The centre may be down at this moment; the reference makes a second try harmless.
            Ok(Err(error)) => tracing::warn!(%error, "a top-up is tried again"),
            Err(_stopping) => return,
        }
        tokio::time::sleep(TOP_UP_AGAIN).await;
    }
    tracing::error!(account = %top_up.account, "a top-up was given up");
}

/// Shows the road until it is empty.
async fn drive(
    screen: &mut Screen,
    stage: &Stage<'_>,
    plaza: &Plaza,
    watch: &Watch,
) -> Result<(), DemoError> {
    let patience = stage.clock.to_real(ROAD_PATIENCE_RUN) + ROAD_PATIENCE_REAL;
    let mut finished = std::pin::pin!(plaza.finished());
    let mut ticks = tokio::time::interval(screen.refresh_every());
    let mut last = (0, 0);
    let mut since = Clock::system();
    loop {
        let over = tokio::select! {
            end = &mut finished => { end?; true }
            _ = ticks.tick() => false,
        };
        let progress = plaza.progress();
        let restarts = stage.system.restarts(stage.ground).into_values().sum();
        watch.look(|seen| {
            let (clock, zone) = (stage.clock, &stage.scenario.zone);
            screen.show(&View { clock, zone, progress: &progress, seen, restarts });
        });
        if over {
            return Ok(());
        }
        if (progress.arrived, progress.crossed) != last {
            (last, since) = ((progress.arrived, progress.crossed), Clock::system());
        } else if since.uptime() > patience {
            let (crossed, in_lane) = (progress.crossed, progress.in_lane);
            return Err(DemoError::Stalled { crossed, in_lane });
        }
    }
}

/// Closes the day, reads the books, and holds them against the truth.
fn conclude(
    options: &Options,
    stage: &Stage<'_>,
    centre: &Centre,
    plaza: &Plaza,
    watch: &Watch,
    truth: &Path,
) -> Result<Report, DemoError> {
    let last_day = stage.scenario.last_day(stage.clock.now())?.ok_or(DemoError::NoOperator)?;
    let books = close_books(stage.ground, centre, &last_day.to_string())?;
    let progress = plaza.progress();
    let totals = TruthTotals::read(truth).map_err(DemoError::file("read", truth))?;
    let problems = check::problems(&progress, &totals, &books);
    let run = Run {
        seed: options.seed,
        speed: options.speed,
        traffic: stage.scenario.traffic,
        progress: &progress,
        seen: &watch.seen(),
        restarts: stage.system.restarts(stage.ground),
        problems,
        connect: Connect {
            postgres_url: stage.ground.database.url(),
            nats_url: stage.ground.broker.url(),
            nats_arguments: stage.ground.broker.tool_arguments(&BrokerUser::Observer),
            console_url: stage.system.console_url.clone(),
        },
    };
    Ok(Report::new(run, books))
}

fn tell_how_to_connect(screen: &mut Screen, connect: &Connect, run: &RunFolder) {
    screen.say(&format!(
        "still up, until Ctrl-C\n  console     {}\n  database    psql '{}'\n  broker      nats {} \
         sub 'etc.v1.>'\n  files       {}",
        connect.console_url,
        connect.postgres_url,
        connect.nats_arguments,
        run.path().display()
    ));
}
