//! Whose a Task is, by what stands in its owner.

use serde_json::json;
use url::Url;

use super::*;

const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

#[test]
fn a_task_is_ours_by_our_name_there_somebody_elses_by_any_other_and_nobodys_without_one() {
    let known = Known::new(Some(Url::parse("https://surgery.example/fhir/").unwrap()));
    let by_code = OurOrganization::Identifier { system: ODS.into(), value: "X0001".into() };
    let by_id = OurOrganization::Id("7".into());
    let reference = |text: &str| json!({"owner": {"reference": text}});
    let code = |value: &str| json!({"owner": {"identifier": {"system": ODS, "value": value}}});
    for (organization, key, task, whose) in [
        (&by_code, Some("Organization/7"), reference("Organization/7"), Whose::Ours),
        (&by_id, Some("Organization/7"), reference("https://surgery.example/fhir/Organization/7"), Whose::Ours),
        (&by_id, Some("Organization/7"), reference("Organization/8"), Whose::Anothers),
        (&by_id, Some("Organization/7"), reference("Practitioner/7"), Whose::Anothers),
        (&by_id, Some("Organization/7"), reference("https://elsewhere.example/Organization/7"), Whose::Anothers),
        (&by_code, None, code("X0001"), Whose::Ours),
        (&by_code, None, code("X0002"), Whose::Anothers),
        (&by_code, None, reference("Organization/8"), Whose::Unsaid),
        (&by_id, Some("Organization/7"), json!({}), Whose::Unsaid),
        (&by_id, Some("Organization/7"), json!({"owner": {"display": "Wellbridge"}}), Whose::Unsaid),
    ] {
        let us = Us { organization: Some(organization), key };
        assert_eq!(us.whose(&known, &task), whose, "{task}");
    }
    assert_eq!(Us::default().whose(&known, &reference("Organization/8")), Whose::Unsaid, "nobody told us who we are");
}
