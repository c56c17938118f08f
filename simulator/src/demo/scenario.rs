//! What a run is about: the network, who drives on it, and when it begins.

use domain::Timestamp;
use domain::time::{ClockConfig, SettlementCalendar, TimeError};
use domain::{BusinessDate, Clock};
use jiff::tz::TimeZone;

use super::DemoError;
use super::options::Options;
use super::report::TrafficLine;
use crate::network::Network;
use crate::plan::Plan;
use crate::population::Population;
use crate::traffic::{BadRow, Recording};

/// When made-up traffic begins: a Monday morning, half past five in Viet Nam.
const MORNING: &str = "2026-03-02T05:30:00+07:00";
/// How long the lanes may take from the anchoring of the clock to the first vehicle of a
/// recording, whose second is given; in real seconds.
const LANES_COME_UP_S: f64 = 4.0;
/// How long the preparations before that may take; their clock goes as life does.
const PREPARATIONS_S: f64 = 600.0;

/// What a run is about.
#[derive(Debug)]
pub struct Scenario {
    /// Operators, stations, lanes and fares.
    pub network: Network,
    /// Who drives when.
    pub plan: Plan,
    /// The recording that is replayed, if one is.
    pub traffic: Option<TrafficLine>,
    /// Rows of the recording that were skipped.
    pub bad_rows: Vec<BadRow>,
    /// The zone its people live in.
    pub zone: TimeZone,
    /// When the first vehicle may come.
    begins_at: Timestamp,
    speed: f64,
}

impl Scenario {
    /// Made-up vehicles, or those of a recording.
    ///
    /// # Errors
    /// When the recording cannot be read, or the network's files are broken.
    pub fn try_new(options: &Options) -> Result<Self, DemoError> {
        let (network, plan, recording) = match &options.traffic {
            None => {
                let network = Network::viet_nam()?;
                let count = usize::try_from(options.vehicles).unwrap_or(usize::MAX);
                let population = Population::of_seed(count, options.seed, morning());
                let plan = Plan::of_population(&network, population, options.seed)?;
                (network, plan, None)
            }
            Some(path) => {
                let recording = Recording::read(path)?;
                if recording.passes.is_empty() {
                    return Err(DemoError::NobodyDrives);
                }
                let network = Network::of_gates(&recording.demands())?;
                let plan = Plan::of_recording(&network, &recording, options.seed)?;
                (network, plan, Some(recording))
            }
        };
        let traffic = recording.as_ref().map(|recording| TrafficLine {
            rows: recording.passes.len(),
            bad_rows: recording.bad_rows.len(),
        });
        let zone_name = network.operators().first().map_or("UTC", |operator| &operator.zone);
        let zone = TimeZone::get(zone_name)
            .map_err(|source| TimeError::Zone { name: zone_name.to_owned(), source })?;
        Ok(Self {
            begins_at: plan.begins_at.unwrap_or_else(morning),
            speed: options.speed,
            bad_rows: recording.map(|recording| recording.bad_rows).unwrap_or_default(),
            network,
            plan,
            traffic,
            zone,
        })
    }

    /// The clock of the preparations: before the run's own, and as slow as life.
    #[must_use]
    pub fn clock_of_preparations(&self) -> ClockConfig {
        Clock::anchor(before(self.clock_begins_at(), PREPARATIONS_S), 1.0)
    }

    /// The run's clock, anchored at this moment.
    #[must_use]
    pub fn clock_of_run(&self) -> ClockConfig {
        Clock::anchor(self.clock_begins_at(), self.speed)
    }

    /// Made-up arrivals count from the moment at which vehicles are let in; recorded ones have
    /// their second, and the lanes must be ready by then.
    fn clock_begins_at(&self) -> Timestamp {
        let head_start = if self.plan.begins_at.is_some() { LANES_COME_UP_S } else { 0.0 };
        before(self.begins_at, head_start * self.speed)
    }

    /// The last settlement day that anybody can be in at this moment of the run.
    ///
    /// # Errors
    /// When an operator's zone or cut-off is none.
    pub fn last_day(&self, now: Timestamp) -> Result<Option<BusinessDate>, TimeError> {
        let mut last = None;
        for operator in self.network.operators() {
            let calendar = SettlementCalendar::try_new(&operator.zone, &operator.cut_off)?;
            last = last.max(Some(calendar.day_of(now)));
        }
        Ok(last)
    }
}

fn morning() -> Timestamp {
    MORNING.parse().expect("the morning is an instant")
}

fn before(at: Timestamp, seconds: f64) -> Timestamp {
    let span = std::time::Duration::from_secs_f64(seconds);
    at.saturating_sub(span).unwrap_or(Timestamp::MIN)
}
