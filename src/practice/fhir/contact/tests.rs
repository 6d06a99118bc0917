//! Notes as GPs write them, and what they say about contact.

use super::*;

fn rule(note: &str) -> SafeContact {
    read(&[note], Some(Gender::Female))
}

#[test]
fn a_plain_rule_is_quoted_word_for_word() {
    for (note, words) in [
        (
            "Not sleeping. Hiding it from wife - ring his mobile not landline. No SI.",
            "Hiding it from wife - ring his mobile not landline.",
        ),
        ("Lives w mum. Phones terrify him - EMAIL ONLY. Mood ok.", "Phones terrify him - EMAIL ONLY."),
        (
            "DO NOT ring old landline or text - new mobile only, 9-12 when she's at work.",
            "DO NOT ring old landline or text - new mobile only, 9-12 when she's at work.",
        ),
        (
            "He collects the post, so please nothing in writing. Urdu.",
            "He collects the post, so please nothing in writing.",
        ),
        ("Needs F2F w BSL, no phone.", "Needs F2F w BSL, no phone."),
        ("Keen. Please do not phone.", "Please do not phone."),
        ("Deaf. Don’t phone, text is fine.", "Don’t phone, text is fine."),
        ("Contact by email please.", "Contact by email please."),
        ("Never leave a voicemail.", "Never leave a voicemail."),
        ("Best to ring after 4pm as she works.", "Best to ring after 4pm as she works."),
        ("Prefers texts to calls.", "Prefers texts to calls."),
        ("Do not contact her husband.", "Do not contact her husband."),
        ("Do not contact on the landline.", "Do not contact on the landline."),
        ("Do not call before 11.", "Do not call before 11."),
        ("Won't answer withheld numbers or an unknown phone.", "Won't answer withheld numbers or an unknown phone."),
        ("Please only ring her mobile.", "Please only ring her mobile."),
        ("No letters to the house.", "No letters to the house."),
        ("Safe to call between 9 and 12.", "Safe to call between 9 and 12."),
        ("c/o surgery for post.", "c/o surgery for post."),
        ("Please don't leave messages with family.", "Please don't leave messages with family."),
        ("All contact through her social worker please.", "All contact through her social worker please."),
        ("Do not use the landline.", "Do not use the landline."),
        ("Nothing to be sent to the house.", "Nothing to be sent to the house."),
        ("She can only talk when he is out.", "She can only talk when he is out."),
        ("Can't use the phone, hearing loss.", "Can't use the phone, hearing loss."),
        ("Text before calling.", "Text before calling."),
        ("Mobile is best, never landline as mum answers.", "Mobile is best, never landline as mum answers."),
        ("Doesn't answer the door.", "Doesn't answer the door."),
        ("Speak to wife re appts, she does the phone.", "Speak to wife re appts, she does the phone."),
        ("OK to leave voicemail on mobile.", "OK to leave voicemail on mobile."),
        ("Call after school pick up, i.e. after 4.", "Call after school pick up, i.e. after 4."),
        ("Use the code word 'library' if phoning.", "Use the code word 'library' if phoning."),
        ("Withhold your number when ringing.", "Withhold your number when ringing."),
        ("Do not leave a msg.", "Do not leave a msg."),
        ("No contact by letter.", "No contact by letter."),
        ("No contact at home.", "No contact at home."),
        ("Letters are not safe.", "Letters are not safe."),
        ("Safe contact: 0113 496 0222.", "Safe contact: 0113 496 0222."),
        ("Husband reads her emails, ring her mobile.", "Husband reads her emails, ring her mobile."),
        ("Partner doesn't know, email only.", "Partner doesn't know, email only."),
    ] {
        assert_eq!(rule(note), SafeContact::Only(words.to_owned()), "{note}");
    }
}

#[test]
fn words_that_say_nobody_may_contact_prohibit() {
    for note in [
        "Do not contact.",
        "Please do not contact her.",
        "Wants help for later. Must not be contacted.",
        "She asked not to be contacted.",
        "Nobody is to contact her.",
        "No one should contact the patient.",
        "Don't contact the patient under any circumstances.",
        "It is not safe to contact her.",
        "Does not want to be contacted.",
        "Under no circumstances contact her.",
        "NO CONTACT WITH PATIENT",
        "Contact not safe.",
        "Contacting her is unsafe.",
        "Not safe for contact.",
    ] {
        assert_eq!(rule(note), SafeContact::Prohibited, "{note}");
    }
}

#[test]
fn words_that_hedge_or_contradict_are_for_a_person() {
    for note in [
        "Please be careful when ringing, he is often there.",
        "Careful with letters.",
        "Do not contact until I have spoken to her.",
        "Email only. Ring her on Tuesday.",
        "Do not phone. Call her mobile after the weekend.",
        "Her husband reads her messages.",
        "He always answers the phone.",
        "Ok to ring? Please ring her mobile?",
        "Contact via the surgery please.",
        "No contact please.",
        "Do not contact the patient directly.",
        "Speak to me before contacting her.",
        "She does not consent to being contacted.",
        "Husband usually answers the landline.",
        "She does not want her mother to know.",
        "Do not discuss with family.",
        "Partner doesn't know she's coming.",
        "He hasn't told his wife.",
        "No contact at all please.",
        "No contact at any time.",
        "Please make no contact at present.",
        "No contact until she has moved.",
        "No further contact for now.",
        "No contact whatsoever.",
        "There should be no contact of any kind.",
        "No contact at all with the patient.",
        "There is no safe number for her.",
        "Her son answers the phone and must not hear of this.",
        "Contact not safe when he is in.",
        "Only contact her please.",
        // An hour leads round nobody, nor does a telephone of which nobody says whose.
        "He checks her phone. Best after 11.",
        "Partner doesn't know she's coming. Best to ring after 11.",
        "He reads her messages. Do not call before 11.",
        "He checks her phone every evening. Text only.",
        "He reads her emails. No letters.",
    ] {
        assert!(matches!(rule(note), SafeContact::Unclear(_)), "{note}: {:?}", rule(note));
    }
}

