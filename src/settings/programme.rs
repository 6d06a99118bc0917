//! `[programmes.<id>]`: who looks after referrals, who may send, and who is told when something is wrong.
//!
//! What may harm people has no default: `mode`, the duty addresses and the telephone number must be written.

use std::{collections::BTreeMap, time::Duration};

use crate::partner::{address::EmailAddress, plain::Line};
use crate::referral::facts::ConsentPolicy;
use crate::referral::{NeedCode, ProgrammeId};

use super::{
    leaf::words,
    section::{Section, all_or_none},
};

/// Practices, coordinators and an area that work together.
#[derive(Clone, Debug)]
pub struct Programme {
    /// Its name in the settings.
    pub id: ProgrammeId,
    /// Signs mails.
    pub name: Line,
    /// Signs mails: who to ring.
    pub phone: Line,
    /// Who may send an offer.
    pub mode: Mode,
    /// Who is told at once.
    pub duty: Duty,
    /// What counts as the person's agreement.
    pub consent: ConsentPolicy,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// Services asked for one need before a person decides.
    pub max_tries: u8,
    /// Days after which personal data of a closed referral is erased.
    pub retention_days: u16,
    /// Language of mails, a folder's name under `config/email/<kind>/`.
    pub locale: String,
}

/// Who may send an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A coordinator approves each.
    Propose,
    /// The machine sends offers for these needs alone; everything else waits for a coordinator.
    Auto {
        /// The low-risk needs, never empty.
        needs: Vec<NeedCode>,
        /// The clinical safety officer who signed the list off.
        signed_off_by: String,
    },
}

impl Mode {
    /// Whether the machine may send an offer for this need alone. A referral that anything else holds waits anyway.
    pub fn may_send_alone(&self, need: &NeedCode) -> bool {
        matches!(self, Self::Auto { needs, .. } if needs.contains(need))
    }
}

/// Who is told of a safety matter at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// First.
    pub address: EmailAddress,
    /// When nobody opens the first mail.
    pub second_address: EmailAddress,
    /// Time between two alerts.
    pub alert_again_after: Duration,
}

words!(ConsentPolicy { Recorded = "recorded", ByReferral = "by-referral" });

/// Working days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// A partner is asked to answer within.
    pub reply_by: u8,
    /// The one reminder leaves this long before that.
    pub remind_before: u8,
    /// A referral that waits for a person longer than this is told to the duty address.
    pub waiting_too_long: u8,
}

#[derive(Clone, Copy)]
enum ModeWord {
    Propose,
    Auto,
}

words!(ModeWord { Propose = "propose", Auto = "auto" });

const MODE: &str = "Write \"propose\" (a coordinator approves each offer with one click) or \"auto\" (the service itself \
    sends offers for the low-risk needs listed in `auto_needs`, which your clinical safety officer has signed off).";
const DUTY: &str = "Safety matters are mailed there at once, so the service does not start without it. Wellbridge is not \
    for urgent messages: use an address that somebody reads on every working day.";

/// What `[defaults.programme]` may say for every programme.
const DEFAULTS: &[&str] = &[
    "alert_again_after",
    "consent",
    "reply_by",
    "remind_before",
    "waiting_too_long",
    "max_tries",
    "retention_days",
    "locale",
];

pub(super) fn read_all(all: &Section<'_>, defaults: &Section<'_>) -> Option<BTreeMap<ProgrammeId, Programme>> {
    defaults.expect_keys(DEFAULTS);
    let each = all.each(Some(defaults));
    if each.is_empty() {
        all.problem("", "There is no programme. Add a section [programmes.<name>]; the default file shows one.");
        return None;
    }
    all_or_none(each.into_iter().map(|(id, section)| Some((ProgrammeId::new(id.clone()), read(&id, section)?))))
}

