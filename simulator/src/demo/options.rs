//! What `simulator demo` can be told.

use std::path::PathBuf;

use clap::Args;

/// Runs a toll network of its own: broker, database, clearing house, lanes, console and traffic.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How many vehicles drive; with --traffic as many as the recording has rows.
    #[arg(long, default_value_t = 300, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub vehicles: u32,
    /// Where all chance comes from: the same seed, the same vehicles.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// How much faster than life the run goes; 1 is life. Latencies stay real microseconds.
    #[arg(long, default_value_t = 60.0, value_name = "X", value_parser = speed)]
    pub speed: f64,
    /// End after the summary. Without it the run stays up until Ctrl-C.
    #[arg(long)]
    pub exit: bool,
    /// The run's folder: new or empty, and kept. Without it the folder is a temporary one.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Write the summary as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write what really happened, one JSON line for each crossing.
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// After the summary stop the lanes, keep broker and database up until Ctrl-C, and say how to
    /// connect. Stays up even with --exit.
    #[arg(long)]
    pub hold: bool,
    /// Replay recorded toll-gate passes (CSV, plain or gzipped) instead of made-up vehicles.
    #[arg(long, value_name = "FILE")]
    pub traffic: Option<PathBuf>,
    /// The broker's program, version 2.14 or newer.
    #[arg(long, env = "NATS_SERVER", value_name = "PATH", default_value = "nats-server")]
    pub nats_server: PathBuf,
    /// The folder with the database's programs, version 15 or newer.
    #[arg(long, env = "POSTGRES_BIN", value_name = "DIR", default_value = "/usr/bin")]
    pub postgres_bin: PathBuf,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_error| format!("{text:?} is not a number"))?;
    let good = (0.1..=1000.0).contains(&speed);
    good.then_some(speed).ok_or_else(|| "a run goes 0.1 to 1000 times as fast as life".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn a_run_without_options_is_a_small_one_that_stays_up() {
        let options = Line::try_parse_from(["demo"]).unwrap().options;
        assert_eq!((options.vehicles, options.seed, options.exit), (300, 1, false));
        assert!((options.speed - 60.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            &["demo", "--speed", "0"][..],
            &["demo", "--speed", "NaN"],
            &["demo", "--speed", "-3"],
            &["demo", "--vehicles", "-1"],
            &["demo", "--vehicles", "0"],
        ] {
            assert!(Line::try_parse_from(line).is_err(), "{line:?} was accepted");
        }
    }
}
