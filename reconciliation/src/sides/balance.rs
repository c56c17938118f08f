//! A bank's statement proves itself: opening balance and entries come to the closing balance. Pure.

/// What the entries of one statement come to; whole minor units, below zero where more went out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    opening: Option<i128>,
    moved: i128,
}

/// Which way money moved on the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

pub(super) fn signed(units: u64, way: Way) -> i128 {
    match way {
        Way::In => i128::from(units),
        Way::Out => -i128::from(units),
    }
}

impl Balance {
    pub(super) fn open(&mut self, units: u64, way: Way) {
        *self = Self { opening: Some(signed(units, way)), moved: 0 };
    }

    pub(super) fn entry(&mut self, units: u64, way: Way) {
        self.moved += signed(units, way);
    }

    /// Whether the closing balance follows; always where the statement has no opening one.
    pub(super) fn close(self, units: u64, way: Way) -> Result<(), String> {
        let Some(opening) = self.opening else { return Ok(()) };
        let (expected, closing) = (opening + self.moved, signed(units, way));
        if expected == closing {
            return Ok(());
        }
        let moved = self.moved;
        Err(format!(
            "opening balance {opening} and entries {moved} come to {expected}, and the statement \
             closes with {closing}: an entry is missing or altered"
        ))
    }
}
