//! The practice manager's and the IT person's hand on the road: `referrals release` and `resend` on real rows, beside
//! the running service.

use axum::http::Method;
use jiff::SignedDuration;
use wellbridge::demo::practice::Fault;
use wellbridge::referral::episode::{FilingStatus, Hold};

use crate::support::story::Story;
use crate::support::world::{Plan, World};

/// What `referrals list` shows to a program: (id, state) of each.
async fn listed(world: &World, state: &str) -> Vec<(String, String)> {
    let ended = world.at_the_terminal(&["referrals", "list", "--state", state, "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    ended.json().as_array().unwrap().iter().map(|row| (field(row, "id"), field(row, "state"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_kept_back_goes_on_when_it_is_released_and_its_partner_is_asked_once() {
    let world = Plan::usual().propose().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let id = world.id(&sent).await.to_string();
    let need = world.episode(&sent).await.needs[0].code.to_string();
    let jo = world.coordinator().await;
    let page = jo.opens(&sent).await;
    jo.browser.submit(&page, "/decide", &[("need", &need), ("decision", "keep-back")]).await;
    world.drain().await;
    assert_eq!(listed(&world, "held").await, [(id.clone(), "held".to_owned())]);
    let release = ["referrals", "release", &id[..13], "--json"];
    let released = world.at_the_terminal(&release).await;
    assert_eq!((released.code, &released.json()["released"]), (Some(0), &1.into()), "{released:?}");
    assert_eq!(released.json()["id"], id.as_str());
    assert_eq!(listed(&world, "proposed").await, [(id.clone(), "proposed".to_owned())]);
    let again = world.at_the_terminal(&release).await;
    assert_eq!((again.code, &again.json()["released"]), (Some(0), &0.into()), "a second time changes nothing");
    jo.approves(&sent).await;
    let again = world.at_the_terminal(&["referrals", "release", &id]).await;
    assert!(again.code == Some(0) && again.out.contains("not held"), "{again:?}");
    assert_eq!(world.mails_to_partners().len(), 1, "nobody is asked twice");
    let shown = world.at_the_terminal(&["referrals", "show", &id, "--json"]).await.json();
    assert_eq!(shown["mails"].as_array().unwrap().len(), 1, "{shown}");
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_overrides_no_rule() {
    let world = Plan::usual().open().await;
    let silent = world.gp_sends(&Story::lonely().without_consent()).await;
    let id = world.id(&silent).await.to_string();
    let released = world.at_the_terminal(&["referrals", "release", &id]).await;
    assert!(released.code == Some(0) && released.out.contains("1 need"), "{released:?}");
    assert_eq!(world.episode(&silent).await.hold(), Some(Hold::ConsentMissing), "read again, and held again");
    // Nobody knows whose it is: there is nothing to match.
    let bad = world.gp_sends(&Story::lonely_too().nhs_number("9990300128")).await;
    let id = world.id(&bad).await.to_string();
    let refused = world.at_the_terminal(&["referrals", "release", &id]).await;
    assert!(refused.code == Some(2) && refused.err.contains("cannot be released"), "{refused:?}");
    assert_eq!(world.episode(&bad).await.hold(), Some(Hold::BadNhsNumber));
    assert!(world.mails_to_partners().is_empty());
    let unknown = world.at_the_terminal(&["referrals", "release", "00000000-0000-7000-8000-000000000000"]).await;
    assert!(unknown.code == Some(2) && unknown.err.contains("no such referral"), "{unknown:?}");
    for ended in [released, refused, unknown] {
        for secret in Story::lonely_too().identifiers() {
            assert!(!ended.out.contains(&secret) && !ended.err.contains(&secret), "{secret}");
        }
    }
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_filing_is_in_the_record_once_however_often_it_is_resent() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let id = world.id(&sent).await.to_string();
    world.pretend().fail_next(1, Method::POST, "/", Fault::status(422));
    let partner = world.partner(&world.open_offer(&sent).await);
    partner.accepts().await;
    partner.tells("started", &[]).await;
    assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Refused);
    let shown = world.at_the_terminal(&["referrals", "show", &id, "--json"]).await.json();
    assert_eq!(shown["filings"][0]["refused"], true, "{shown}");
    let mails = world.mail.mails().len();
    let resent = world.at_the_terminal(&["referrals", "resend", &id, "--json"]).await;
    assert_eq!((resent.code, resent.json()["queued"].as_u64()), (Some(0), Some(1)), "{resent:?}");
    let episode = world.episode(&sent).await;
    assert_eq!((episode.filings[0].status, episode.attention.len()), (FilingStatus::Filed, 0));
    let again = world.at_the_terminal(&["referrals", "resend", &id]).await;
    assert!(again.code == Some(0) && again.out.contains("nothing to send again"), "{again:?}");
    for kind in ["DocumentReference", "Procedure"] {
        assert_eq!(world.record.all(kind).await.len(), 1, "{kind}: once");
    }
    assert_eq!(world.mail.mails().len(), mails, "and nobody is mailed for it");
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_at_the_terminal_brings_in_what_is_new_at_once() {
    // Nothing looks at the practice by itself for a month.
    let world = Plan::usual().set("practices.burton-croft.poll_every", "30 days").open().await;
    // The poll that every start begins with has been, also where the queue took its time.
    world.advance(SignedDuration::from_secs(1)).await;
    for (story, only) in [(Story::lonely(), &[][..]), (Story::lonely_too(), &["--practice", "burton-croft"][..])] {
        let sent = story.send(&world.record).await;
        assert_eq!(world.find(&sent).await, None, "nobody has looked");
        let polled = world.at_the_terminal(&[&["referrals", "poll"], only].concat()).await;
        assert!(polled.code == Some(0) && polled.out.contains("burton-croft: queued"), "{polled:?}");
        assert_eq!(world.state(&sent).await, "offered");
    }
    let mails = world.mails_to_partners().len();
    assert_eq!(world.at_the_terminal(&["referrals", "poll"]).await.code, Some(0));
    assert_eq!((world.mails_to_partners().len(), mails), (2, 2), "what is known is not taken in twice");
    world.ends_well().await;
}
