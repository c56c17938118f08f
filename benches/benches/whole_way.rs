//! `cargo bench -p benches --bench whole_way -- [--short] [--workers N]`: passages from the broker to
//! the receipt.

use benches::{Failed, whole_way};
use mimalloc::MiMalloc;

/// As in `clearing-house`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Failed> {
    whole_way::measure(whole_way::Size::from_command_line()?)?.finish()
}
