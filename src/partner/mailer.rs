//! Stand-in.
/// Mailer.
#[derive(Debug)]
pub struct Mailer;
/// One mail.
#[derive(Debug)]
#[expect(missing_docs)]
pub struct Sending {
    pub id: String,
    pub to: super::address::EmailAddress,
    pub rendered: super::templates::Rendered,
    pub at: jiff::Timestamp,
}
/// Answer.
#[derive(Debug)]
pub struct SmtpAnswer(String);
impl SmtpAnswer {
    /// Text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
/// Failure.
#[derive(Debug)]
pub struct SendFailure(crate::effect::EffectError);
impl SendFailure {
    /// bad
    pub fn address_is_bad(&self) -> bool {
        false
    }
    /// error
    pub fn error(&self) -> &crate::effect::EffectError {
        &self.0
    }
    /// into
    pub fn into_error(self) -> crate::effect::EffectError {
        self.0
    }
}
impl Mailer {
    /// Send.
    pub async fn send(&self, _: &Sending) -> Result<SmtpAnswer, SendFailure> {
        Ok(SmtpAnswer(String::new()))
    }
}
