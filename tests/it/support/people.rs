//! The people of a scenario, each with a browser: a Wellbeing Coordinator at her desk, and somebody at a charity who reads
//! her mail and follows its link.

use wellbridge::demo::mail_catcher::CaughtMail;
use wellbridge::desk::accounts;
use wellbridge::referral::ProgrammeId;
use wellbridge::referral::episode::Offer;

use super::browser::{Browser, Page};
use super::story::Sent;
use super::world::World;

pub(crate) const PASSWORD: &str = "three random words";

impl World {
    /// A partner before her mail about an offer.
    pub(crate) fn partner(&self, offer: &Offer) -> Partner<'_> {
        self.partner_reading(offer, &self.offer_mail(offer))
    }

    /// The same where the mail may have come twice: before one of the copies.
    pub(crate) fn partner_reading(&self, offer: &Offer, mail: &CaughtMail) -> Partner<'_> {
        Partner { world: self, browser: Browser::new(&self.base), link: link_in(mail), name: Self::partner_of(offer) }
    }

    /// A coordinator at her desk, signed in.
    pub(crate) async fn coordinator(&self) -> Coordinator<'_> {
        let (store, settings, now) = (&self.service.store, &self.service.settings, self.clock.now());
        let programmes = vec![ProgrammeId::new("leeds")];
        accounts::add(store, settings, "jo", "Jo Field", PASSWORD, programmes, now).await.unwrap();
        let browser = Browser::new(&self.base);
        let page = browser.open("/desk/sign-in").await;
        let desk = browser.submit(&page, "/sign-in", &[("user", "jo"), ("password", PASSWORD)]).await;
        assert!(desk.status.is_success() && desk.path.starts_with("/desk"), "{}", desk.html);
        Coordinator { world: self, browser, desk }
    }
}

/// A Wellbeing Coordinator at her desk.
pub(crate) struct Coordinator<'a> {
    world: &'a World,
    pub(crate) browser: Browser,
    /// Her worklist as she found it.
    pub(crate) desk: Page,
}

impl Coordinator<'_> {
    /// Opens a referral.
    pub(crate) async fn opens(&self, sent: &Sent) -> Page {
        let page = self.browser.open(&format!("/desk/referral/{}", self.world.id(sent).await)).await;
        assert!(page.status.is_success(), "{}", page.html);
        page
    }

    /// "Approve: ask them."
    pub(crate) async fn approves(&self, sent: &Sent) {
        let page = self.opens(sent).await;
        self.browser.submit(&page, "/offer", &[]).await;
        self.world.drain().await;
    }

    /// Asks a service of her own choice.
    pub(crate) async fn asks(&self, sent: &Sent, need: &str, partner: &str) {
        let id = self.world.id(sent).await;
        let page =
            self.browser.open(&format!("/desk/referral/{id}/offer?need={need}&service={partner}-befriending")).await;
        self.browser.submit(&page, "/offer", &[]).await;
        self.world.drain().await;
    }
}

/// Somebody at a charity who reads her mail and has a browser.
pub(crate) struct Partner<'a> {
    world: &'a World,
    pub(crate) browser: Browser,
    pub(crate) link: String,
    pub(crate) name: String,
}

impl Partner<'_> {
    /// "Yes, we can help."
    pub(crate) async fn accepts(&self) {
        let page = self.browser.open(&self.link).await;
        self.browser.submit(&page, "/yes", &[]).await;
        self.world.drain().await;
    }

    /// Says yes where the page still asks.
    pub(crate) async fn accepts_if_asked(&self) {
        let page = self.browser.open(&self.link).await;
        if page.form("/yes").is_some() {
            self.browser.submit(&page, "/yes", &[]).await;
        }
        self.world.drain().await;
    }

    /// "No, not this time", for a coded reason.
    pub(crate) async fn declines(&self, reason: &str, words: &str) {
        let page = self.browser.open(&format!("{}/no", self.link)).await;
        self.browser.submit(&page, "/no", &[("reason", reason), ("words", words)]).await;
        self.world.drain().await;
    }

    /// Tells how it goes: `started`, `finished`, …
    pub(crate) async fn tells(&self, what: &str, fields: &[(&str, &str)]) {
        let page = self.browser.open(&format!("{}/tell/{what}", self.link)).await;
        let answer = self.browser.submit(&page, &format!("/tell/{what}"), fields).await;
        assert!(answer.status.is_success(), "{what}: {} {}", answer.status, answer.html);
        self.world.drain().await;
    }

    /// Asks for a code, reads it in the mail, types it in, and sees what is then shown.
    pub(crate) async fn opens_the_person(&self) -> Page {
        self.opens_when(self.world.drain()).await
    }

    /// The same, where the code's mail may need more than one try.
    pub(crate) async fn opens_the_person_in_the_end(&self) -> Page {
        self.opens_when(self.world.runs_on()).await
    }

    async fn opens_when(&self, the_code_has_come: impl Future<Output = ()>) -> Page {
        let before = self.world.mails_to_partner(&self.name).len();
        let page = self.browser.open(&self.link).await;
        let page = if page.form("/code").is_some() {
            self.browser.submit(&page, "/code", &[]).await
        } else {
            return page;
        };
        the_code_has_come.await;
        let mails = self.world.mails_to_partner(&self.name);
        let Some(mail) = mails.get(before) else { return page };
        let code = code_in(mail.text.as_deref().unwrap());
        self.browser.submit(&page, "/open", &[("code", &code)]).await
    }
}

/// The link of an offer's mail.
pub(crate) fn link_in(mail: &CaughtMail) -> String {
    let text = mail.text.as_deref().expect("the mail has a text part");
    let links = text.split_whitespace().filter(|word| word.contains("/answer/"));
    let link = links.map(|word| word.trim_matches(['<', '>', '.', '(', ')'])).find(|word| !word.ends_with("/no"));
    link.unwrap_or_else(|| panic!("no link in:\n{text}")).to_owned()
}

/// The six digits of a code's mail (`123 456`).
pub(crate) fn code_in(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let three = |word: &str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    let pair = words.windows(2).find(|pair| three(pair[0]) && three(pair[1]));
    pair.unwrap_or_else(|| panic!("no code in:\n{text}")).concat()
}