#[test]
fn telling_about_telephones_letters_and_silence_is_no_rule() {
    for note in [
        "Would love a regular visitor or someone to ring for a chat.",
        "Lonely. Nobody calls. Pls help if you can.",
        "Daughter in Hull rings daily. Mood fine, laughing on phone.",
        "Telephone appt 16/11 11:20. Via phone interp.",
        "Her children don't ring. Never written a CV.",
        "Keeps all her post in a carrier bag behind the sofa and hasn't opened any of it since Easter.",
        "Has smartphone, uses it for calls only. Needs teaching, not someone to do it for her.",
        "He can't manage email or online forms and finds that embarrassing.",
        "No contact with his children since the separation. Gets no letters.",
        "Letter says ESA ends. Has letter + records printed. I have said I'll write the letter.",
        "Somebody to talk to, on the phone or sat with her.",
        "She left me a message. Non-molestation order, no contact order in place.",
        "Please don't call it depression.",
        "Wants contact with other people who have it.",
        "His wife does not know how to help him. Her husband doesn't know the area.",
        "Her son opens her post for her as she's blind.",
        "She never emails. Ring road noise. Wants a class, mornings only. Female worker only please.",
        "Letters in large print please. Contact number 0113 496 0222. Only goes out with his wife.",
        "Very careful with money. Nothing in cupboards till pay on 3rd.",
        "She came for a letter: she wants the council to move her.",
        "No contact at all with his children. No contact in years. There has been no contact at all.",
        "No contact lenses. No further contact from her ex. The flat is not safe.",
        "Please contact her to talk it through.",
        "",
    ] {
        assert_eq!(rule(note), SafeContact::Open, "{note}");
    }
}

proptest::proptest! {
    #[test]
    fn any_note_is_read_without_a_panic_and_quoted_from_itself(
        note in "([a-z]{1,6}|do not|ring|only|mobile|no|contact|her|\\PC)([ .,?!-]{1,2}([a-z]{1,6}|ring|only|text|not|safe to|by|letters|\\PC)){0,14}"
    ) {
        match rule(&note) {
            SafeContact::Only(words) | SafeContact::Unclear(words) => {
                proptest::prop_assert!(words.split_whitespace().all(|word| note.contains(word)));
            }
            SafeContact::Prohibited | SafeContact::Open => {}
        }
    }
}

#[test]
fn whose_post_he_collects_depends_on_the_person() {
    assert_eq!(read(&["He collects the post."], Some(Gender::Male)), SafeContact::Open);
    let anybody = [None, Some(Gender::Other), Some(Gender::Unknown)];
    for (words, own, others) in [
        ("He collects the post.", Gender::Male, Gender::Female),
        ("He checks the phone every evening.", Gender::Male, Gender::Female),
        ("She checks the phone every evening.", Gender::Female, Gender::Male),
    ] {
        assert_eq!(read(&[words], Some(own)), SafeContact::Open, "{words}");
        for gender in anybody.into_iter().chain([Some(others)]) {
            assert!(matches!(read(&[words], gender), SafeContact::Unclear(_)), "{words} {gender:?}");
        }
    }
}

#[test]
fn the_preference_on_the_record_adds_to_a_rule_and_never_weakens_one() {
    let with = |note: &str, method: &str| read_with_preference(&[note], Some(Gender::Female), Some(method));
    let record = "Preferred contact method on the record:";
    assert_eq!(with("Lonely.", "Letter"), SafeContact::Only(format!("{record} Letter")));
    assert_eq!(with("Do not contact her.", "Letter"), SafeContact::Prohibited);
    for (note, method, agree) in [
        ("Ring her mobile.", "Telephone", true),
        ("Do not call before 11.", "Telephone", true),
        ("Ring her mobile not landline.", "Telephone", true),
        ("No letters.", "Email", true),
        ("Email only.", "No telephone contact", true),
        ("Email only.", "Letter", false),
        ("Ring her mobile.", "Letter", false),
        ("Best to ring after 4pm.", "Letter", false),
        ("No letters.", "Letter", false),
        ("Please do not phone.", "Telephone", false),
        ("Ring her mobile.", "No telephone contact", false),
        ("Ring her mobile.", "Sign language", false),
        ("He collects the post.", "Telephone", false),
        ("Careful with letters.", "Letter", false),
    ] {
        let both = format!("{note} {record} {method}");
        let expected = if agree { SafeContact::Only(both) } else { SafeContact::Unclear(both) };
        assert_eq!(with(note, method), expected, "{note} {method}");
    }
}
