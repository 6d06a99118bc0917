//! Every integration test in one binary: the parts run for real, on loopback and free ports.
//!
//! `cargo test` alone passes on the embedded parts (the pretend practice, the mail catcher); `tests/run` installs and
//! names the real peers too (Medplum, aiosmtpd, Chromium), and then none of them may be missing.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of the tests fails the test that called it"
)]

mod cli;
mod demo;
#[cfg(debug_assertions)]
mod faults;
mod lifecycle;
mod matching;
mod pages;
mod peers;
mod privacy;
mod road;
mod store;
#[expect(dead_code, reason = "some of it is for tests/simulation")]
mod support;
