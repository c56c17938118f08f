//! Matching: two sides' records of the same thing, and what became of each. Pure but for the spill.
//!
//! *Ours* and *theirs* are two *sides*; a side has *rows*, each with its own identity and an amount.
//! *Rules* are data, tried in an order: the first pairs what it can, the next sees only what is
//! left. Every row of either side ends in exactly one *class*, each pair says by which rule it was
//! found, and the totals of the classes are added up against what was read, at run time, before
//! anybody sees them: nothing is explained twice and nothing is left out.
//!
//! How: the engine keeps a *stub* of each row, 32 bytes: digest of the rule's key, amount, group and
//! *place*, where the row can be read again. Stubs go to *shelves* by the leading bits of their
//! digest; full chunks go to a spill file where memory is limited. Shelf by shelf both sides are
//! sorted and merged. Only what is left is read again, for the next rule.
//!
//! Neither the order of the rows, nor which side is called ours, nor the memory, nor the number of
//! workers changes an outcome. Deliberately absent: what a file looks like (`sides`), and what is
//! done about a difference (cases).

mod engine;
pub mod rule;
pub mod class;
pub mod side;
mod row;
pub mod stub;
mod finding;
mod passes;
mod merge;
mod same;
mod window;
mod shelf;
mod spill;

mod totals;

pub use class::{Class, ClassTotals, SideSum};
pub use engine::{MEMORY_MIN_BYTES, MatchError, Plan, match_rows};
pub use finding::{Finding, NoSink, Sink};
pub use row::{Row, Rows};
pub use rule::{Field, Rule, RuleError, Rules};
pub use side::{Keyed, Side, Taken, Unreadable};
pub use stub::{Stub, Whose};
pub use totals::{Alike, Tally, Totals};

#[cfg(test)]
mod tests;
