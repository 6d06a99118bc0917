//! Partners: they read their mail, follow its link and press what its page offers, or what it offered a while ago.

use wellbridge::demo::mail_catcher::CaughtMail;
use wellbridge::referral::OfferId;

use super::op::{Answer, Which};
use super::queue;
use super::stage::Stage;
use super::support::browser::{Browser, Page};
use super::support::people::{code_in, link_in};
use super::support::story::{Sent, Story};

impl Stage {
    /// A partner answers, as often as it presses the button.
    pub(super) async fn says(&self, nth: u8, which: Which, answer: Answer, times: u8) {
        let Some((index, story, sent)) = self.nth(nth) else { return };
        let Some((offer, link)) = self.link(&sent, which).await else { return };
        let browser = Browser::new(&self.world.base);
        let what = match answer {
            Answer::Yes => {
                let page = browser.open(&link).await;
                press(&browser, &page, "/yes", &[], times).await;
                return queue::drain(&self.world).await;
            }
            Answer::Looks => return self.looks(&browser, (offer, &link), (&story, &sent)).await,
            Answer::No => "no",
            Answer::Question => "question",
            Answer::Booked => "tell/booked",
            Answer::DidNotCome => "tell/did-not-come",
            Answer::Started => "tell/started",
            Answer::OnHold => "tell/on-hold",
            Answer::Finished => "tell/finished",
            Answer::CouldNot => "tell/could-not",
            Answer::Worried => "tell/worried",
        };
        let page = browser.open(&format!("{link}/{what}")).await;
        let score = self.score();
        let words = format!("Words of a partner, number {}.", self.reports.get());
        let filled: Vec<(&str, &str)> = match answer {
            Answer::No => vec![("reason", "22"), ("words", &words)],
            Answer::Question => vec![("words", &words)],
            Answer::Worried => vec![("worry", &words)],
            Answer::OnHold => vec![("reason", &words)],
            Answer::CouldNot => vec![("reason", &words), ("why", "unreachable")],
            Answer::Started => scores(&score, &[]),
            Answer::Finished => scores(&score, &[("tried", &words), ("helped", "Company.")]),
            _ => Vec::new(),
        };
        let told = press(&browser, &page, &format!("/{what}"), &filled, times).await;
        if answer == Answer::Worried && told.is_some_and(|page| page.status.is_success()) {
            self.worried.borrow_mut().insert(index);
        }
        queue::drain(&self.world).await;
    }

    /// The link of an offer of this referral whose mail has come.
    async fn link(&self, sent: &Sent, which: Which) -> Option<(OfferId, String)> {
        let (_, episode) = self.episode(sent).await?;
        let mails = self.world.mail.mails();
        let mut told = episode.offers.iter().filter_map(|offer| Some((offer.id, of(&mails, offer.id, "offer")?)));
        let (offer, mail) = match which {
            Which::Oldest => told.next()?,
            Which::Newest => told.next_back()?,
        };
        Some((offer, link_in(mail)))
    }

    /// Asks for a code, types it in, and sees what is then shown.
    async fn looks(&self, browser: &Browser, (offer, link): (OfferId, &str), (story, sent): (&Story, &Sent)) {
        let page = browser.open(link).await;
        let Some(page) = press(browser, &page, "/code", &[], 1).await else { return };
        queue::drain(&self.world).await;
        let mails = self.world.mail.mails();
        let Some(text) = of(&mails, offer, "code").and_then(|mail| mail.text.as_deref()) else { return };
        let code = code_in(text);
        if let Some(page) = press(browser, &page, "/open", &[("code", &code)], 1).await {
            self.may_be_shown(&page, story, sent);
        }
    }

    /// Who the person is was shown only as the practice's record allows at this moment.
    fn may_be_shown(&self, page: &Page, story: &Story, sent: &Sent) {
        if !page.status.is_success() || !page.says(story.family) {
            return;
        }
        let record = |kind: &str, id: &str| self.practice().resource(kind, id).unwrap_or_default();
        let request = record("ServiceRequest", &sent.request);
        assert_eq!(request["status"], "active", "shown, though the practice took it back");
        let consent = sent.consent.as_ref().map(|id| record("Consent", id)["provision"]["type"].clone());
        assert_eq!(consent, Some("permit".into()), "shown without consent");
        assert_ne!(record("Patient", &sent.patient)["deceasedBoolean"], true, "shown after the person's death");
        if request["orderDetail"].to_string().contains("contacting-subject-prohibited") {
            let reachable = [story.phone, story.street, story.postcode].iter().any(|secret| page.says(secret));
            assert!(!reachable, "how to reach the person is shown, and nobody may");
        }
    }

    fn score(&self) -> String {
        self.reports.set(self.reports.get().wrapping_add(1));
        (self.reports.get() % 11).to_string()
    }
}

/// Four scores beside other fields.
fn scores<'a>(score: &'a str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let four = ["satisfied", "worthwhile", "happy", "anxious"].map(|name| (name, score));
    four.into_iter().chain(others.iter().copied()).collect()
}

/// The newest mail of a kind about an offer.
fn of<'m>(mails: &'m [CaughtMail], offer: OfferId, kind: &str) -> Option<&'m CaughtMail> {
    let id = format!("{}.{kind}.", offer.uuid().simple());
    mails.iter().rfind(|mail| mail.message_id.as_deref().is_some_and(|theirs| theirs.starts_with(&id)))
}

/// Presses the button of a form, as often as that; what then came, or none where there is no such form.
pub(super) async fn press(
    browser: &Browser,
    page: &Page,
    action: &str,
    filled: &[(&str, &str)],
    times: u8,
) -> Option<Page> {
    let form = page.form(action)?;
    let mut came = None;
    for _ in 0..times {
        came = Some(browser.send(&form, filled).await);
    }
    came
}
