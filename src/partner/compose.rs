//! What each mail says, gathered from the store: the only place where a mail is filled in.
//!
//! Nothing about who the person is gets in here: kind of help, access needs, dates, a reference, what the coordinator
//! chose to write, links (DESIGN, "People and their safety come first", 7).

use jiff::Timestamp;
use url::Url;

use super::address::EmailAddress;
use super::languages;
use super::mail::{
    AlertAbout, AlertMail, CancellationMail, CancelledWhy, CodeMail, Mail, OfferMail as OfferContent, PassedOnMail,
    ReminderMail, Sender, WellAgain, WellAgainMail,
};
use super::plain::{Line, Link, Words};
use super::templates::{Rendered, TemplateProblem};
use crate::clock::london;
use crate::effect::EffectError;
use crate::jobs::JobError;
use crate::referral::episode::{Cause, Offer, OfferStatus};
use crate::referral::event::{Alert, OfferMail};
use crate::referral::{Patient, Referral};
use crate::service::Wellbridge;
use crate::settings::Programme;
use crate::store::{AlertRow, Edge, Standing};

/// A mail about an offer and where it goes; none where the partner's address cannot be used.
pub async fn offer_mail(
    service: &Wellbridge,
    standing: &Standing,
    offer: &Offer,
    mail: OfferMail,
) -> Result<Option<(EmailAddress, Rendered)>, JobError> {
    let programme = programme_of(service, standing)?;
    let Some(to) = address_of(service, standing, offer).await? else { return Ok(None) };
    let sender = sender(service, programme);
    let name = Line::new(service.directory().get(&offer.service).map_or("your service", |s| s.name.as_str()));
    let reference = Line::new(offer.id.reference());
    let need = Line::new(service.matcher.kind_of_help(&offer.need));
    let reply_by = Line::new(as_day(offer.reply_by));
    let content = match mail {
        OfferMail::Offer => Mail::Offer(OfferContent {
            sender,
            service: name,
            need,
            access: access_needs(service.store.content(standing.episode.id).await?.as_ref()),
            reply_by,
            reference,
            words: words_to_partner(service, standing, offer).await?,
            yes: link(service, offer, "")?,
            no: link(service, offer, "/no")?,
        }),
        OfferMail::Reminder => Mail::Reminder(ReminderMail {
            sender,
            service: name,
            need,
            asked: Line::new(as_day(offer.made)),
            reply_by,
            reference,
            yes: link(service, offer, "")?,
            no: link(service, offer, "/no")?,
        }),
        OfferMail::Cancellation => Mail::Cancellation(CancellationMail {
            sender,
            service: name,
            reference,
            why: match offer.status {
                OfferStatus::Cancelled(Cause::Withdrawn) => CancelledWhy::Withdrawn,
                OfferStatus::Cancelled(Cause::Unanswered) => CancelledWhy::Unanswered,
                _ => CancelledWhy::Superseded,
            },
            identity_seen: offer.identity_seen,
        }),
        OfferMail::PassedOn => Mail::PassedOn(PassedOnMail { sender, service: name, reference }),
    };
    Ok(Some((to, render(service, programme, &content)?)))
}

/// The one-time code of an offer, and where it goes.
pub async fn code_mail(
    service: &Wellbridge,
    standing: &Standing,
    offer: &Offer,
    ordinal: i64,
) -> Result<Option<(EmailAddress, Rendered)>, JobError> {
    let programme = programme_of(service, standing)?;
    let Some(to) = address_of(service, standing, offer).await? else { return Ok(None) };
    let lasts = service.settings.limits.code_lasts;
    let content = Mail::Code(CodeMail {
        sender: sender(service, programme),
        code: Line::new(service.link_key.one_time_code(offer.id, ordinal).spaced()),
        minutes: u32::try_from(lasts.as_secs() / 60).unwrap_or(15),
        reference: Line::new(offer.id.reference()),
    });
    Ok(Some((to, render(service, programme, &content)?)))
}

