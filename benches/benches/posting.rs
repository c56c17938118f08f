//! `cargo bench -p benches --bench posting -- [--short] [--rows N] [--stored N]`: passages into the
//! books.

use benches::posting::{Size, compare};
use benches::Failed;

fn main() -> Result<(), Failed> {
    compare(Size::from_command_line()?)?.finish()
}
