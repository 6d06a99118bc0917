//! Sample values for every kind of mail, and what a template made from them must and must not show.
//!
//! `check` renders with these, so that an operator's slip is found before a mail is owed; the snapshots in the tests
//! show them too. The values hold what breaks careless templates: `&`, `<`, quotation marks, several lines.

use url::Url;

use crate::partner::{
    mail::{
        AlertAbout, AlertMail, CancellationMail, CancelledWhy, CodeMail, Mail, OfferMail, PassedOnMail, ReminderMail,
        Sender, WellAgain, WellAgainMail,
    },
    plain::{Line, Link, Words},
};

/// One mail and what its parts must show.
pub(super) struct Sample {
    /// A name for it.
    #[cfg_attr(not(test), expect(dead_code, reason = "names the snapshots"))]
    pub(super) name: &'static str,
    /// The mail.
    pub(super) mail: Mail,
    /// What both parts must show.
    pub(super) in_both_parts: Vec<String>,
    /// What a subject must not show.
    pub(super) never_in_subject: Vec<String>,
}

/// Every kind, with each of its turns.
pub(super) fn mails() -> Vec<Sample> {
    let mut all = vec![
        sample("offer", Mail::Offer(offer(Words::new("She loves gardens & <quiet> rooms.\n\nMornings are best.")))),
        sample("offer-plain", Mail::Offer(OfferMail { access: Vec::new(), ..offer(Words::default()) })),
        sample("reminder", Mail::Reminder(reminder())),
        sample(
            "passed-on",
            Mail::PassedOn(PassedOnMail { sender: sender(), service: service(), reference: reference() }),
        ),
        sample("code", Mail::Code(code())),
    ];
    for (name, why, identity_seen) in [
        ("cancellation-unanswered", CancelledWhy::Unanswered, false),
        ("cancellation-superseded", CancelledWhy::Superseded, false),
        ("cancellation-withdrawn", CancelledWhy::Withdrawn, true),
    ] {
        let mail =
            CancellationMail { sender: sender(), service: service(), reference: reference(), why, identity_seen };
        all.push(sample(name, Mail::Cancellation(mail)));
    }
    for (about, name) in AlertAbout::ALL.into_iter().zip([
        "alert-safety",
        "alert-risk-reported",
        "alert-cancellation-undelivered",
        "alert-sent-again",
        "alert-changed",
        "alert-waits-too-long",
        "alert-partner-asked",
        "alert-record-refused",
        "alert-service-trouble",
    ]) {
        let told_before =
            u32::from(about == AlertAbout::RiskReported) + 2 * u32::from(about == AlertAbout::WaitsTooLong);
        let since = Line::new("Tue 24 November 10:05");
        all.push(sample(name, Mail::Alert(AlertMail::new(sender(), about, since, told_before, link("worklist")))));
    }
    let names = ["well-again-practice", "well-again-mail", "well-again-directory", "well-again-work"];
    for (what, name) in WellAgain::ALL.into_iter().zip(names) {
        let (since, until) = (Line::new("Tue 24 November 10:05"), Line::new("Tue 24 November 11:40"));
        let mail = WellAgainMail { sender: sender(), what, since, until, worklist: link("worklist") };
        all.push(sample(name, Mail::WellAgain(mail)));
    }
    all
}

fn sample(name: &'static str, mail: Mail) -> Sample {
    let mut must: Vec<&str> = vec!["0113 496 0100", "Leeds Wellbeing & Friends"];
    let links =
        ["https://wellbridge.example/yes", "https://wellbridge.example/no", "https://wellbridge.example/worklist"];
    match &mail {
        Mail::Offer(_) => {
            must.extend([links[0], links[1], "7GK3-Q2ZD", "Thu 3 December", "Company & \"tea\"", "wellbridge.example"]);
        }
        Mail::Reminder(_) => must.extend([links[0], links[1], "7GK3-Q2ZD", "Thu 3 December", "wellbridge.example"]),
        Mail::Cancellation(_) | Mail::PassedOn(_) => must.push("7GK3-Q2ZD"),
        Mail::Code(_) => must.extend(["123 456", "15", "7GK3-Q2ZD"]),
        Mail::Alert(_) => must.push(links[2]),
        Mail::WellAgain(_) => must.extend([links[2], "Tue 24 November 10:05", "Tue 24 November 11:40"]),
    }
    if let Mail::Offer(OfferMail { words, access, .. }) = &mail {
        must.extend(words.lines().iter().map(String::as_str).filter(|line| !line.is_empty()));
        must.extend(access.iter().map(Line::as_str));
    }
    let in_both_parts = must.into_iter().map(str::to_owned).collect();
    let never = ["Company", "123 456", "gardens", "step-free", "Tea & Talk"];
    Sample { name, mail, in_both_parts, never_in_subject: never.map(str::to_owned).to_vec() }
}

fn offer(words: Words) -> OfferMail {
    OfferMail {
        sender: sender(),
        service: service(),
        need: need(),
        access: vec![Line::new("step-free way in"), Line::new("interpreter for Tigrinya")],
        reply_by: Line::new("Thu 3 December"),
        reference: reference(),
        words,
        yes: link("yes"),
        no: link("no"),
    }
}

fn reminder() -> ReminderMail {
    ReminderMail {
        sender: sender(),
        service: service(),
        need: need(),
        asked: Line::new("Thu 26 November"),
        reply_by: Line::new("Thu 3 December"),
        reference: reference(),
        yes: link("yes"),
        no: link("no"),
    }
}

fn code() -> CodeMail {
    CodeMail { sender: sender(), code: Line::new("123 456"), minutes: 15, reference: reference() }
}

fn sender() -> Sender {
    Sender {
        programme: Line::new("Leeds Wellbeing & Friends"),
        phone: Line::new("0113 496 0100"),
        site: Line::new("wellbridge.example"),
    }
}

fn service() -> Line {
    Line::new("Tea & Talk <Tuesdays>")
}

fn need() -> Line {
    Line::new("Company & \"tea\"")
}

fn reference() -> Line {
    Line::new("7GK3-Q2ZD")
}

/// A web address that cannot fail to be one; the fallback is never reached and is harmless.
fn link(page: &str) -> Link {
    let url = Url::parse("https://wellbridge.example/").and_then(|base| base.join(page));
    url.ok().and_then(Link::new).unwrap_or_default()
}
