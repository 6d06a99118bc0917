//! Matching one referral at 300, 5,000 and 50,000 services: `cargo bench --bench matching`.
//!
//! The directory is the sample feed repeated, each copy with its own words and its own place nearby, so that postings
//! and distances grow as they would in a region.

use std::hint::black_box;

use divan::Bencher;
use jiff::{Timestamp, civil::date};
use wellbridge::{
    directory::{Directory, Service, feed},
    matching::Matcher,
    practice::{
        Input,
        fhir::{Mappings, referral_from_bundle},
    },
    referral::{PracticeId, Referral, ServiceId},
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

/// A widowed woman of 84 who would love a visitor.
fn referral() -> Option<Referral> {
    let (text, practice) = (include_str!("../tests/eval/referrals/D001.json"), PracticeId::new("bench"));
    match referral_from_bundle(text, &practice, &Mappings::builtin().ok()?, Timestamp::UNIX_EPOCH).ok()? {
        Input::Readable(referral, _) => Some(*referral),
        Input::Unreadable(..) => None,
    }
}

#[divan::bench(args = [300, 5_000, 50_000], sample_count = 50)]
fn match_one_referral(bencher: Bencher<'_, '_>, size: usize) {
    let directory = directory(size);
    let (Some(referral), Ok(matcher)) = (referral(), Matcher::built_in()) else { return };
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
