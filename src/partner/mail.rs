//! The mails that Wellbridge writes, each with what its template may say: nothing else can reach a template.
//!
//! Before a partner has accepted, a mail holds the kind of help, access needs, the reply-by date, a reference, what the
//! coordinator chose to write, and links (DESIGN, "People and their safety come first", 7). No type here has a place
//! for a name, an age, a postcode or a GP's words.

use serde::Serialize;

use super::plain::{Line, Link, Words};
use crate::settings::{Programme, Web};

/// A kind of mail: the name of its folder under `config/email/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// A partner is asked.
    Offer,
    /// The one reminder.
    Reminder,
    /// An offer is taken back.
    Cancellation,
    /// A yes that came too late was passed on to the coordinator.
    PassedOn,
    /// A one-time code.
    Code,
    /// The duty address is told.
    Alert,
    /// The duty address is told that what was failing is well.
    WellAgain,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Offer, Self::Reminder, Self::Cancellation, Self::PassedOn, Self::Code, Self::Alert, Self::WellAgain];

    /// The folder's name, also part of the Message-ID.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Reminder => "reminder",
            Self::Cancellation => "cancellation",
            Self::PassedOn => "passed-on",
            Self::Code => "code",
            Self::Alert => "alert",
            Self::WellAgain => "well-again",
        }
    }
}

/// One mail to be rendered.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the kinds say it")]
pub enum Mail {
    Offer(OfferMail),
    Reminder(ReminderMail),
    Cancellation(CancellationMail),
    PassedOn(PassedOnMail),
    Code(CodeMail),
    Alert(AlertMail),
    WellAgain(WellAgainMail),
}

impl Mail {
    /// Which kind it is.
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::Offer(_) => MailKind::Offer,
            Self::Reminder(_) => MailKind::Reminder,
            Self::Cancellation(_) => MailKind::Cancellation,
            Self::PassedOn(_) => MailKind::PassedOn,
            Self::Code(_) => MailKind::Code,
            Self::Alert(_) => MailKind::Alert,
            Self::WellAgain(_) => MailKind::WellAgain,
        }
    }
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// The programme's name.
    pub programme: Line,
    /// Its telephone number.
    pub phone: Line,
    /// The host that all links lead to, for the "is this safe?" line.
    pub site: Line,
}

impl Sender {
    /// A programme, and the site that its links lead to.
    pub fn of(programme: &Programme, web: &Web) -> Self {
        let host = web.public_url.host_str().unwrap_or_default();
        let site = web.public_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self { programme: programme.name.clone(), phone: programme.phone.clone(), site: Line::new(site) }
    }
}

/// A partner is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfferMail {
    /// Who signs.
    pub sender: Sender,
    /// The partner's own service that is asked, by its name.
    pub service: Line,
    /// The kind of help, in words.
    pub need: Line,
    /// What the person needs to be able to come.
    pub access: Vec<Line>,
    /// `Thu 3 December`.
    pub reply_by: Line,
    /// `7GK3-Q2ZD`.
    pub reference: Line,
    /// What the coordinator chose to write, checked for identifiers.
    pub words: Words,
    /// The partner's page, "yes" at first sight.
    pub yes: Link,
    /// The partner's page, "no" at first sight.
    pub no: Link,
}

/// The one reminder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReminderMail {
    /// Who signs.
    pub sender: Sender,
    /// The partner's own service that was asked.
    pub service: Line,
    /// The kind of help.
    pub need: Line,
    /// When the offer was mailed, `Thu 26 November`.
    pub asked: Line,
    /// `Thu 3 December`.
    pub reply_by: Line,
    /// `7GK3-Q2ZD`.
    pub reference: Line,
    /// The partner's page, "yes" at first sight.
    pub yes: Link,
    /// The partner's page, "no" at first sight.
    pub no: Link,
}

/// An offer is taken back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CancellationMail {
    /// Who signs.
    pub sender: Sender,
    /// The partner's own service that was asked.
    pub service: Line,
    /// `7GK3-Q2ZD`.
    pub reference: Line,
    /// Why, as far as a partner may know.
    pub why: CancelledWhy,
    /// The partner has seen who the person is: it is asked to stop and to delete.
    pub identity_seen: bool,
}

/// Why an offer was taken back, as far as a partner may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelledWhy {
    /// The practice or the person took the request back.
    Withdrawn,
    /// The date passed without an answer.
    Unanswered,
    /// Help was arranged in another way.
    Superseded,
}

/// A yes that came too late.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassedOnMail {
    /// Who signs.
    pub sender: Sender,
    /// The partner's own service.
    pub service: Line,
    /// `7GK3-Q2ZD`.
    pub reference: Line,
}

/// A one-time code.
#[derive(Clone, PartialEq, Serialize)]
pub struct CodeMail {
    /// Who signs.
    pub sender: Sender,
    /// `123 456`.
    pub code: Line,
    /// Minutes it can be used.
    pub minutes: u32,
    /// `7GK3-Q2ZD`.
    pub reference: Line,
}

impl std::fmt::Debug for CodeMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeMail").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// The duty address is told: without identity, with a link to the worklist.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertMail {
    /// Who signs.
    pub sender: Sender,
    /// What it is about.
    pub about: AlertAbout,
    /// It is sent again until somebody opens it: follows from `about`.
    urgent: bool,
    /// Since when it waits, `Tue 24 November 10:05`.
    pub since: Line,
    /// How often it has been told before: 0 the first time.
    pub told_before: u32,
    /// The worklist, behind sign-in.
    pub worklist: Link,
}

impl AlertMail {
    /// `told_before`: how often it was told already, 0 the first time.
    pub const fn new(sender: Sender, about: AlertAbout, since: Line, told_before: u32, worklist: Link) -> Self {
        Self { sender, about, urgent: about.is_urgent(), since, told_before, worklist }
    }
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertAbout {
    /// A safety matter was read in a referral.
    Safety,
    /// A partner or coordinator reported a risk.
    RiskReported,
    /// A cancellation bounced and the partner has seen who the person is.
    CancellationUndelivered,
    /// The practice sent a request again that had ended here.
    SentAgain,
    /// The practice changed something after a partner had said yes.
    Changed,
    /// A referral has waited too long for a person.
    WaitsTooLong,
    /// A partner asked a question.
    PartnerAsked,
    /// The practice's system refused what was filed.
    RecordRefused,
    /// The service itself needs somebody: a mail server, a practice's system or a feed does not work.
    ServiceTrouble,
}

impl AlertAbout {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Safety,
        Self::RiskReported,
        Self::CancellationUndelivered,
        Self::SentAgain,
        Self::Changed,
        Self::WaitsTooLong,
        Self::PartnerAsked,
        Self::RecordRefused,
        Self::ServiceTrouble,
    ];

    /// Somebody may come to harm: told again, and then to the second address, until somebody opens it.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Safety | Self::RiskReported | Self::CancellationUndelivered | Self::SentAgain)
    }
}

/// What was failing is well again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WellAgainMail {
    /// Who signs.
    pub sender: Sender,
    /// What it was.
    pub what: WellAgain,
    /// Since when it failed, `Tue 24 November 10:05`.
    pub since: Line,
    /// Since when it is well.
    pub until: Line,
    /// The worklist, behind sign-in.
    pub worklist: Link,
}

/// What was failing, as far as a mail may say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WellAgain {
    /// A practice's system.
    Practice,
    /// The mail server.
    Mail,
    /// A directory feed.
    Directory,
    /// Jobs of some kind.
    Work,
}

impl WellAgain {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Practice, Self::Mail, Self::Directory, Self::Work];
}
