//! Safety matters however they are put, what clears them, and what the record itself forbids.

use super::*;
use crate::referral::{
    Consent, SafeContact, SnomedCode,
    content::{Priority, RequestStatus, Unread, WhyUnread},
};

fn kinds(matcher: &Matcher, text: &str) -> Vec<SafetyKind> {
    let found = matcher.match_referral(&note(text), &Directory::default(), date(2026, 11, 24));
    let mut kinds: Vec<SafetyKind> = found.safety.iter().map(|f| f.kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn safety_matters_are_read_however_they_are_put() {
    use SafetyKind::{
        ConsentDeclined, Contradiction, DomesticAbuse, Safeguarding, SuicideSelfHarm, UrgentSymptom, WrongPatient,
    };
    let matcher = &*MATCHER;
    let mut missed: Vec<String> = Vec::new();
    for (kind, text) in [
        (SuicideSelfHarm, "Some days she'd rather not wake up. Would like company."),
        (SuicideSelfHarm, "Low. Fleeting SI, no plan. Wants a walking group."),
        (SuicideSelfHarm, "No SI today but took an OD in August."),
        (SuicideSelfHarm, "Says everyone would be better off without her"),
        (SuicideSelfHarm, "has been saving up her tablets"),
        (SuicideSelfHarm, "old scars and fresh cuts on forearm, says she does it to cope"),
        (SuicideSelfHarm, "She feels life is not worth living since he went"),
        (SuicideSelfHarm, "wants to end her life but would not act on it"),
        (SuicideSelfHarm, "Self-harm: weekly"),
        (SuicideSelfHarm, "She can't see a future and has written letters to her children"),
        (SuicideSelfHarm, "Thinking of doing something silly. Would like a craft class."),
        (SuicideSelfHarm, "Not actively suicidal but wishes she could go to sleep and never wake up"),
        (
            DomesticAbuse,
            "Her boyfriend goes through her phone and she has to ask before seeing friends. Wants English class.",
        ),
        (DomesticAbuse, "He hits her when he drinks."),
        (DomesticAbuse, "Husband very controlling re money, she has to account for every penny"),
        (DomesticAbuse, "She flinched when he spoke. He answered every question for her."),
        (DomesticAbuse, "Living in a refuge with two children, would like a mums group"),
        (DomesticAbuse, "History of DV, ex has found out where she lives"),
        (DomesticAbuse, "DV: yes, current. Wants to learn to drive."),
        (DomesticAbuse, "her son pushed her down the stairs at Easter"),
        (DomesticAbuse, "partner gets angry and throws things; kids hide"),
        (DomesticAbuse, "He won't let her have her own bank account"),
        (Safeguarding, "The carer has been helping herself to cash. Lonely."),
        (Safeguarding, "Grandson has moved in and money keeps disappearing from her purse"),
        (Safeguarding, "Safeguarding referral made yesterday by the district nurse"),
        (Safeguarding, "Toddler had bruises and mum could not explain them"),
        (Safeguarding, "A man she met online asks her for money every week"),
        (Safeguarding, "Works twelve hours a day for her board, the employer keeps her papers"),
        (Safeguarding, "Children left on their own most evenings"),
        (
            Safeguarding,
            "Found in soiled clothes, no food in the house, daughter has not visited for weeks and collects the pension",
        ),
        (Safeguarding, "Young men have taken over her flat to deal from"),
        (UrgentSymptom, "Crushing chest pain this morning, now settled. Wants a lunch club."),
        (UrgentSymptom, "new numbness between the legs and can't feel when passing water"),
        (UrgentSymptom, "woke with a drooping face and slurring, better by lunch"),
        (UrgentSymptom, "Coughing up blood for two weeks. Also lonely."),
        (UrgentSymptom, "She has stopped eating and drinking altogether"),
        (ConsentDeclined, "Pt not keen on being referred, please ring her anyway"),
        (ConsentDeclined, "I have not yet told her about this referral."),
        (ConsentDeclined, "Daughter asks for this, pt unaware."),
        (ConsentDeclined, "She said no to any of this being passed on"),
        (ConsentDeclined, "Consent: declined"),
        (ConsentDeclined, "Does not consent to sharing"),
        (Contradiction, "72M retired miner, would like a shed."),
        (Contradiction, "This 23 year old man wants a job"),
        (Contradiction, "This gentleman would like help with his benefits. He lost his job. He is fed up."),
        (WrongPatient, "Apologies, this was meant for another patient"),
        // Put in other words, to see that the vocabulary is wide.
        (
            SuicideSelfHarm,
            "Tells me she has nothing left and has been looking at train times for the wrong reason, standing near the tracks",
        ),
        (SuicideSelfHarm, "PHQ9 21, item nine scored 2"),
        (SuicideSelfHarm, "He says he would be gone by Christmas if it were not for the dog"),
        (SuicideSelfHarm, "intrusive thoughts about ending things"),
        (SuicideSelfHarm, "Took 20 paracetamol in June, under liaison psychiatry"),
        (SuicideSelfHarm, "feels like giving up, cannot promise to keep herself safe tonight"),
        (SuicideSelfHarm, "Razor marks on both arms"),
        (DomesticAbuse, "Her ex keeps turning up at the school gates and she is scared"),
        (DomesticAbuse, "She whispered that it is not safe to speak at home"),
        (DomesticAbuse, "He decides what she wears and who she sees"),
        (DomesticAbuse, "Told me her daughter's father broke her wrist last year, they still live together"),
        (DomesticAbuse, "Partner insists on being in every appointment"),
        (DomesticAbuse, "Her brothers say she must marry a cousin abroad in the spring"),
        (DomesticAbuse, "Please only ring when he is at work"),
        (Safeguarding, "Son takes her cash card every Thursday and she is left without food"),
        (Safeguarding, "the boy says a man at the park gives him presents"),
        (Safeguarding, "Mother is drinking and the children get themselves to school hungry"),
        (Safeguarding, "Her flatmates make her cook and clean for them and take her benefits"),
        (Safeguarding, "House unfit, rats, she sleeps in a chair in her own waste"),
        (UrgentSymptom, "Breathless at rest since last night. Also wants an exercise class."),
        (UrgentSymptom, "sudden severe headache, worst of her life"),
        (UrgentSymptom, "black tarry stools for three days"),
        (ConsentDeclined, "She would prefer that nobody outside the surgery is told"),
        (ConsentDeclined, "He changed his mind about the referral afterwards"),
        (ConsentDeclined, "Not discussed with him yet"),
        (ConsentDeclined, "Verbal consent not obtained"),
        (WrongPatient, "NHS no 999 030 0135. Lonely."),
    ] {
        if !kinds(matcher, text).contains(&kind) {
            missed.push(format!("{kind:?}: {text} -> {:?}", kinds(matcher, text)));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn templates_and_plain_denials_are_no_safety_matters() {
    let matcher = &*MATCHER;
    let mut read = Vec::new();
    for text in [
        "Safeguarding concerns: none. Lonely since she retired, would like a lunch club.",
        "No SI, no DSH. Would like to volunteer.",
        "Denies suicidal ideation. Wants a befriender.",
        "No thoughts of self harm, no plans, asked directly.",
        "Low mood but no suicidal thoughts. Would like an art class.",
        "DV: no. Safeguarding: nil. Suicide risk: none.",
        "No red flags. No chest pain, SOB or palpitations.",
        "Not sleeping. No suicidal ideation. Consent given.",
        "Her mother died in May. She would like to meet others who understand.",
        "No concerns about abuse or neglect. Wants help with her energy bills.",
        "Crisis numbers given. Wants a walking group.",
        "Has capacity and consents. Wants to learn English.",
        "Pushes the pram to nursery every day, would like a mums group",
        "She beat breast cancer ten years ago and wants to get fit",
        "Not at risk of domestic abuse. Debt of 3k, wants advice.",
        "Cauda equina excluded in 2022. Wants help with PIP form.",
        "Declined counselling. Would like gardening. Consented to referral.",
        "46F would like help with debts. Her husband (52M) works nights.",
        "A and E for chest infection in March, better now. Would like company.",
        "Would like a choir. Son 14M has ADHD, she has her hands full.",
        "Happy for details to be shared.",
        "Ramipril 10 OD, takes it correctly. SI joint pain. Would like a swim class.",
        "Diet controlled diabetes. Wants help to get her weight under control.",
        "Doesn't go out much, home alone all day, would like a visitor.",
        "Cannot leave her husband for more than an hour, wants a carers' break.",
        "Fled Eritrea in 2023, wants to learn English.",
        "Plays bridge, misses her friends, would love a club.",
        "Would be better off in a job, wants help with her CV.",
        "Nervous of falling at home, wants a balance class.",
        "Keeps thinking about her husband's death, would like a bereavement group.",
        "Needs someone to go through her post with her; wants to check her emails too.",
        "Children grown up and abroad, they don't ring any more. Lonely.",
        "Threatened with eviction, needs housing advice.",
        "Can't stand groups. Would like one-to-one help with a tablet.",
        "Asked for money advice. Owes 4k on cards.",
        "Stopped drinking in 2020. Wants to volunteer.",
    ] {
        let kinds = kinds(matcher, text);
        if !kinds.is_empty() {
            read.push(format!("{text} -> {kinds:?}"));
        }
    }
    assert!(read.is_empty(), "{}", read.join("\n"));
}

#[test]
fn what_the_record_says_holds_a_referral_before_any_service_is_looked_at() {
    type Change = fn(&mut Referral);
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let lonely = || note("46F lonely, would like a befriender to ring for a chat. Consents.");
    let hold = |referral: &Referral| matcher.match_referral(referral, directory, date(2026, 11, 24)).hold;
    let cases: [(Change, Hold); 11] = [
        (|r| r.consent = Consent::Declined, Hold::ConsentDeclined),
        (|r| r.consent = Consent::NotRecorded, Hold::ConsentMissing),
        (|r| r.priority = Priority::Urgent, Hold::Urgent),
        (|r| r.priority = Priority::Stat, Hold::Urgent),
        (|r| r.safe_contact = SafeContact::Prohibited, Hold::ContactProhibited),
        (|r| r.safe_contact = SafeContact::Unclear("x".to_owned()), Hold::ContactUnclear),
        (|r| r.patient.restricted = true, Hold::Restricted),
        (|r| r.patient.deceased = true, Hold::Deceased),
        (|r| r.patient.left_practice = true, Hold::LeftPractice),
        (|r| r.status = RequestStatus::OnHold, Hold::NotActive),
        (|r| r.unread = vec![Unread { what: "DocumentReference".into(), why: WhyUnread::Document }], Hold::NotAllRead),
    ];
    for (change, expected) in cases {
        let mut referral = lonely();
        change(&mut referral);
        assert_eq!(hold(&referral), Some(expected));
    }
    let mut unrecorded = lonely();
    unrecorded.consent = Consent::NotRecorded;
    let by_referral = matcher.clone().with_consent(ConsentPolicy::ByReferral);
    assert!(by_referral.match_referral(&unrecorded, directory, date(2026, 11, 24)).safety.is_empty());
    assert_eq!(hold(&note("Thank you for seeing her.")), Some(Hold::NeedUnclear));
    assert_eq!(hold(&note("Wants help with debts. Please do not ring the landline.")), Some(Hold::ContactUnclear));
}

fn beside(code: Option<&str>, text: &str) -> Referral {
    let mut referral = note("46F lonely, would like a befriender to ring for a chat. Consents.");
    let code = code.map(|c| SnomedCode::parse(c).unwrap());
    referral.beside.push(Reason { from: ReasonFrom::Beside, code, text: text.to_owned() });
    referral
}

#[test]
fn what_came_beside_the_reasons_holds_a_referral_and_changes_nothing_of_what_is_needed() {
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let read = |referral: &Referral| matcher.match_referral(referral, directory, date(2026, 11, 24));
    let plain = read(&note("46F lonely, would like a befriender to ring for a chat. Consents."));
    let held = read(&beside(None, "Social history: husband hits her"));
    assert_eq!((held.hold, held.safety[0].kind), (Some(Hold::Safety), SafetyKind::DomesticAbuse));
    let ruled = read(&beside(None, "Please do not ring the landline."));
    assert_eq!(ruled.hold, Some(Hold::ContactUnclear));
    // A wish beside the reasons is none of theirs.
    assert_eq!(read(&beside(None, "Benefits advice, debts, a walking group")), plain);
}

#[test]
fn a_safety_matter_is_read_from_its_code_alone() {
    use SafetyKind::{DomesticAbuse, Safeguarding, SuicideSelfHarm};
    for (code, kind) in [("6471006", SuicideSelfHarm), ("706893006", DomesticAbuse), ("836881000000105", Safeguarding)]
    {
        let found = MATCHER.match_referral(&beside(Some(code), code), &DIRECTORY, date(2026, 11, 24));
        assert_eq!((found.hold, found.safety[0].kind), (Some(Hold::Safety), kind), "{code}");
        assert_eq!(found.safety[0].evidence.rule, format!("safety: SNOMED {code}"));
    }
    let other = MATCHER.match_referral(&beside(Some("267076002"), "x"), &DIRECTORY, date(2026, 11, 24));
    assert!(other.safety.is_empty());
}

#[test]
fn letters_that_nobody_sees_and_letters_of_another_width_hide_nothing() {
    use SafetyKind::{DomesticAbuse, SuicideSelfHarm};
    for (text, kind) in [
        ("She feels sui\u{200b}cidal.", SuicideSelfHarm),
        ("Her husband h\u{ad}its her.", DomesticAbuse),
        ("Her husband\u{200b}hits\u{2060}her.", DomesticAbuse),
        ("She is \u{ff53}\u{ff55}\u{ff49}\u{ff43}\u{ff49}\u{ff44}\u{ff41}\u{ff4c}.", SuicideSelfHarm),
    ] {
        assert_eq!(kinds(&MATCHER, text), [kind], "{text:?}");
    }
    let hidden = note("Wants help with debts. Please do n\u{200d}ot ring the land\u{ad}line.");
    assert!(matches!(MATCHER.safe_contact(&hidden), SafeContact::Unclear(_)));
}

#[test]
fn where_a_restricted_person_lives_is_not_matched_on() {
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let mut referral = note("46F lonely, would like a befriender.");
    referral.patient.restricted = true;
    let found = matcher.match_referral(&referral, directory, date(2026, 11, 24));
    assert!(found.needs[0].candidates.iter().all(|c| c.distance_km.is_none()));
}

#[test]
fn words_about_contact_are_one_answer_for_the_hold_and_for_the_pages() {
    let matcher = &*MATCHER;
    let quiet = note("Wants help with debts. Be discreet, he opens her post.");
    assert_eq!(
        matcher.safe_contact(&quiet),
        SafeContact::Unclear("Be discreet, he opens her post".to_owned()),
        "quoted as it stands"
    );
    assert_eq!(matcher.safe_contact(&note("Wants help with debts.")), SafeContact::Open);
    let mut ruled = quiet.clone();
    for rule in [SafeContact::Prohibited, SafeContact::Only("mobile".to_owned()), SafeContact::Unclear("?".to_owned())]
    {
        ruled.safe_contact = rule.clone();
        assert_eq!(matcher.safe_contact(&ruled), rule, "what intake read stands");
    }
}
