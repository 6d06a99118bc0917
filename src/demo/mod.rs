//! What the demo and the tests stand in for the world: a pretend practice and a mail catcher; and the demo itself.
//!
//! Both are real servers on loopback: the service meets them through the same HTTP and SMTP as anything else.
//!
//! ```text
//! stories ─▶ resources ─▶ practice (FHIR) ─▶ the service ─▶ mail_catcher (SMTP)
//! ```

pub mod mail_catcher;
pub mod practice;
pub mod resources;
pub mod stories;
