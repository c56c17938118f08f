//! `cargo bench -p benches --bench reader -- [--short]`: from the bytes of a report on the line to the
//! tag read in the host's hands.

use benches::{Failed, arguments::Extent, reader};

fn main() -> Result<(), Failed> {
    reader::compare(Extent::from_command_line()?)?.finish()
}
