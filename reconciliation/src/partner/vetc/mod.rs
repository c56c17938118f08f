//! VETC and ITD, 2016: text files between a toll station and the payment-service provider.
//!
//! One tuple in parentheses a line. Deliberately absent: the pictures that travel beside them.

pub mod layout;
pub mod reader;
pub mod writer;
