//! What a run consists of, and the order in which it comes up.
//!
//! *Ground*: the folder and the two servers everything stands on. *Centre*: keys, books and
//! configuration, prepared before anything runs. *System*: the programs that run, under
//! supervision.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use domain::time::ClockConfig;
use domain::{LaneId, OperatorId};

use super::DemoError;
use super::broker::{Broker, BrokerUser};
use super::configs::{Common, lane_controller_name, lane_folder, write_text};
use super::database::{Database, Role};
use super::options::Options;
use super::people::ConsolePeople;
use super::ports::free_port;
use super::process::{ProcessError, Recipe, Supervised};
use super::programs::{Program, Programs};
use super::run_folder::{RunFolder, write_secret};
use super::scenario::Scenario;
use crate::network::Network;
use crate::plaza::StationDevices;

/// Programs that are run at once while the books are prepared.
const AT_ONCE: usize = 4;
const CONSOLE_WITHIN: Duration = Duration::from_secs(15);
const PORT_TRIES: usize = 4;

/// The run's folder and servers. Fields are dropped in this order: the folder goes last.
#[derive(Debug)]
pub struct Ground {
    /// The broker.
    pub broker: Broker,
    /// The database.
    pub database: Database,
    /// The system's programs.
    pub programs: Programs,
    /// The folder.
    pub run: RunFolder,
}

impl Ground {
    /// Starts both servers at the same time.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn start(
        run: RunFolder,
        programs: Programs,
        options: &Options,
    ) -> Result<Self, ProcessError> {
        let users = [
            BrokerUser::Centre,
            BrokerUser::System,
            BrokerUser::Console,
            BrokerUser::Simulator,
            BrokerUser::Observer,
        ];
        let (broker, database) = thread::scope(|scope| {
            let broker = scope.spawn(|| Broker::start(&run, &options.nats_server, &users));
            let database = Database::start(&run, &options.postgres_bin);
            let broker = broker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (broker, database)
        });
        Ok(Self { broker: broker?, database: database?, programs, run })
    }

    fn recipe(&self, program: Program, config: &Path) -> Recipe {
        self.programs.recipe(program, program.name(), config, &self.run)
    }
}

/// The centre's keys, books and configuration.
#[derive(Debug)]
pub struct Centre {
    public_key: String,
    key_file: PathBuf,
    /// Tariff files, each with the operator whose fares it has.
    tariffs: Vec<(OperatorId, PathBuf)>,
    clearing_house: PathBuf,
    reconciliation: PathBuf,
}

impl Centre {
    /// Makes keys, migrates the database, and imports network, tariffs and accounts.
    ///
    /// # Errors
    /// When one of these steps fails.
    pub fn prepare(ground: &Ground, scenario: &Scenario) -> Result<Self, ProcessError> {
        let run = &ground.run;
        let key_file = run.secret("centre.key");
        let urls = ground.database.urls();
        let common = common(ground, scenario.clock_of_preparations(), &urls);
        let clearing_house = common.clearing_house(&key_file)?;
        let reconciliation = common.reconciliation(&key_file)?;
        let network_file = run.join("config/network.toml");
        write_text(&network_file, &scenario.network.network_toml())?;
        let accounts_file = run.secret("accounts.ndjson");
        write_secret(&accounts_file, &scenario.plan.population.accounts_ndjson())?;
        let tariffs = tariff_files(run, &scenario.network)?;

        let command = || ground.recipe(Program::ClearingHouse, &clearing_house);
        let said = command().arg("keygen").arg("--key-file").arg(&key_file).run_to_end()?;
        let public_key = said.trim().to_owned();
        let command = |role: Role| in_role(command(), ground, role);
        command(Role::Migrator).arg("migrate").run_to_end()?;
        let settlement = ground.recipe(Program::Reconciliation, &reconciliation).arg("migrate");
        in_role(settlement, ground, Role::Migrator).run_to_end()?;
        command(Role::Registrar).arg("network").arg("import").arg(&network_file).run_to_end()?;

        let tariff_import = tariffs
            .iter()
            .fold(command(Role::Registrar).arg("tariff").arg("import"), |recipe, (_, file)| {
                recipe.arg(file)
            });
        let account_import =
            command(Role::Accounts).arg("account").arg("import").arg(&accounts_file);
        let enrolments = scenario.network.stations().iter().map(|station| {
            let name = lane_controller_name(&station.operator, &station.id);
            let enrol = command(Role::Registrar).arg("lane").arg("enrol");
            let lanes = station.lanes.iter();
            lanes
                .fold(enrol, |recipe, lane| recipe.arg(lane.id.to_string()))
                .arg("--authority")
                .arg(ground.broker.authority())
                .arg("--folder")
                .arg(lane_folder(run, &name))
        });
        let steps: Vec<Recipe> =
            [account_import, tariff_import].into_iter().chain(enrolments).collect();
        run_all(&steps)?;
        Ok(Self { public_key, key_file, tariffs, clearing_house, reconciliation })
    }