/// What the duty address is told.
pub fn alert_mail(service: &Wellbridge, programme: &Programme, alert: &AlertRow) -> Result<Rendered, JobError> {
    let about = match alert.kind {
        Alert::Safety => AlertAbout::Safety,
        Alert::RiskReported => AlertAbout::RiskReported,
        Alert::CancellationUndelivered => AlertAbout::CancellationUndelivered,
        Alert::Question => AlertAbout::PartnerAsked,
        Alert::WaitsTooLong => AlertAbout::WaitsTooLong,
        Alert::SentAgain => AlertAbout::SentAgain,
        Alert::ChangedAfterAcceptance => AlertAbout::Changed,
        Alert::FilingRefused => AlertAbout::RecordRefused,
        Alert::GivenUp | Alert::EdgeFailing => AlertAbout::ServiceTrouble,
    };
    let told = u32::try_from(alert.told).unwrap_or(u32::MAX);
    let since = Line::new(as_moment(alert.raised));
    let worklist = under_public_url(service, "desk")?;
    let content = AlertMail::new(sender(service, programme), about, since, told, worklist);
    render(service, programme, &Mail::Alert(content))
}

/// What the duty address is told when `edge`, of which this alert told that it fails, is well since then.
pub fn well_again_mail(
    service: &Wellbridge,
    programme: &Programme,
    (alert, edge): (&AlertRow, &Edge),
    well: Timestamp,
) -> Result<Rendered, JobError> {
    let what = match edge {
        Edge::Practice(..) => WellAgain::Practice,
        Edge::Mail => WellAgain::Mail,
        Edge::Feed(_) => WellAgain::Directory,
        Edge::BankHolidays | Edge::Job(..) | Edge::Stuck(..) => WellAgain::Work,
    };
    let content = WellAgainMail {
        sender: sender(service, programme),
        what,
        since: Line::new(as_moment(alert.raised)),
        until: Line::new(as_moment(well)),
        worklist: under_public_url(service, "desk")?,
    };
    render(service, programme, &Mail::WellAgain(content))
}

fn render(service: &Wellbridge, programme: &Programme, mail: &Mail) -> Result<Rendered, JobError> {
    let rendered = service.templates.render(&programme.locale, mail);
    Ok(rendered.map_err(|problem: TemplateProblem| EffectError::NeedsPerson {
        why: format!("a mail template cannot be used ({problem}); `wellbridge check` shows all problems"),
    })?)
}

fn programme_of<'a>(service: &'a Wellbridge, standing: &Standing) -> Result<&'a Programme, EffectError> {
    service.programme(&standing.episode.programme).ok_or_else(|| EffectError::NeedsPerson {
        why: format!("programme {} is no longer in the settings: put it back", standing.episode.programme),
    })
}

async fn address_of(
    service: &Wellbridge,
    standing: &Standing,
    offer: &Offer,
) -> Result<Option<EmailAddress>, JobError> {
    let partner = service.store.partner(&standing.episode.programme, &offer.partner).await?;
    Ok(partner.as_ref().and_then(|p| p.usable_email()).and_then(|email| email.parse().ok()))
}

async fn words_to_partner(service: &Wellbridge, standing: &Standing, offer: &Offer) -> Result<Words, JobError> {
    let notes = service.store.notes(standing.episode.id).await?;
    let mine = notes.iter().rfind(|n| n.kind == "to-partner" && n.offer.is_none_or(|id| id == offer.id));
    let chosen = mine.filter(|n| n.offer == Some(offer.id));
    Ok(Words::new(chosen.map_or("", |n| n.words.as_str())))
}

/// What somebody must arrange so that the person can come: language and interpreter, nothing that tells who they are.
fn access_needs(content: Option<&Referral>) -> Vec<Line> {
    content.map(|c| access_of(&c.patient)).unwrap_or_default()
}

