//! The command `rfid`.

fn main() {}