    /// From now on everybody goes by this clock.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn set_clock(&self, ground: &Ground, clock: ClockConfig) -> Result<(), ProcessError> {
        let urls = ground.database.urls();
        let common = common(ground, clock, &urls);
        common.clearing_house(&self.key_file)?;
        common.reconciliation(&self.key_file)?;
        Ok(())
    }

    /// A command of the clearing house, in its own role.
    #[must_use]
    pub fn clearing_house(&self, ground: &Ground) -> Recipe {
        ground.recipe(Program::ClearingHouse, &self.clearing_house)
    }

    /// A command of the clearing house in another role.
    #[must_use]
    pub fn clearing_house_as(&self, ground: &Ground, role: Role) -> Recipe {
        in_role(self.clearing_house(ground), ground, role)
    }

    /// A command of the reconciliation.
    #[must_use]
    pub fn reconciliation(&self, ground: &Ground) -> Recipe {
        ground.recipe(Program::Reconciliation, &self.reconciliation)
    }

    fn tariffs_of(&self, operator: &OperatorId) -> Vec<PathBuf> {
        let own = self.tariffs.iter().filter(|(whose, _)| whose == operator);
        own.map(|(_, file)| file.clone()).collect()
    }
}

fn common<'a>(
    ground: &'a Ground,
    clock: ClockConfig,
    database_urls: &'a BTreeMap<Role, String>,
) -> Common<'a> {
    Common { run: &ground.run, clock, broker: &ground.broker, database_urls }
}

/// A command of the centre in another role than the one that its configuration has.
fn in_role(recipe: Recipe, ground: &Ground, role: Role) -> Recipe {
    recipe.env("ETC_DATABASE_URL", ground.database.url_for(role))
}

fn tariff_files(
    run: &RunFolder,
    network: &Network,
) -> Result<Vec<(OperatorId, PathBuf)>, ProcessError> {
    let mut files = Vec::new();
    for (operator, name, text) in network.tariff_tomls() {
        let file = run.join("config").join(name);
        write_text(&file, &text)?;
        files.push((operator, file));
    }
    Ok(files)
}

