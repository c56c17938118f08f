//! `cargo bench -p benches --bench journal -- [--short]`: one passage until it is durable.

use benches::{Failed, arguments::Extent, journal};

fn main() -> Result<(), Failed> {
    journal::compare(Extent::from_command_line()?)?.finish()
}
