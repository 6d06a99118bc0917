//! The partner's seat: somebody at a charity who reads the mail, follows its link and fills in what the page asks.

use crate::demo::DemoError;
use crate::demo::mail_catcher::CaughtMail;
use crate::demo::stage::{PATIENCE, Stage};
use crate::referral::OfferId;
use crate::referral::event::OfferMail;

use super::browser::{Browser, Page};

/// A partner in front of the page of one offer.
pub(super) struct Partner<'a> {
    stage: &'a Stage,
    offer: OfferId,
    browser: Browser,
    /// Where the mail's link leads.
    link: String,
    page: Page,
}

/// A mail about an offer, as soon as it is in the mailbox.
pub(super) async fn mail_about(stage: &Stage, offer: OfferId, kind: &str) -> Result<CaughtMail, DemoError> {
    let id = format!("{}.{kind}.", offer.uuid().simple());
    let is_it = |mail: &CaughtMail| mail.message_id.as_deref().is_some_and(|theirs| theirs.starts_with(&id));
    let mail = stage.mail.wait_for(PATIENCE, is_it).await;
    mail.ok_or_else(|| DemoError::Play(format!("the {kind} mail {} did not come", offer.reference())))
}

/// The first link of a mail that begins so.
pub(in crate::demo) fn link_in(mail: &CaughtMail, start: &str) -> Option<String> {
    let text = mail.text.as_deref().or(mail.html.as_deref())?;
    let at = text.find(start)?;
    let end = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>');
    text[at..].split(end).next().map(str::to_owned)
}

impl<'a> Partner<'a> {
    /// Reads the mail and opens its first link.
    pub(super) async fn reads(stage: &'a Stage, offer: OfferId, mail: OfferMail) -> Result<Self, DemoError> {
        let mail = mail_about(stage, offer, mail.as_str()).await?;
        let link = link_in(&mail, &format!("{}/answer/", stage.url()));
        let link = link.ok_or_else(|| DemoError::Play("a mail to a partner holds no link".into()))?;
        let mut browser = Browser::new(&stage.url())?;
        let page = browser.open(&link).await?.well()?;
        // The pages of one offer lie under the token, whichever of the mail's links was opened.
        let token: String = link.split('/').skip(4).take(1).collect();
        Ok(Self { stage, offer, browser, link: format!("/answer/{token}"), page })
    }

    /// "Yes, we can help."
    pub(super) async fn says_yes(&mut self) -> Result<(), DemoError> {
        self.page = self.browser.open(&self.link).await?.well()?;
        let form = self.page.form("/yes")?;
        self.page = self.browser.submit(&form).await?.well()?;
        if self.page.says("Thank you for saying yes") {
            Ok(())
        } else {
            Err(self.page.wrong("does not thank for a yes"))
        }
    }

    /// "No, not this time", with one of the page's reasons.
    pub(super) async fn says_no(&mut self, reason: &str) -> Result<(), DemoError> {
        self.page = self.browser.open(&format!("{}/no", self.link)).await?.well()?;
        let form = self.page.form("/no")?.fill("reason", reason).map_err(DemoError::Play)?;
        self.page = self.browser.submit(&form).await?.well()?;
        if self.page.says("Thank you for answering") { Ok(()) } else { Err(self.page.wrong("does not thank for a no")) }
    }

    /// Asks for the code, reads the mail it comes in, types it in, and sees who the person is.
    pub(super) async fn looks_who_it_is(&mut self, name: &str) -> Result<(), DemoError> {
        self.page = self.browser.open(&self.link).await?.well()?;
        if self.page.says(name) {
            return Err(self.page.wrong("tells who the person is before the code"));
        }
        let form = self.page.form("/code")?;
        self.page = self.browser.submit(&form).await?.well()?;
        let mail = mail_about(self.stage, self.offer, "code").await?;
        let code = code_in(mail.text.as_deref().unwrap_or_default());
        let code = code.ok_or_else(|| DemoError::Play("the code mail holds no code".into()))?;
        let form = self.page.form("/open")?.fill("code", &code).map_err(DemoError::Play)?;
        self.page = self.browser.submit(&form).await?.well()?;
        if self.page.says(name) {
            Ok(())
        } else {
            Err(self.page.wrong("does not tell who the person is after the code"))
        }
    }

    /// One of "booked", "started", "finished" …, with what the form asks for.
    pub(super) async fn tells(&mut self, what: &str, fields: &[(&str, String)]) -> Result<(), DemoError> {
        let ending = format!("/tell/{what}");
        self.page = self.browser.open(&format!("{}{ending}", self.link)).await?.well()?;
        let mut form = self.page.form(&ending)?;
        for (name, value) in fields {
            form = form.fill(name, value).map_err(DemoError::Play)?;
        }
        self.page = self.browser.submit(&form).await?.well()?;
        Ok(())
    }
}

/// The four scores as the form's fields.
pub(super) fn scores([satisfied, worthwhile, happy, anxious]: [u8; 4]) -> Vec<(&'static str, String)> {
    [("satisfied", satisfied), ("worthwhile", worthwhile), ("happy", happy), ("anxious", anxious)]
        .map(|(name, score)| (name, score.to_string()))
        .to_vec()
}

/// Six digits in a line of their own, perhaps with a space in the middle.
fn code_in(text: &str) -> Option<String> {
    let digits = |line: &str| line.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    text.lines().map(digits).find(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_a_person_reads_it() {
        assert_eq!(code_in("Your code is:\n\n    123 456\n\nRing 0113 496 0100"), Some("123456".into()));
        assert_eq!(code_in("Ring 0113 496 0100"), None);
    }
}
