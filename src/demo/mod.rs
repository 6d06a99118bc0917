//! What the demo and the tests stand in for the world: a pretend practice and a mail catcher; and the demo itself.
//!
//! Both are real servers on loopback: the service meets them through the same HTTP and SMTP as anything else.
//!
//! ```text
//! stories ─▶ resources ─▶ practice (FHIR) ─▶ the service ─▶ mail_catcher (SMTP)
//!              stage holds them all; play sits in every seat by itself; page lets a visitor sit there
//! ```

mod error;
pub mod mail_catcher;
pub mod page;
pub mod play;
pub mod practice;
pub mod resources;
pub mod settings;
pub mod stage;
pub mod stories;
pub mod tale;

pub use error::DemoError;
