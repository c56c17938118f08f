//! `cargo bench -p benches --bench desk -- [--short]`: an event at a lane until a page has it.

use benches::{Failed, arguments::Extent, desk};

fn main() -> Result<(), Failed> {
    desk::measure(Extent::from_command_line()?)?.finish()
}
