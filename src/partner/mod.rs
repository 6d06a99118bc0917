//! The partner: the third-sector organisation that is asked, in plain mail and on one plain page.
//!
//! - [`mail`] is what a mail may say, [`templates`] how it says it, [`plain`] what keeps texts from elsewhere harmless;
//! - [`message`] is a mail as it travels, [`mailer`] sends it, [`smtp_reply`] reads the server's answer;
//! - [`token`] opens a partner's page.

pub mod address;
pub mod compose;
pub mod mail;
pub mod mailer;
pub mod message;
pub mod offering;
pub mod plain;
mod server_key;
pub mod smtp_reply;
pub mod templates;
pub mod token;

pub use address::EmailAddress;
pub use mail::{Mail, MailKind};
pub use mailer::{Mailer, SmtpAnswer};
pub use message::{MessageId, Outgoing};
pub use smtp_reply::MailError;
pub use templates::{Rendered, Templates};
