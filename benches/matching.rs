//! Matching one referral at 300, 5,000 and 50,000 services: `cargo bench --bench matching`.
//!
//! The directory is the sample feed repeated, each copy with its own words and its own place nearby, so that postings
//! and distances grow as they would in a region.

use std::hint::black_box;

use divan::Bencher;
use jiff::civil::date;
use wellbridge::{
    directory::{Directory, Service, feed},
    matching::Matcher,
    referral::{
        Consent, Patient, Reason, Referral, SafeContact, ServiceId, Sharing, Source,
        content::{Address, Gender, Priority, ReasonFrom, RequestStatus},
    },
};

fn main() {
    divan::main();
}

fn directory(size: usize) -> Directory {
    let text = include_str!("../tests/eval/services-feed.json");
    let sample = feed::from_json(text).map(|r| r.services).unwrap_or_default();
    let copy = |n: usize| -> Option<Service> {
        let mut service = sample.get(n % sample.len().max(1))?.clone();
        let round = n / sample.len().max(1);
        if round > 0 {
            service.id = ServiceId::new(format!("{}-{round}", service.id));
            service.name = format!("{} {round}", service.name);
            service.description = format!("{} branch{round} street{}", service.description, n % 97);
            service.email = service.email.map(|e| format!("b{round}.{e}"));
            for place in &mut service.places {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let shift = (n % 89) as f64 * 0.002;
                place.position = place.position.map(|(lat, lon)| (lat + shift, lon - shift));
            }
        }
        Some(service)
    };
    Directory::new((0..size).filter_map(copy).collect())
}

fn referral() -> Referral {
    let text = "84F widowed, lives alone in an upstairs flat, son abroad. Would love a regular visitor or someone to \
                ring for a chat. No SI. Agrees to referral, best after 11.";
    Referral {
        source: Source { practice: "bench".into(), request: "1".to_owned(), task: None, version: "1".to_owned() },
        status: RequestStatus::Active,
        authored: None,
        priority: Priority::Routine,
        patient: Patient {
            birth_date: Some(date(1942, 1, 6)),
            gender: Some(Gender::Female),
            address: Some(Address {
                lines: Vec::new(),
                city: Some("Leeds".to_owned()),
                postcode: Some("LS15 7DJ".to_owned()),
            }),
            ..Patient::default()
        },
        practice_name: None,
        requester: None,
        reasons: vec![Reason { from: ReasonFrom::Note, code: None, text: text.to_owned() }],
        consent: Consent::Given,
        safe_contact: SafeContact::Open,
        sharing: Sharing::CodesOnly,
        baseline: None,
    }
}

#[divan::bench(args = [300, 5_000, 50_000], sample_count = 50)]
fn match_one_referral(bencher: Bencher<'_, '_>, size: usize) {
    let directory = directory(size);
    let referral = referral();
    let Ok(matcher) = Matcher::built_in() else { return };
    bencher.bench_local(|| black_box(matcher.match_referral(&referral, &directory, date(2026, 11, 24))));
}

#[divan::bench(args = [300, 5_000], sample_count = 5)]
fn index_a_directory(bencher: Bencher<'_, '_>, size: usize) {
    let services = directory(size).services().to_vec();
    bencher.with_inputs(|| services.clone()).bench_local_values(Directory::new);
}

#[divan::bench(sample_count = 10)]
fn load_the_mappings() -> bool {
    Matcher::built_in().is_ok()
}
