//! `cargo bench -p benches --bench posting -- [--short]`: passages into the books.

use benches::{Failed, arguments::Extent, posting};

fn main() -> Result<(), Failed> {
    posting::compare(Extent::from_command_line()?)?.finish()
}
