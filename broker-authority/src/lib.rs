//! Issues and revokes what programs show the broker: credentials and certificates.
//!
//! *Authority*: a folder of keys, made once by one command. *Credential*: a token that names a
//! user's public key and what it may do, with the user's secret. *Rights*: the subjects a kind of
//! user may publish to and subscribe to. *Account*: the broker's word for a world of subjects with
//! its own streams; there is one, and its token carries the rights of lanes and who is revoked.
//!
//! The keys form a chain that the broker follows: the *operator's key* signs the account, the
//! *lane key* signs lanes and can sign nothing wider, the *account's key* signs the programs of the
//! centre. To enrol a lane only the lane key and the CA are needed; to revoke one, the operator's.
//!
//! Deliberately absent: connecting (`broker-link`), and who is enrolled, which the books know.
//! Why tokens, and not users in the broker's configuration: `docs/decisions/0021-security.md`.

pub mod authority;
pub mod rights;
pub mod certificate;
pub mod token;

pub use authority::{Authority, AuthorityError, Identity, Issued};
pub use rights::Part;
