//! Nobody who reads logs, metrics, addresses or the outside of a mail can tell who a patient is.
//!
//! Referrals travel the whole road, the good one and those that go wrong, with our own logs at their most talkative and
//! everybody else's as a service has them; then everything that anybody could overhear is searched.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use wellbridge::demo::mail_catcher::MailFault;
use wellbridge::demo::practice::Fault;

use crate::support::story::Story;
use crate::support::world::{Plan, World};

/// Keeps every line that was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Fails where one of the secrets stands in the text.
fn search(place: &str, text: &str, secrets: &[String]) {
    let folded = text.to_lowercase();
    for secret in secrets {
        if let Some(at) = folded.find(&secret.to_lowercase()) {
            let (from, to) = (at.saturating_sub(200), (at + 200).min(folded.len()));
            panic!("{secret:?} in {place}: …{}…", String::from_utf8_lossy(&folded.as_bytes()[from..to]));
        }
    }
}

/// The whole road for one person; a lost connection and a refusal on the way, so that errors are written too.
async fn travels(world: &World, story: &Story) {
    let sent = world.gp_sends(story).await;
    let offer = world.open_offer(&sent).await;
    let partner = world.partner(&offer);
    partner.accepts().await;
    assert!(partner.opens_the_person().await.says(story.family));
    partner.tells("started", &[]).await;
    world.coordinator().await.opens(&sent).await;
    partner.tells("finished", &[("tried", "Visits."), ("worry", "Alison Barraclough seemed unwell.")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_a_patient_is_stands_in_no_log_metric_address_or_outside_of_a_mail() {
    let lines = Lines::default();
    let filter = EnvFilter::new("info,wellbridge=trace");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(lines.clone());
    // For the whole process: what other tests log meanwhile is searched as well, and must hold no more.
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let world = Plan::usual().overheard().open().await;
    let stories = [Story::lonely(), Story::lonely_too(), Story::unsafe_at_home(), Story::lonely().without_consent()];

    travels(&world, &stories[0]).await;
    // What goes wrong is written down too.
    world.pretend().fail_next(1, axum::http::Method::POST, "/", Fault::status(422));
    world.mail.fail_next(1, "", MailFault::LostKept);
    let sent = world.gp_sends(&stories[1]).await;
    world.advance(jiff::SignedDuration::from_mins(2)).await;
    let offer = world.open_offer(&sent).await;
    assert!(offer.mailed);
    for story in &stories[2..] {
        world.gp_sends(story).await;
    }
    world.gp_sends(&Story::lonely().nhs_number("9990300128")).await;
    world.pretend().fail_next(1, axum::http::Method::GET, "/ServiceRequest", Fault::TruncatedJson);
    world.poll().await;
    world.advance(jiff::SignedDuration::from_mins(2)).await;

    let mut secrets: Vec<String> = stories.iter().flat_map(Story::identifiers).collect();
    secrets.push("9990300128".to_owned());
    secrets.push("seemed unwell".to_owned());
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a referral was received"), "the test listens in the right place");
    search("the log", &logged, &secrets);

    let metrics = world.coordinator().await.browser.open("/metrics").await;
    assert!(metrics.status.is_success());
    search("/metrics", &metrics.html, &secrets);

    let mails = world.mail.mails();
    assert!(mails.len() > 5);
    for mail in &mails {
        search("a mail's subject", &mail.subject, &secrets);
        for (name, value) in &mail.headers {
            search(&format!("a mail's {name}"), value, &secrets);
        }
        // Nor within it: a mailbox is read by many.
        search("a mail", &format!("{:?} {:?}", mail.text, mail.html), &secrets);
    }

    let heard = world.wire.as_ref().unwrap().heard();
    assert!(heard.len() > 20, "the test listens in the right place");
    for line in &heard {
        search("an address asked for at the practice", &line.replace("%20", " "), &secrets);
    }
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_whose_id_is_her_nhs_number_is_asked_for_in_a_body() {
    let world = Plan::usual().overheard().open().await;
    let number = "9990300127";
    let sent = Story::lonely().send(&world.record).await;
    let mut patient = world.record.read("Patient", &sent.patient).await;
    patient["id"] = json!(number);
    world.pretend().put(patient);
    let consent = world.record.create(&crate::support::story::consent(&format!("Patient/{number}"), "permit")).await;
    world
        .record
        .change("ServiceRequest", &sent.request, |request| {
            request["subject"] = json!({ "reference": format!("Patient/{number}") });
            request["supportingInfo"] = json!([{ "reference": format!("Consent/{consent}") }]);
        })
        .await;
    world.poll().await;
    assert_eq!(world.state(&sent).await, "offered");
    for line in world.wire.as_ref().unwrap().heard() {
        assert!(!line.contains(number), "{line}");
    }
    world.ends_well().await;
}
