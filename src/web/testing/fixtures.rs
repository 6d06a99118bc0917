//! What the world of the pages' tests is filled with: settings of two programmes, a directory of three services, a
//! referral as a practice writes it, and what was matched for it.

use jiff::civil::date;

use super::{NEED, start};
use crate::directory::{Organisation, Service};
use crate::matching::{Candidate, Decision, Evidence, Excluded, Match, NeedMatch, Reasoned};
use crate::referral::content::{
    Address, Consent, ContactPoint, ContactSystem, Language, Patient, Priority, Reason, ReasonFrom, RequestStatus,
    Requester, TaskState,
};
use crate::referral::{NhsNumber, Referral, SafeContact, ServiceId, Sharing, Source};

/// The smallest settings, and a second programme with a practice of its own.
pub(super) const SETTINGS: &str = concat!(
    include_str!("../../settings/testdata/small.toml"),
    r#"
[programmes.york]
name = "York Wellbeing"
phone = "01904 496 010"
mode = "propose"
duty_address = "duty@york.example"
second_duty_address = "lead@york.example"

[practices.minster]
name = "Minster Practice"
programme = "york"
fhir = "https://fhir.minster.example/r4"
organisation = "Organization/wellbridge"
"#
);

/// A service that does home visits, and one with a name that would be HTML.
pub(super) fn directory() -> Vec<Service> {
    let service = |id: &str, name: &str, organisation: &str| Service {
        id: ServiceId::from(id),
        name: name.to_owned(),
        description: "Company at home, once a week.".to_owned(),
        organisation: Organisation {
            id: format!("org-{id}"),
            name: organisation.to_owned(),
            email: Some(format!("{id}@charity.example")),
        },
        application_process: Some("Any professional may refer by email.".to_owned()),
        phones: vec!["0113 496 0200".to_owned()],
        ..Service::default()
    };
    vec![
        service("visits", "Tea and Company", "Chapel Neighbours"),
        service("hostile", "<script>alert(1)</script> Friends", "Old & Wise"),
        service("far", "Far Friends", "Far Away Trust"),
    ]
}

/// A referral as the practice wrote it.
pub(crate) fn referral() -> Referral {
    Referral {
        source: Source {
            practice: "burton-croft".into(),
            request: "sr-1".to_owned(),
            task: None,
            version: "1".to_owned(),
        },
        status: RequestStatus::Active,
        task: TaskState::Open,
        authored: Some(start()),
        priority: Priority::Routine,
        patient: Patient {
            nhs_number: NhsNumber::parse("9990300127").ok(),
            name: Some("Alison Barraclough".to_owned()),
            birth_date: Some(date(1942, 1, 6)),
            address: Some(Address {
                lines: vec!["14 Chapel Lane".to_owned()],
                city: Some("Leeds".to_owned()),
                postcode: Some("LS6 3BN".to_owned()),
            }),
            contacts: vec![ContactPoint {
                system: ContactSystem::Phone,
                value: "0113 496 0123".to_owned(),
                kind: Some("home".to_owned()),
            }],
            languages: vec![Language { tag: Some("en".to_owned()), name: "English".to_owned() }],
            ..Patient::default()
        },
        practice_name: Some("Burton Croft Surgery".to_owned()),
        requester: Some(Requester { name: "Dr P. Nair".to_owned(), phone: None }),
        reasons: vec![Reason {
            from: ReasonFrom::Note,
            code: None,
            text: "Lonely since her husband died in spring. <script>alert('gp')</script> Used to sing in a choir."
                .to_owned(),
        }],
        beside: Vec::new(),
        unread: Vec::new(),
        consent: Consent::Given,
        safe_contact: SafeContact::Only("mornings, let it ring for long".to_owned()),
        sharing: Sharing::Full,
        baseline: None,
    }
}

pub(super) fn matched() -> Match {
    let why = |sentence: &str| Reasoned { sentence: sentence.to_owned(), quote: None };
    let candidate = |id: &str| Candidate {
        service: id.into(),
        why: vec![why("Visits people at home who are lonely.")],
        careful: vec![why("Nobody has checked this entry for a year.")],
        distance_km: Some(1.4),
        takes_email: true,
        machine_may: true,
    };
    Match {
        decision: Decision::Auto,
        hold: None,
        safety: Vec::new(),
        needs: vec![NeedMatch {
            need: NEED.into(),
            shown_by: vec![Evidence { quote: "Lonely since her husband died".to_owned(), rule: "lonely".to_owned() }],
            candidates: vec![candidate("visits"), candidate("hostile")],
            excluded: vec![Excluded { service: "far".into(), why: why("Takes only people who live in York.") }],
        }],
        offer: Some("visits".into()),
    }
}