fn read(id: &str, section: Section<'_>) -> Option<Programme> {
    let name = line(&section, "name", "It signs every mail, as \"Leeds Wellbeing Coordinators\".");
    let phone = line(&section, "phone", "It signs every mail: the number a charity rings with a question.");
    let mode = read_mode(&section);
    let duty = read_duty(&section);
    let consent = section.get("consent");
    let deadlines = read_deadlines(&section);
    let max_tries = section.get::<u8>("max_tries").filter(|n| {
        if *n == 0 {
            section.problem("max_tries", "must be 1 or more.");
        }
        *n > 0
    });
    let retention_days = section.get::<u16>("retention_days").filter(|days| {
        if *days == 0 {
            section.problem("retention_days", "must be 1 or more.");
        }
        *days > 0
    });
    let locale = section.get::<String>("locale").filter(|locale| {
        let plain = !locale.is_empty() && locale.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !plain {
            section.problem("locale", "must be a language tag such as \"en-GB\".");
        }
        plain
    });
    section.finish();
    Some(Programme {
        id: ProgrammeId::new(id),
        name: name?,
        phone: phone?,
        mode: mode?,
        duty: duty?,
        consent: consent?,
        deadlines: deadlines?,
        max_tries: max_tries?,
        retention_days: retention_days?,
        locale: locale?,
    })
}

/// A text that must not be empty once made one harmless line.
pub(super) fn line(section: &Section<'_>, key: &str, missing: &str) -> Option<Line> {
    let line = Line::new(section.need::<String>(key, missing)?);
    if line.as_str().is_empty() {
        section.problem(key, format!("is empty. {missing}"));
        return None;
    }
    Some(line)
}

fn read_mode(section: &Section<'_>) -> Option<Mode> {
    let word = section.need::<ModeWord>("mode", MODE);
    let needs = section.maybe::<Vec<String>>("auto_needs")?.unwrap_or_default();
    let signed_off_by = section.maybe::<String>("signed_off_by")?;
    match word? {
        ModeWord::Propose => Some(Mode::Propose),
        ModeWord::Auto => {
            if needs.is_empty() {
                section.problem(
                    "auto_needs",
                    "is empty, but `mode` is \"auto\". List the low-risk needs that your clinical safety officer signed \
                     off, as [\"befriending\", \"walking-nature\"], or write mode = \"propose\".",
                );
            }
            let signed_off_by = signed_off_by.filter(|name| !name.trim().is_empty());
            if signed_off_by.is_none() {
                section.problem(
                    "signed_off_by",
                    "is missing. Name the clinical safety officer who signed `auto_needs` off.",
                );
            }
            let needs: Vec<NeedCode> = needs.into_iter().map(NeedCode::new).collect();
            (!needs.is_empty()).then_some(Mode::Auto { needs, signed_off_by: signed_off_by? })
        }
    }
}

fn read_duty(section: &Section<'_>) -> Option<Duty> {
    let address = section.need::<EmailAddress>("duty_address", DUTY);
    let second_address = section.need::<EmailAddress>(
        "second_duty_address",
        "It is told when nobody opens an alert sent to `duty_address`; use another person's.",
    );
    let alert_again_after = section.at_least("alert_again_after", Duration::from_mins(1), "a minute");
    let duty = Duty { address: address?, second_address: second_address?, alert_again_after: alert_again_after? };
    if duty.address == duty.second_address {
        section.problem("second_duty_address", "is the same as `duty_address`. Use another person's.");
        return None;
    }
    Some(duty)
}

fn read_deadlines(section: &Section<'_>) -> Option<Deadlines> {
    let reply_by = section.get::<u8>("reply_by");
    let remind_before = section.get::<u8>("remind_before");
    let waiting_too_long = section.get::<u8>("waiting_too_long");
    let read = Deadlines { reply_by: reply_by?, remind_before: remind_before?, waiting_too_long: waiting_too_long? };
    if read.reply_by == 0 {
        section.problem("reply_by", "must be 1 working day or more.");
        return None;
    }
    if read.remind_before >= read.reply_by {
        section.problem(
            "remind_before",
            format!("must be smaller than `reply_by` ({}): a reminder comes before the date.", read.reply_by),
        );
        return None;
    }
    Some(read)
}