fn access_of(patient: &Patient) -> Vec<Line> {
    let Some(language) = patient.languages.first().filter(|l| !languages::is_english(l)) else {
        let needed = || vec![Line::new("An interpreter is needed")];
        return if patient.interpreter == Some(true) { needed() } else { Vec::new() };
    };
    // Only names of languages leave: what somebody typed into the record in their place may say anything.
    let speaks = match languages::name(language) {
        Some(name) => format!("Speaks {name}"),
        None => "Speaks another language than English".to_owned(),
    };
    let interpreter = if patient.interpreter == Some(true) { "; an interpreter is needed" } else { "" };
    vec![Line::new(format!("{speaks}{interpreter}"))]
}

fn sender(service: &Wellbridge, programme: &Programme) -> Sender {
    let site = service.settings.web.public_url.host_str().unwrap_or_default();
    Sender { programme: programme.name.clone(), phone: programme.phone.clone(), site: Line::new(site) }
}

/// The address of an offer's page.
pub fn answer_url(service: &Wellbridge, offer: &Offer) -> Result<Url, EffectError> {
    let token = service.link_key.answer_token(offer.id);
    let joined = service.settings.web.public_url.join(&format!("answer/{}", token.text()));
    joined.map_err(|_| EffectError::NeedsPerson { why: "web.public_url cannot be the start of a link".into() })
}

fn link(service: &Wellbridge, offer: &Offer, tail: &str) -> Result<Link, EffectError> {
    let mut url = answer_url(service, offer)?;
    let path = format!("{}{tail}", url.path());
    url.set_path(&path);
    linked(url)
}

fn under_public_url(service: &Wellbridge, path: &str) -> Result<Link, EffectError> {
    let url = service
        .settings
        .web
        .public_url
        .join(path)
        .map_err(|_| EffectError::NeedsPerson { why: "web.public_url cannot be the start of a link".into() })?;
    linked(url)
}

fn linked(url: Url) -> Result<Link, EffectError> {
    Link::new(url).ok_or_else(|| EffectError::NeedsPerson { why: "web.public_url is not http or https".into() })
}

/// `Thu 3 December`, in London.
fn as_day(at: Timestamp) -> String {
    at.to_zoned(london()).strftime("%a %-d %B").to_string()
}

/// `Thu 3 December 10:05`, in London.
fn as_moment(at: Timestamp) -> String {
    at.to_zoned(london()).strftime("%a %-d %B %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::Patient;
    use crate::referral::content::Language;

    fn said(tag: Option<&str>, name: &str, interpreter: Option<bool>) -> Vec<String> {
        let language = Language { tag: tag.map(str::to_owned), name: name.to_owned() };
        let patient = Patient { languages: vec![language], interpreter, ..Patient::default() };
        access_of(&patient).iter().map(|line| line.as_str().to_owned()).collect()
    }

    #[test]
    fn only_the_names_of_languages_leave_in_an_offers_mail() {
        for (tag, name, interpreter, line) in [
            (Some("ti"), "Tigrinya", Some(true), "Speaks Tigrinya; an interpreter is needed"),
            (Some("pl-PL"), "Mrs Nowak's Polish", None, "Speaks Polish"),
            (None, " punjabi ", None, "Speaks Punjabi"),
            (None, "Farsi", Some(false), "Speaks Persian"),
            (None, "Polish - ring her sister Anna on 0113 496 0999", None, "Speaks another language than English"),
            (
                Some("qq"),
                "Mrs A. Nowak, LS6 2AB",
                Some(true),
                "Speaks another language than English; an interpreter is needed",
            ),
        ] {
            assert_eq!(said(tag, name, interpreter), [line], "{tag:?} {name}");
        }
        assert!(said(Some("en-GB"), "English (UK)", None).is_empty());
        assert!(said(None, "english", None).is_empty());
        assert_eq!(said(Some("en"), "", Some(true)), ["An interpreter is needed"]);
    }
}
