//! `cargo bench -p benches --bench posting -- [--short] [--rows N] [--stored N]`: passages into the
//! books.

use benches::Failed;
use benches::posting::{Size, compare};

fn main() -> Result<(), Failed> {
    compare(Size::from_command_line()?)?.finish()
}
