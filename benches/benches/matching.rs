//! `cargo bench -p benches --bench matching -- [--short] [--rows N] [--repeat N]`: two sides' files, and what
//! became of every row.

use benches::Failed;
use benches::matching::{Asked, compare, one_run};

fn main() -> Result<(), Failed> {
    match Asked::from_command_line()? {
        Asked::Comparison(size) => compare(size)?.finish(),
        Asked::OneRun(run) => one_run(&run),
    }
}
