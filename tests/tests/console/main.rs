//! Journeys through the console in a real browser: Debian's Chromium, without a screen, driven by
//! `WebDriver`; real console, real broker, real books.
//!
//! *House*: a console of a test's own with its people. *Stand-in*: a lane that speaks the wire and
//! does what it is told. Waiting is always for something on the page; nothing sleeps.
//!
//! Where the next journey goes: at the desk to `station.rs`, with the books to `centre.rs`,
//! about money to `money.rs`, image review to `review.rs`, its cases to
//! `review_cases.rs`, administration to `administration.rs`,
//! how lanes are to work to `directives.rs`. Every page is in the list of `pages.rs`, which looks at
//! each as people who see, hear or type would.
#![expect(clippy::unwrap_used, reason = "what the tests share fails as they do")]

mod browser;
mod house;
mod stand_in;
mod station;
mod centre;
mod money;
mod review;
mod review_cases;
mod administration;
mod directives;
mod pages;
