//! One mail as it travels: its Message-ID, its headers, its two parts.
//!
//! Pure: the same mail makes the same bytes, so that a second try after a lost connection is a copy that mail programs
//! recognise by its Message-ID. One recipient an envelope. No header holds anything about a person: the subject comes
//! rendered and neutral, everything else is ours.

use std::{fmt, fmt::Write as _, time::SystemTime};

use aws_lc_rs::digest;
use jiff::Timestamp;
use lettre::{
    Message,
    message::{
        Mailbox as LettreMailbox, MultiPart, MultiPartKind, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    address::{EmailAddress, Mailbox},
    mail::MailKind,
    templates::Rendered,
};
use crate::referral::{AlertId, OfferId};

/// RFC 5322, 3.6.4: who this mail is, the same however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(String);

impl MessageId {
    /// The id of a mail about an offer. `ordinal` tells apart mails of one kind that are meant to be several (the second
    /// code), never a second try of the same mail. `domain` is the sending account's.
    pub fn for_offer(offer: OfferId, kind: MailKind, ordinal: u32, domain: &str) -> Self {
        Self::of(offer.uuid(), kind, ordinal, domain)
    }

    /// The id of a mail about an alert: the `ordinal`-th time it is told.
    pub fn for_alert(alert: AlertId, ordinal: u32, domain: &str) -> Self {
        Self::of(alert.uuid(), MailKind::Alert, ordinal, domain)
    }

    /// The id of the mail which tells that what an alert was about is well.
    pub fn for_well_again(alert: AlertId, domain: &str) -> Self {
        Self::of(alert.uuid(), MailKind::WellAgain, 1, domain)
    }

    fn of(about: Uuid, kind: MailKind, ordinal: u32, domain: &str) -> Self {
        Self(format!("<{}.{}.{ordinal}@{domain}>", about.simple(), kind.as_str()))
    }

    /// With its angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mail to be sent to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Who this mail is.
    pub message_id: MessageId,
    /// The one recipient.
    pub to: EmailAddress,
    /// Where an answer by mail should go, where that is not the sending account.
    pub reply_to: Option<EmailAddress>,
    /// The offer's first mail, so that reminders and cancellations stand below it.
    pub in_reply_to: Option<MessageId>,
    /// When it was written: the time of its effect, not of this try.
    pub date: Timestamp,
    /// What it says.
    pub rendered: Rendered,
}

/// The bytes that travel. An error is a fault of ours (an address or header that cannot be written), without content.
pub(super) fn build(from: &Mailbox, mail: &Outgoing) -> Result<Vec<u8>, String> {
    let mut builder = Message::builder()
        .from(lettre_mailbox(from.name.as_ref().map(ToString::to_string), &from.address)?)
        .to(lettre_mailbox(None, &mail.to)?)
        .subject(mail.rendered.subject.as_str())
        .date(SystemTime::from(mail.date))
        .message_id(Some(mail.message_id.0.clone()))
        // RFC 3834, 5: no holiday notice answers it.
        .raw_header(header("Auto-Submitted", "auto-generated")?)
        // What many mail servers look at instead.
        .raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply")?);
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(lettre_mailbox(None, reply_to)?);
    }
    if let Some(first) = &mail.in_reply_to {
        builder = builder.in_reply_to(first.0.clone()).references(first.0.clone());
    }
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(boundary(mail))
        .singlepart(SinglePart::plain(mail.rendered.text.clone()))
        .singlepart(SinglePart::html(mail.rendered.html.clone()));
    let message = builder.multipart(parts).map_err(|why| format!("the mail could not be put together: {why}"))?;
    Ok(message.formatted())
}

fn header(name: &'static str, value: &str) -> Result<HeaderValue, String> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| format!("{name} is no header name"))?;
    Ok(HeaderValue::new(name, value.to_owned()))
}

fn lettre_mailbox(name: Option<String>, address: &EmailAddress) -> Result<LettreMailbox, String> {
    Ok(LettreMailbox::new(name, lettre_address(address)?))
}

/// The address as the mail library has it; `EmailAddress` has already been read by it once.
pub(super) fn lettre_address(address: &EmailAddress) -> Result<lettre::Address, String> {
    address.as_str().parse().map_err(|_| "an address cannot be used in an envelope".to_owned())
}

