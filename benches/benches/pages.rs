//! `cargo bench -p benches --bench pages -- [--passages N] [--days N]`: the pages of the centre over
//! many passages.

use benches::{Failed, pages};

fn main() -> Result<(), Failed> {
    pages::measure(pages::Size::from_command_line()?)?.finish()
}