/// Runs every program to its end, a few at once; the first failure is told.
fn run_all(steps: &[Recipe]) -> Result<(), ProcessError> {
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|worker| {
                let own = steps.iter().skip(worker).step_by(AT_ONCE);
                scope.spawn(move || own.map(Recipe::run_to_end).try_for_each(|end| end.map(drop)))
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

/// The programs that run.
#[derive(Debug)]
pub struct System {
    lane_controllers: Vec<Supervised>,
    console: Supervised,
    clearing_house: Supervised,
    /// Where the console is.
    pub console_url: String,
    /// Who may log in to it.
    pub people: ConsolePeople,
}

impl System {
    /// Starts the clearing house, a lane controller for each station, and the console.
    ///
    /// # Errors
    /// When a configuration cannot be written, or the console does not come up.
    pub fn start(
        ground: &Ground,
        centre: &Centre,
        clock: ClockConfig,
        stations: &[StationDevices],
    ) -> Result<Self, ProcessError> {
        let urls = ground.database.urls();
        let common = common(ground, clock, &urls);
        let clearing_house = Supervised::start(centre.clearing_house(ground).arg("run"))?;
        let mut lane_controllers = Vec::new();
        for devices in stations {
            let tariffs = centre.tariffs_of(&devices.operator);
            let config = common.lane_controller(devices, &centre.public_key, tariffs)?;
            let name = lane_controller_name(&devices.operator, &devices.station);
            let recipe =
                ground.programs.recipe(Program::LaneController, &name, &config, &ground.run);
            lane_controllers.push(Supervised::start(recipe.arg("run"))?);
        }
        let people = ConsolePeople::make(ground)?;
        let (console, port) = start_console(ground, &common, &people)?;
        Ok(Self {
            lane_controllers,
            console,
            clearing_house,
            console_url: format!("http://{}:{port}/", Ipv4Addr::LOCALHOST),
            people,
        })
    }

    /// Stops the lanes, and leaves everything else up.
    pub fn stop_lanes(&mut self) {
        for lanes in &self.lane_controllers {
            lanes.ask_to_stop();
        }
        self.lane_controllers.clear();
    }

    /// How often each program had to be started again; those that never had are left out.
    #[must_use]
    pub fn restarts(&self, ground: &Ground) -> BTreeMap<String, u32> {
        let servers = [ground.broker.process(), ground.database.process()];
        self.programs()
            .chain(servers)
            .map(|process| (process.name().to_owned(), process.restarts()))
            .filter(|(_, times)| *times > 0)
            .collect()
    }

    /// The ends of the logs of the lanes that lack something, for a person.
    #[must_use]
    pub fn log_tails(&self, of: &[LaneId]) -> String {
        let name =
            |lane: &LaneId| format!("lane-controller-{}-{}", lane.operator(), lane.station());
        let lacking: Vec<String> = of.iter().map(name).collect();
        self.lane_controllers
            .iter()
            .chain([&self.clearing_house])
            .filter(|process| {
                process.name() == Program::ClearingHouse.name()
                    || lacking.iter().any(|name| name == process.name())
            })
            .map(|process| format!("{}:\n{}", process.name(), process.log_tail()))
            .collect()
    }

    fn programs(&self) -> impl Iterator<Item = &Supervised> {
        self.lane_controllers.iter().chain([&self.console, &self.clearing_house])
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // All at once; each is then waited for as its field is dropped.
        self.programs().for_each(Supervised::ask_to_stop);
    }
}

fn start_console(
    ground: &Ground,
    common: &Common<'_>,
    people: &ConsolePeople,
) -> Result<(Supervised, u16), ProcessError> {
    let mut tries = 1;
    loop {
        let port = free_port().map_err(ProcessError::preparing(&people.file))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let config = common.console(address, people)?;
        let recipe = ground.recipe(Program::Console, &config).arg("run");
        let console = Supervised::start(recipe)?;
        let answers = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok();
        match console.wait_until(CONSOLE_WITHIN, |_| answers()) {
            Err(ProcessError::Died { .. }) if tries < PORT_TRIES => tries += 1,
            Err(error) => return Err(error),
            Ok(()) => return Ok((console, port)),
        }
    }
}

/// Reads the centre's books and closes the day.
///
/// # Errors
/// When a program cannot be started or does not answer.
pub fn close_books(
    ground: &Ground,
    centre: &Centre,
    through: &str,
) -> Result<super::books::Books, DemoError> {
    let clearing_house = || centre.clearing_house_as(ground, Role::Auditor);
    let reconciliation = || centre.reconciliation(ground);
    let centre_verified = clearing_house().arg("verify").arg("--json").run_for_json()?;
    reconciliation()
        .arg("close")
        .arg("--through")
        .arg(through)
        .arg("--early")
        .arg("end of the demonstration")
        .run_to_end()?;
    Ok(super::books::Books {
        centre_verified,
        settlement_verified: reconciliation().arg("verify").arg("--json").run_for_json()?,
        centre: clearing_house().arg("report").arg("--json").run_for_json()?,
        settlement: reconciliation().arg("report").arg("--json").run_for_json()?,
    })
}
