//! `cargo bench -p benches --bench list -- [--short | --tags N]`: an account list is generated,
//! loaded, started from, updated by a million changes and looked up while it changes.

use benches::{Failed, list};

fn main() -> Result<(), Failed> {
    list::compare(list::Size::from_command_line()?)?.finish()
}
