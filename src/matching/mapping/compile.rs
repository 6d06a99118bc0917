//! From mapping files as they are written to phrase sets: every name, code and phrase is checked here, and a mistake is
//! named with its file and its entry.

use std::collections::HashMap;

use super::{
    Audience, Mapping, MappingError, Mark, Matter, NeedDef, Reading, Requirement, Safety, Services, Sex, Sources,
    Strength, raw,
};
use crate::{
    directory::words::Term,
    matching::words::{Phrases, query_terms},
    referral::{NeedCode, SnomedCode},
};

const NEEDS: &str = "needs.toml";
const READING: &str = "reading.toml";
const SAFETY: &str = "safety.toml";
const SERVICES: &str = "services.toml";

fn read<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, MappingError> {
    toml::from_str(text).map_err(|e| MappingError::Toml { file, message: e.to_string() })
}

fn add<T: Clone>(
    set: &mut Phrases<T>,
    phrases: &[String],
    value: &T,
    file: &'static str,
    entry: &str,
) -> Result<(), MappingError> {
    for phrase in phrases {
        set.add(phrase, value.clone()).map_err(|error| MappingError::Phrase {
            file,
            entry: entry.to_owned(),
            error,
        })?;
    }
    Ok(())
}

fn plain(phrases: &[String], file: &'static str, entry: &str) -> Result<Phrases<()>, MappingError> {
    let mut set = Phrases::default();
    add(&mut set, phrases, &(), file, entry)?;
    Ok(set)
}

fn snomed(code: &str, file: &'static str, entry: &str) -> Result<SnomedCode, MappingError> {
    let wrong = |_| MappingError::Snomed { file, entry: entry.to_owned(), code: code.to_owned() };
    SnomedCode::parse(code).map_err(wrong)
}

impl Mapping {
    pub(in crate::matching) fn load(sources: &Sources<'_>) -> Result<Self, MappingError> {
        let needs: raw::Needs = read(NEEDS, sources.needs)?;
        let services: raw::Services = read(SERVICES, sources.services)?;
        let mut by_code: HashMap<&str, usize> = HashMap::new();
        for (i, need) in needs.need.iter().enumerate() {
            if by_code.insert(&need.code, i).is_some() {
                return Err(MappingError::Name { file: NEEDS, entry: need.code.clone(), name: need.code.clone() });
            }
        }
        let numbers = |names: &[String], file, entry: &str| -> Result<Vec<usize>, MappingError> {
            let unknown = |name: &String| MappingError::Name { file, entry: entry.to_owned(), name: name.clone() };
            names.iter().map(|n| by_code.get(n.as_str()).copied().ok_or_else(|| unknown(n))).collect()
        };
        let mut mapping = Self {
            needs: Vec::with_capacity(needs.need.len()),
            snomed: HashMap::new(),
            asked: Phrases::default(),
            offered: Phrases::default(),
            reading: Self::reading(sources.reading)?,
            safety: Self::safety(sources.safety)?,
            services: Self::services(&services)?,
            audiences: Vec::new(),
            audience_service: Phrases::default(),
            audience_person: Phrases::default(),
            audience_open: Phrases::default(),
            requirements: Vec::with_capacity(services.requirement.len()),
        };
        for raw in &services.requirement {
            mapping.requirements.push(Requirement {
                says: raw.says.clone(),
                person: plain(&raw.person, SERVICES, &raw.says)?,
                service: plain(&raw.service, SERVICES, &raw.says)?,
                times: raw.times.clone(),
            });
        }
        for need in &needs.need {
            let related = numbers(&need.related, NEEDS, &need.code)?;
            mapping.need(need, related)?;
        }
        for audience in &services.audience {
            let theirs = numbers(&audience.needs, SERVICES, &audience.id)?;
            mapping.audience(audience, theirs)?;
        }
        Ok(mapping)
    }

    fn need(&mut self, raw: &raw::Need, related: Vec<usize>) -> Result<(), MappingError> {
        let need = self.needs.len();
        let mark = |strength, weight| Mark { need, weight, strength };
        let entry = raw.code.as_str();
        add(&mut self.asked, &raw.strong, &mark(Strength::Strong, 2.0), NEEDS, entry)?;
        add(&mut self.asked, &raw.words, &mark(Strength::Word, 1.0), NEEDS, entry)?;
        add(&mut self.asked, &raw.hints, &mark(Strength::Hint, 0.3), NEEDS, entry)?;
        add(&mut self.offered, &raw.services, &mark(Strength::Strong, 1.0), NEEDS, entry)?;
        add(&mut self.offered, &raw.also, &mark(Strength::Word, 0.3), NEEDS, entry)?;
        for (codes, strength, weight) in [(&raw.snomed, Strength::Strong, 1.3), (&raw.snomed_hint, Strength::Hint, 0.5)]
        {
            for code in codes {
                self.snomed.entry(snomed(code, NEEDS, entry)?).or_default().push(mark(strength, weight));
            }
        }
        let mut query: HashMap<Term, f32> = HashMap::new();
        for (phrases, weight) in [(&raw.services, 1.0), (&raw.also, 0.3)] {
            for term in phrases.iter().flat_map(|p| query_terms(p)) {
                let known = query.entry(term).or_insert(weight);
                *known = known.max(weight);
            }
        }
        let mut query: Vec<(Term, f32)> = query.into_iter().collect();
        query.sort_unstable_by_key(|(term, _)| *term);
        self.needs.push(NeedDef {
            code: NeedCode::new(&raw.code),
            label: raw.label.clone(),
            kind_of_help: raw.kind_of_help.clone(),
            sensitive: raw.sensitive,
            related,
            query,
        });
        Ok(())
    }

