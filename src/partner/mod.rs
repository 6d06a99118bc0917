//! The partner: the third-sector organisation that is asked, in plain mail and on one plain page.

pub mod address;
pub mod compose;
pub mod mail;
pub mod mailer;
pub mod offering;
pub mod plain;
pub mod schedule;
pub mod templates;
pub mod token;