/// A boundary that no part can hold: a hash of all that the mail is, so that the bytes are the same at each try.
fn boundary(mail: &Outgoing) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [mail.message_id.as_str(), &mail.rendered.text, &mail.rendered.html] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    context.finish().as_ref().iter().take(16).fold("wb-".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Outgoing {
        Outgoing {
            message_id: MessageId::for_offer(
                OfferId::from_uuid(Uuid::from_u128(1)),
                MailKind::Reminder,
                1,
                "leeds.example",
            ),
            to: "office@tai-chi.example".parse().unwrap(),
            reply_to: Some("duty@leeds.example".parse().unwrap()),
            in_reply_to: Some(MessageId::for_offer(
                OfferId::from_uuid(Uuid::from_u128(1)),
                MailKind::Offer,
                1,
                "leeds.example",
            )),
            date: "2026-11-24T10:00:00Z".parse().unwrap(),
            rendered: Rendered {
                subject: "Can you help? – Thu 3 December".into(),
                text: "Hello – naïve.\n.\nA dot stood alone.\n".into(),
                html: "<p>Hello – naïve.</p>\n".into(),
            },
        }
    }

    fn from() -> Mailbox {
        "Leeds Wellbeing <referrals@leeds.example>".parse().unwrap()
    }

    #[test]
    fn a_mail_travels_with_these_headers_and_parts() {
        insta::assert_snapshot!(String::from_utf8(build(&from(), &mail()).unwrap()).unwrap().replace("\r\n", "\n"));
    }

    #[test]
    fn a_second_try_is_the_same_bytes_and_only_ascii() {
        let first = build(&from(), &mail()).unwrap();
        assert_eq!(first, build(&from(), &mail()).unwrap());
        assert!(first.is_ascii(), "a relay without 8BITMIME must be able to take it");
    }

    #[test]
    fn a_message_id_tells_offers_kinds_and_ordinals_apart() {
        let offer = |n| OfferId::from_uuid(Uuid::from_u128(n));
        let ids: std::collections::BTreeSet<String> = [
            MessageId::for_offer(offer(1), MailKind::Offer, 1, "leeds.example"),
            MessageId::for_offer(offer(2), MailKind::Offer, 1, "leeds.example"),
            MessageId::for_offer(offer(1), MailKind::Code, 1, "leeds.example"),
            MessageId::for_offer(offer(1), MailKind::Code, 2, "leeds.example"),
            MessageId::for_alert(AlertId::from_uuid(Uuid::from_u128(1)), 1, "leeds.example"),
        ]
        .map(|id| id.to_string())
        .into();
        assert_eq!(ids.len(), 5);
        assert!(ids.contains("<00000000000000000000000000000001.offer.1@leeds.example>"), "{ids:?}");
    }

    #[test]
    fn no_subject_and_no_name_adds_a_header() {
        let mut evil = mail();
        evil.rendered.subject = crate::partner::plain::subject("Hello\r\nBcc: all@charity.example\r\n\r\n<script>");
        let from = Mailbox { name: Some("Leeds\r\nBcc: x@y.example\" <a@b.example>".into()), ..from() };
        let bytes = String::from_utf8(build(&from, &evil).unwrap()).unwrap();
        let (headers, _) = bytes.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = headers
            .split("\r\n")
            .filter(|l| !l.starts_with(' '))
            .filter_map(|l| l.split_once(':'))
            .map(|(n, _)| n)
            .collect();
        assert!(!names.contains(&"Bcc"), "{headers}");
        assert_eq!(names.iter().filter(|n| **n == "From").count(), 1);
        let parsed = mail_parser::MessageParser::default().parse(bytes.as_bytes()).unwrap();
        assert_eq!(parsed.from().unwrap().first().unwrap().address(), Some("referrals@leeds.example"));
        assert_eq!(parsed.from().unwrap().as_list().unwrap().len(), 1);
    }

    #[test]
    fn no_line_is_longer_than_mail_can_carry() {
        let mut long = mail();
        long.rendered.text = format!("{}\n", "word ".repeat(800));
        long.rendered.html = format!("<p>{}</p>\n", "word ".repeat(800));
        long.rendered.subject = "subject ".repeat(15);
        let bytes = build(&from(), &long).unwrap();
        // RFC 5322, 2.1.1.
        assert!(bytes.split(|b| *b == b'\n').all(|line| line.len() <= 998));
    }

    #[test]
    fn both_parts_arrive_as_they_were_written() {
        let bytes = build(&from(), &mail()).unwrap();
        let parsed = mail_parser::MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n"), mail().rendered.text);
        assert_eq!(parsed.body_html(0).unwrap().replace("\r\n", "\n"), mail().rendered.html);
        assert_eq!(parsed.subject(), Some("Can you help? – Thu 3 December"));
    }
}