    fn audience(&mut self, raw: &raw::Audience, needs: Vec<usize>) -> Result<(), MappingError> {
        let number = self.audiences.len();
        let entry = raw.id.as_str();
        add(&mut self.audience_service, &raw.service, &number, SERVICES, entry)?;
        add(&mut self.audience_person, &raw.person, &number, SERVICES, entry)?;
        add(&mut self.audience_open, &raw.not, &number, SERVICES, entry)?;
        let codes: Result<Vec<SnomedCode>, MappingError> =
            raw.snomed.iter().map(|c| snomed(c, SERVICES, entry)).collect();
        self.audiences.push(Audience {
            kind: raw.kind.clone(),
            strict: raw.strict,
            says: raw.says.clone(),
            needs,
            snomed: codes?,
            languages: raw.languages.iter().map(|l| l.to_lowercase()).collect(),
        });
        Ok(())
    }

    fn reading(text: &str) -> Result<Reading, MappingError> {
        let raw: raw::Reading = read(READING, text)?;
        Ok(Reading {
            want: plain(&raw.want, READING, "want")?,
            not_before: plain(&raw.not_before, READING, "not_before")?,
            not_after: plain(&raw.not_after, READING, "not_after")?,
            keep: plain(&raw.keep, READING, "keep")?,
            past: plain(&raw.past, READING, "past")?,
            turn: plain(&raw.turn, READING, "turn")?,
        })
    }

    fn safety(text: &str) -> Result<Safety, MappingError> {
        let raw: raw::Safety = read(SAFETY, text)?;
        let (mut matters, mut spared, mut codes) = (Phrases::default(), Phrases::default(), HashMap::new());
        for matter in &raw.matter {
            let entry = format!("{:?}", matter.kind);
            for code in &matter.snomed {
                if codes.insert(snomed(code, SAFETY, &entry)?, matter.kind).is_some() {
                    return Err(MappingError::Name { file: SAFETY, entry, name: code.clone() });
                }
            }
            let of = |plainly| Matter { kind: matter.kind, plainly, lists: matter.lists };
            add(&mut matters, &matter.words, &of(false), SAFETY, &entry)?;
            add(&mut matters, &matter.plainly, &of(true), SAFETY, &entry)?;
            add(&mut spared, &matter.spared, &matter.kind, SAFETY, &entry)?;
        }
        Ok(Safety {
            matters,
            snomed: codes,
            spared,
            before: plain(&raw.clear.before, SAFETY, "clear.before")?,
            after: plain(&raw.clear.after, SAFETY, "clear.after")?,
            unless: plain(&raw.unless.words, SAFETY, "unless")?,
            contact: plain(&raw.contact.words, SAFETY, "contact")?,
            contact_spared: plain(&raw.contact.spared, SAFETY, "contact")?,
        })
    }

    fn services(raw: &raw::Services) -> Result<Services, MappingError> {
        let set = |phrases: &[String], entry| plain(phrases, SERVICES, entry);
        let sex = |raw: &raw::Sex, entry| -> Result<Sex, MappingError> {
            Ok(Sex { words: set(&raw.words, entry)?, not: set(&raw.not, entry)?, says: raw.says.clone() })
        };
        Ok(Services {
            closed: set(&raw.closed, "closed")?,
            closed_spared: set(&raw.closed_spared, "closed_spared")?,
            outdated: set(&raw.outdated, "outdated")?,
            outdated_spared: set(&raw.outdated_spared, "outdated_spared")?,
            no_email: set(&raw.no_email, "no_email")?,
            waiting: set(&raw.waiting, "waiting")?,
            stairs: set(&raw.stairs, "stairs")?,
            remote: set(&raw.remote, "remote")?,
            lives: set(&raw.area.lives, "area.lives")?,
            female: sex(&raw.sex.female, "sex.female")?,
            male: sex(&raw.sex.male, "sex.male")?,
            older: set(&raw.age.older, "age.older")?,
            pension: set(&raw.age.pension, "age.pension")?,
            recruiting: set(&raw.recruiting, "recruiting")?,
            in_passing: set(&raw.in_passing, "in_passing")?,
            younger: set(&raw.age.younger, "age.younger")?,
            any_age: set(&raw.age.any, "age.any")?,
            one_of: set(&raw.age.one_of, "age.one_of")?,
            child: set(&raw.age.child, "age.child")?,
        })
    }
}
