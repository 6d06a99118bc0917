//! The coordinator: whatever she does, she does at her desk, by the forms that its pages show her.

use wellbridge::desk::accounts;
use wellbridge::referral::episode::FilingStatus;
use wellbridge::referral::{FilingId, ProgrammeId, ReferralId};

use super::op::Act;
use super::partners::press;
use super::queue;
use super::stage::Stage;
use super::support::browser::Page;
use super::support::city::PARTNERS;
use super::support::people::PASSWORD;

const WORDS: (&str, &str) = ("words", "Spoken with everybody about it, and this is best.");

impl Stage {
    /// She does something about a referral, where her page lets her.
    pub(super) async fn does(&self, nth: u8, act: Act) {
        let Some((_, _, sent)) = self.nth(nth) else { return };
        let Some((id, episode)) = self.episode(&sent).await else { return };
        let Some(page) = self.opens(id).await else { return };
        let need =
            episode.needs.iter().find(|need| !need.state.is_final()).unwrap_or(&episode.needs[0]).code.to_string();
        let offer = episode.offers.last().map_or_else(String::new, |offer| offer.id.to_string());
        let refused = episode.filings.iter().find(|filing| filing.status == FilingStatus::Refused);
        match act {
            Act::Looks => {}
            Act::Approves => self.presses(&page, "/offer", &[]).await,
            Act::Asks(partner) => {
                let service = format!("{}-befriending", PARTNERS[usize::from(partner) % PARTNERS.len()]);
                self.fills_in(id, &format!("offer?need={need}&service={service}"), &[]).await;
            }
            Act::PutsBack => self.decides(&page, "put-back").await,
            Act::KeepsBack => self.decides(&page, "keep-back").await,
            Act::Supports => self.decides(&page, "support").await,
            Act::Closes | Act::ClosesAll => {
                let how = if act == Act::Closes { "met-by-coordinator" } else { "declined-social-prescribing" };
                self.fills_in(id, &format!("decide?need={need}"), &[("how", how), WORDS]).await;
            }
            Act::SaysItWasAnError => self.fills_in(id, &format!("in-error?offer={offer}"), &[WORDS]).await,
            Act::Settles => self.presses(&page, "/settle", &[]).await,
            Act::SaysSamePerson => self.presses(&page, "/same-person", &[]).await,
            Act::FilesAgain => self.presses(&page, "/file-again", &[]).await,
            Act::SetsAside => {
                if let Some(filing) = refused {
                    self.sets_aside(id, filing.id).await;
                }
            }
        }
        queue::drain(&self.world).await;
    }

    /// Her page of a referral; none where it cannot be had just now.
    async fn opens(&self, id: ReferralId) -> Option<Page> {
        if !self.has_account.get() {
            let (service, now) = (&self.world.service, self.world.clock.now());
            let programmes = vec![ProgrammeId::new("leeds")];
            accounts::add(&service.store, &service.settings, "jo", "Jo Field", PASSWORD, programmes, now)
                .await
                .unwrap();
            self.has_account.set(true);
        }
        if self.desk.cookies().is_empty() {
            let page = self.desk.open("/desk/sign-in").await;
            press(&self.desk, &page, "/sign-in", &[("user", "jo"), ("password", PASSWORD)], 1).await;
        }
        let page = self.desk.open(&format!("/desk/referral/{id}")).await;
        page.status.is_success().then_some(page)
    }

    async fn presses(&self, page: &Page, action: &str, filled: &[(&str, &str)]) {
        press(&self.desk, page, action, filled, 1).await;
    }

    async fn decides(&self, page: &Page, decision: &str) {
        if let Some(form) = page.forms().iter().find(|form| form.is("/decide", ("decision", decision))) {
            self.desk.send(form, &[]).await;
        }
    }

    /// A form on a page of its own.
    async fn fills_in(&self, id: ReferralId, place: &str, filled: &[(&str, &str)]) {
        let page = self.desk.open(&format!("/desk/referral/{id}/{place}")).await;
        let action = place.split('?').next().unwrap_or(place);
        self.presses(&page, &format!("/{action}"), filled).await;
    }

    async fn sets_aside(&self, id: ReferralId, filing: FilingId) {
        self.fills_in(id, &format!("set-aside?filing={filing}"), &[WORDS]).await;
    }

    /// What the practice's system refused is sent once more; what it refuses again she leaves out.
    pub(super) async fn sees_to_filings(&self) {
        let all: Vec<_> = self.sent.borrow().iter().map(|(_, sent)| sent.clone()).collect();
        for sent in all {
            let Some((id, before)) = self.episode(&sent).await else { continue };
            if before.filings.iter().all(|filing| filing.status != FilingStatus::Refused) {
                continue;
            }
            let page = self.opens(id).await.expect("the desk shows a referral");
            for filing in before.filings.iter().filter(|filing| filing.status == FilingStatus::Refused) {
                let filing = filing.id.to_string();
                if let Some(form) = page.forms().iter().find(|form| form.is("/file-again", ("filing", &filing))) {
                    self.desk.send(form, &[]).await;
                }
            }
            queue::drain(&self.world).await;
            let Some((_, after)) = self.episode(&sent).await else { continue };
            for filing in after.filings.iter().filter(|filing| filing.status == FilingStatus::Refused) {
                self.sets_aside(id, filing.id).await;
            }
        }
        queue::drain(&self.world).await;
    }
}
