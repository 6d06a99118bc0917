//! Stand-in.
/// Mailer.
#[derive(Debug)]
pub struct Mailer;
