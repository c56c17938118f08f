//! `cargo bench -p benches --bench lane -- [--short]`: from a tag's frame on the line to the open
//! command at the I/O module.

use benches::{Failed, arguments::Extent, lane};

fn main() -> Result<(), Failed> {
    lane::compare(Extent::from_command_line()?)?.finish()
}
