//! `cargo bench -p benches --bench whole_way -- [--short]`: passages from the broker to the receipt.

use benches::{Failed, arguments::Extent, whole_way};

fn main() -> Result<(), Failed> {
    whole_way::measure(Extent::from_command_line()?)?.finish()
}
