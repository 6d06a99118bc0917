//! What the demo and the tests stand in for the world: a pretend practice and a mail catcher.
//!
//! Both are real servers on loopback: the service meets them through the same HTTP and SMTP as anything else.

pub mod mail_catcher;
pub mod practice;
