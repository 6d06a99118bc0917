//! The coordinator's seat: she signs in, reads what waits, approves, confirms partners, asks others, helps herself.

use crate::demo::DemoError;
use crate::demo::stage::{COORDINATOR, PASSWORD, Stage};
use crate::referral::ReferralId;

use super::browser::{Browser, Page};

/// The coordinator at her desk.
pub(super) struct Coordinator {
    browser: Browser,
    /// Partners she confirmed on the way.
    pub(super) confirmed: usize,
}

impl Coordinator {
    /// Signs in with the account that the demo shows.
    pub(super) async fn signs_in(stage: &Stage) -> Result<Self, DemoError> {
        let mut browser = Browser::new(&stage.url())?;
        let page = browser.open("/desk").await?.well()?;
        let fill = |(name, value)| move |form: super::form::Form| form.fill(name, value).map_err(DemoError::Play);
        let form = page.form("/desk/sign-in").and_then(fill(("user", COORDINATOR)));
        let form = form.and_then(fill(("password", PASSWORD)))?;
        let page = browser.submit(&form).await?.well()?;
        if page.path != "/desk" {
            return Err(page.wrong("is where signing in led, not the worklist"));
        }
        Ok(Self { browser, confirmed: 0 })
    }

    /// Her worklist as text.
    pub(super) async fn worklist(&mut self) -> Result<String, DemoError> {
        let page = self.browser.open("/desk").await?.well()?;
        Ok(super::form::plain(&page.html))
    }

    /// Opens a referral.
    async fn opens(&mut self, id: ReferralId) -> Result<Page, DemoError> {
        self.browser.open(&format!("/desk/referral/{id}")).await?.well()
    }

    /// Approves what is proposed, or asks the first service listed where only second choices fit.
    pub(super) async fn approves(&mut self, id: ReferralId) -> Result<(), DemoError> {
        let page = self.opens(id).await?;
        if let Some(form) = page.form_where(|form| form.action.ends_with("/offer") && form.post) {
            return self.asks(&form).await;
        }
        let page = match page.link("/desk/partner?") {
            Some(partner) => {
                self.confirms(&partner).await?;
                self.opens(id).await?
            }
            None => page,
        };
        if let Some(form) = page.form_where(|form| form.action.ends_with("/offer") && form.post) {
            return self.asks(&form).await;
        }
        let candidate = page.link("/offer?need=").ok_or_else(|| page.wrong("lists nobody to ask"))?;
        self.asks_at(&candidate).await
    }

    /// Asks the next service listed for a need that nobody took: the machine asks only what the matcher cleared for it.
    pub(super) async fn asks_the_next(&mut self, id: ReferralId, need: &str) -> Result<(), DemoError> {
        let page = self.opens(id).await?;
        let listed = page.link(&format!("/offer?need={need}"));
        self.asks_at(&listed.ok_or_else(|| page.wrong("lists nobody else to ask"))?).await
    }

    /// Looks in the directory for these words and asks the first service found.
    pub(super) async fn asks_another(&mut self, id: ReferralId, words: &str) -> Result<(), DemoError> {
        let page = self.opens(id).await?;
        let find = page.link("/find?need=").ok_or_else(|| page.wrong("has no link to look for another service"))?;
        let page = self.browser.open(&find).await?.well()?;
        let form = page.form("/find")?.fill("q", words).map_err(DemoError::Play)?;
        let page = self.browser.submit(&form).await?.well()?;
        let found = page.link("/offer?need=").ok_or_else(|| page.wrong(&format!("finds nothing for “{words}”")))?;
        self.asks_at(&found).await
    }

    /// Supports the person herself.
    pub(super) async fn supports_herself(&mut self, id: ReferralId) -> Result<(), DemoError> {
        let page = self.opens(id).await?;
        let supports = |name: &str, value: &str| name == "decision" && value == "support";
        let form = page.form_where(|form| form.fields.iter().any(|(name, value)| supports(name, value)));
        let form = form.ok_or_else(|| page.wrong("has no button to support the person herself"))?;
        let page = self.browser.submit(&form).await?.well()?;
        if page.says("Done.") { Ok(()) } else { Err(page.wrong("does not say that it is done")) }
    }

    /// The page of one service: confirms its partner where nobody has, then asks.
    async fn asks_at(&mut self, address: &str) -> Result<(), DemoError> {
        let mut page = self.browser.open(address).await?.well()?;
        if let Some(partner) = page.link("/desk/partner?") {
            self.confirms(&partner).await?;
            page = self.browser.open(address).await?.well()?;
        }
        let form = page.form("/offer")?;
        self.asks(&form).await
    }

    async fn asks(&mut self, form: &super::form::Form) -> Result<(), DemoError> {
        let page = self.browser.submit(form).await?.well()?;
        if page.says("is being asked by mail") {
            Ok(())
        } else {
            Err(page.wrong("does not say that the partner is asked"))
        }
    }

    async fn confirms(&mut self, address: &str) -> Result<(), DemoError> {
        let page = self.browser.open(address).await?.well()?;
        let agreed = "Rang them this morning: they take referrals by mail";
        let form = page.form("/desk/partner")?.fill("agreement", agreed).map_err(DemoError::Play)?;
        let page = self.browser.submit(&form).await?.well()?;
        if !page.says("are confirmed") {
            return Err(page.wrong("does not say that the partner is confirmed"));
        }
        self.confirmed += 1;
        Ok(())
    }
}
