//! Ranking: which services fit a need best, and why, in sentences with the words that earned them.
//!
//! Candidates come from the word index, so that the work follows the postings touched; the best of them are read
//! closely: what they are for, how much of them is that, the words they share with the referral, the way there.

use std::collections::HashMap;

use jiff::civil::Date;

use super::{
    Candidate, Excluded, Matcher, NeedDef, Reasoned, area,
    gates::{self, reasoned},
    mapping::Strength,
    needs::{ReadNeed, taken},
    person::Person,
    places::Postcode,
    words::Text,
};
use crate::{
    directory::{
        Directory, Service,
        index::Document,
        words::{Gap, Term, term, tokens},
    },
    referral::Referral,
};

/// How many services are read closely.
const CLOSELY: usize = 160;
/// How many are listed.
const LISTED: usize = 15;
/// A service must touch the topic at least so much to be listed.
const TOUCHES: f32 = 0.22;

/// A candidate with what deciding needs to know.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub candidate: Candidate,
    pub score: f32,
    /// 0 to 1: how much it is for this very need.
    pub fit: f32,
    /// Something speaks against a machine choosing it (a wait, a stale entry, the way).
    pub drawback: bool,
}

/// The ranked services of one need, and those that must not be used.
pub(super) fn rank(
    matcher: &Matcher,
    referral: &Referral,
    person: &Person,
    need: &ReadNeed,
    directory: &Directory,
    today: Date,
) -> (Vec<Scored>, Vec<Excluded>) {
    let index = directory.index();
    let Some(def) = matcher.mapping.needs.get(need.need) else { return (Vec::new(), Vec::new()) };
    let spoken = query(matcher, referral, directory);
    let by_words: HashMap<u32, f32> = index.rank(&spoken, CLOSELY).into_iter().collect();
    let best_words = by_words.values().copied().fold(0.01f32, f32::max);
    let mut topic = def.query.clone();
    for related in def.related.iter().filter_map(|&r| matcher.mapping.needs.get(r)) {
        topic.extend(related.query.iter().map(|&(t, w)| (t, w * 0.3)));
    }
    let mut scored = Vec::new();
    let mut excluded: Vec<(f32, Excluded)> = Vec::new();
    for (number, _) in index.rank(&topic, CLOSELY) {
        let (Some(service), Some(document)) = (directory.services().get(number as usize), index.document(number))
        else {
            continue;
        };
        let topic = Topic::of(matcher, need.need, &def.related, document);
        if topic.fit < TOUCHES {
            continue;
        }
        let words = by_words.get(&number).copied().unwrap_or(0.0) / best_words;
        let gated = gates::check(&matcher.mapping, person, service, document, today);
        let reach = area::check(&matcher.mapping, &matcher.places, directory.localities(), person, service, document);
        let recruits = || recruiting(matcher, def, document);
        if let Some(why) = gated.shut.clone().or_else(|| reach.shut.clone()).or_else(recruits) {
            excluded.push((topic.fit, Excluded { service: service.id.clone(), why }));
            continue;
        }
        scored.push(score(matcher, person, service, document, &topic, words, gated, reach));
    }
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.candidate.service.cmp(&b.candidate.service)));
    scored.truncate(LISTED * 2);
    let older = drop_copies(&mut scored, directory);
    scored.truncate(LISTED);
    excluded.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.service.cmp(&b.1.service)));
    (scored, older.into_iter().chain(excluded.into_iter().map(|(_, e)| e)).take(LISTED).collect())
}

/// A service that looks for volunteers is for people who want to be one.
fn recruiting(matcher: &Matcher, need: &NeedDef, document: &Document) -> Option<Reasoned> {
    let text = Text { text: &document.text, tokens: &document.tokens };
    let hit = matcher.mapping.services.recruiting.find(&document.tokens)?;
    let early = hit.first < document.name_tokens + 20;
    let wanted = matches!(need.code.as_str(), "volunteering" | "employment");
    (early && !wanted).then(|| reasoned("It looks for volunteers.", text.quote_around(hit.first, hit.last, 50)))
}

/// The referral's own words as a query: what is asked for counts most, what is denied not at all, and neither does a
/// place where nothing may be matched on where the person lives.
fn query(matcher: &Matcher, referral: &Referral, directory: &Directory) -> Vec<(Term, f32)> {
    let closed = referral.patient.whereabouts_are_closed();
    let mut weights: HashMap<Term, f32> = HashMap::new();
    for reason in &referral.reasons {
        let words = tokens(&reason.text);
        let text = Text { text: &reason.text, tokens: &words };
        let taken = taken(&text, &matcher.mapping.reading);
        let places = if closed { places_in(&text, directory) } else { Vec::new() };
        for (i, (token, how)) in words.iter().zip(taken).enumerate() {
            let length = token.end - token.start;
            let place = places.contains(&i);
            if place || how.denied.is_some() || length < 3 || matcher.stop_words.contains(&token.term) {
                continue;
            }
            let weight = if how.asked { 1.0 } else { 0.25 };
            let known = weights.entry(token.term).or_insert(weight);
            *known = known.max(weight);
        }
    }
    let mut query: Vec<(Term, f32)> = weights.into_iter().collect();
    query.sort_unstable_by_key(|(t, _)| *t);
    query
}

