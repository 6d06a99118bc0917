//! Wellbridge: a referral for social prescribing, from a GP's clinical system to a local charity and back to the record.
//!
//! ```text
//! practice ─▶ intake ─▶ matching ─▶ approval ─▶ offer: one email ─▶ answer ─▶ outcome ─▶ record
//! ```
//!
//! `ARCHITECTURE.md` is the map. Dependencies point one way: edges → domain.

// The domain: pure values and functions.
pub mod directory;
pub mod effect;
pub mod matching;
pub mod referral;

// The edges: adapters that speak to the world.
pub mod partner;
pub mod practice;
mod tls;

// The service around them.
pub mod cli;
pub mod clock;
#[doc(hidden)]
pub mod crash_point;
pub mod demo;
pub mod desk;
pub mod jobs;
pub mod random;
pub mod service;
pub mod settings;
pub mod store;
pub mod web;
