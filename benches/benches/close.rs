//! `cargo bench -p benches --bench close -- [--short] [--passages N]`: a large day is closed and proved
//! while others post.

use benches::Failed;
use benches::close::{Asked, measure, one_step};

fn main() -> Result<(), Failed> {
    match Asked::from_command_line()? {
        Asked::Measurement(size) => measure(size)?.finish(),
        Asked::OneStep(step) => one_step(&step),
    }
}