/// The words that name a place: what the directory calls one, in whatever spelling of capitals, and postcodes.
fn places_in(text: &Text<'_>, directory: &Directory) -> Vec<usize> {
    let mut places: Vec<usize> = directory.localities().places(text.tokens).flatten().collect();
    for (i, token) in text.tokens.iter().enumerate() {
        if Postcode::parse(token.of(text.text)).is_some() {
            // The other half of it too: the 5EP of LS8 5EP.
            places.extend([i, i + 1]);
        }
    }
    places
}

/// How much a service is about a need.
#[derive(Clone, Debug, Default)]
struct Topic {
    fit: f32,
    quote: String,
    in_name: bool,
    second_hand: bool,
}

impl Topic {
    fn of(matcher: &Matcher, need: usize, related: &[usize], document: &Document) -> Self {
        let text = Text { text: &document.text, tokens: &document.tokens };
        let mut per_need: Vec<f32> = vec![0.0; matcher.mapping.needs.len()];
        let mut seen: Vec<(&str, usize)> = Vec::new();
        let mut best: Option<(f32, usize, usize)> = None;
        let mut in_name = false;
        for hit in matcher.mapping.offered.scan(&document.tokens) {
            let name = hit.first < document.name_tokens;
            let repeated = seen.iter().any(|(p, n)| *p == hit.phrase && *n == hit.value.need);
            seen.push((hit.phrase, hit.value.need));
            let early = if hit.first < document.name_tokens + 30 { 1.25 } else { 0.8 };
            let place = if name { 2.2 } else { early };
            let weight = hit.value.weight * place * if repeated { 0.25 } else { 1.0 };
            if let Some(sum) = per_need.get_mut(hit.value.need) {
                *sum += weight;
            }
            if hit.value.need == need {
                in_name |= name && hit.value.strength == Strength::Strong;
                // The sentence that shows it best, from the description rather than the name.
                let shows = weight + if name { -1.0 } else { 0.0 };
                if best.is_none_or(|(w, _, _)| shows > w) {
                    best = Some((shows, hit.first, hit.last));
                }
            }
        }
        let own = per_need.get(need).copied().unwrap_or(0.0);
        let second = related.iter().filter_map(|&r| per_need.get(r)).copied().fold(0.0f32, f32::max);
        let most = per_need.iter().copied().fold(0.01f32, f32::max);
        let length = 1.0 + 0.25 * (1.0 + as_f32(document.tokens.len()) / 80.0).ln();
        let saturated = |x: f32| x / length / (x / length + 1.6);
        let share = 0.55 + 0.45 * (own / most);
        let own_fit = saturated(own) * share;
        let second_fit = saturated(second) * 0.4;
        let quote = best.map(|(_, a, z)| text.quote_around(a, z, 80).to_owned()).unwrap_or_default();
        Self { fit: own_fit.max(second_fit) + 0.1 * second_fit, quote, in_name, second_hand: second_fit > own_fit }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words, far below 2^24")]
fn as_f32(n: usize) -> f32 {
    n as f32
}

#[expect(clippy::too_many_arguments, reason = "what was read about one service, joined in one place")]
fn score(
    matcher: &Matcher,
    person: &Person,
    service: &Service,
    document: &Document,
    topic: &Topic,
    words: f32,
    gated: gates::Gated,
    reach: area::Reach,
) -> Scored {
    let text = Text { text: &document.text, tokens: &document.tokens };
    let mut why: Vec<Reasoned> = Vec::new();
    let mut careful = gated.careful;
    let sentence = if topic.second_hand {
        "It offers something near to what is asked for."
    } else {
        "It offers what is asked for."
    };
    why.push(reasoned(sentence, &topic.quote));
    let mut score = topic.fit + 0.30 * words;
    if let Some(them) = gated.for_them {
        score += 0.12;
        why.push(them);
    }
    if let Some(language) = shared_language(person, service, &text) {
        score += 0.08;
        why.push(language);
    }
    let takes = takes_email(matcher, service, &text);
    if let Err(not) = &takes {
        careful.push(not.clone());
    }
    score -= if gated.waiting { 0.06 } else { 0.0 } + if gated.stale { 0.05 } else { 0.0 };
    if let Some(km) = reach.km {
        if reach.local || !reach.remote {
            #[expect(clippy::cast_possible_truncation, reason = "kilometres within a region")]
            let km = km as f32;
            score -= (km / 10.0).min(1.2) * 0.15;
        }
        why.push(reasoned(format!("It is about {km:.1} km from home in a straight line."), ""));
    }
    if reach.local && reach.shut.is_none() {
        score += 0.04;
    }
    score -= if gated.not_for_young { 0.2 } else { 0.0 };
    let mut lacking = false;
    for requirement in person.requires.iter().filter_map(|&n| matcher.mapping.requirements.get(n)) {
        let by_times = service.times.iter().any(|t| requirement.times.iter().any(|part| t.contains(part.as_str())));
        if let Some(hit) = requirement.service.find(text.tokens) {
            score += 0.05;
            let sentence = format!("The person needs it {}.", requirement.says);
            why.push(reasoned(sentence, text.quote_around(hit.first, hit.last, 30)));
        } else if !by_times {
            score -= 0.10;
            lacking = true;
            careful.push(reasoned(format!("The person needs it {}; the entry does not say so.", requirement.says), ""));
        }
    }
    if text.tokens.len() < 400 && costly(service) {
        score -= 0.06;
        careful.push(reasoned("It costs more than a little.", service.fees.as_deref().unwrap_or("")));
    }
    let far = reach.far;
    careful.extend(reach.careful);
    Scored {
        score,
        fit: topic.fit + if topic.in_name { 0.05 } else { 0.0 },
        drawback: gated.long_wait
            || gated.very_stale
            || gated.not_for_young
            || far
            || lacking
            || reach.unsure
            || topic.second_hand,
        candidate: Candidate {
            service: service.id.clone(),
            why,
            careful,
            distance_km: reach.km.map(|km| (km * 10.0).round() / 10.0),
            takes_email: takes.is_ok(),
            machine_may: false, // Only among the others it can be said: see `decide`.
        },
    }
}

/// Paid by the hour or the day.
fn costly(service: &Service) -> bool {
    let said = format!("{} {}", service.fees.as_deref().unwrap_or(""), service.description).to_lowercase();
    said.contains('£') && ["an hour", "per hour", "a day", "per day"].iter().any(|w| said.contains(w))
}

/// A language other than English that both have.
fn shared_language(person: &Person, service: &Service, text: &Text<'_>) -> Option<Reasoned> {
    let language = person.languages.iter().find(|l| {
        let short = l.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
        let named = service.languages.iter().any(|s| s.to_lowercase().starts_with(short));
        let word = term(short);
        !short.is_empty() && (named || text.tokens.iter().any(|t| t.term == word))
    })?;
    Some(reasoned(format!("It has people who speak {language}."), ""))
}

/// Whether a professional may refer by email, as far as the entry says.
fn takes_email(matcher: &Matcher, service: &Service, text: &Text<'_>) -> Result<(), Reasoned> {
    if service.email.is_none() {
        return Err(reasoned("The directory gives no usable email for referrals.", ""));
    }
    match matcher.mapping.services.no_email.find(text.tokens) {
        Some(hit) => Err(reasoned("It does not take referrals by email.", text.quote_around(hit.first, hit.last, 60))),
        None => Ok(()),
    }
}

/// Takes out older copies of the same service: same address or organisation, and much the same name.
fn drop_copies(scored: &mut Vec<Scored>, directory: &Directory) -> Vec<Excluded> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < scored.len() {
        let copy = scored.iter().enumerate().find_map(|(k, other)| {
            let (a, b) = (directory.get(&scored.get(i)?.candidate.service)?, directory.get(&other.candidate.service)?);
            (k != i && same(a, b) && b.modified.max(b.assured) > a.modified.max(a.assured)).then(|| b.name.clone())
        });
        if let Some(newer) = copy {
            let gone = scored.remove(i);
            let why = reasoned(format!("It looks like an older copy of \u{201c}{newer}\u{201d}."), "");
            out.push(Excluded { service: gone.candidate.service, why });
        } else {
            i += 1;
        }
    }
    out
}

fn same(a: &Service, b: &Service) -> bool {
    let address = a.email.is_some() && a.email == b.email;
    let organisation =
        !a.organisation.name.is_empty() && a.organisation.name.eq_ignore_ascii_case(&b.organisation.name);
    if !address && !organisation {
        return false;
    }
    let names = |s: &Service| -> Vec<Term> {
        tokens(&s.name).iter().filter(|t| t.gap <= Gap::Stop && t.end - t.start > 2).map(|t| t.term).collect()
    };
    let (x, y) = (names(a), names(b));
    let shared = x.iter().filter(|t| y.contains(t)).count();
    shared * 2 >= x.len().min(y.len()).max(1)
}
