//! Writing: the Task kept true and the filings, each once, whoever else writes and whatever gets lost.

use super::*;

pub(super) fn standing(step: CoarseStep) -> TaskStanding {
    TaskStanding {
        source: Source {
            practice: "beckside".into(),
            request: "sr1".into(),
            task: Some("t1".into()),
            version: "1".into(),
        },
        step,
        outputs: vec!["Observation/7".into()],
        since: "2026-11-24T12:00:00Z".parse().unwrap(),
        changed: "2026-11-24T12:30:00Z".parse().unwrap(),
        sharing: Sharing::Full,
        seen: Some("4".into()),
        first: None,
    }
}

#[tokio::test]
async fn a_task_somebody_else_changed_is_read_again_and_their_words_stay() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("4", "requested")).says("GET /r4/Task/t1", task("5", "requested"));
    script.on("PUT /r4/Task/t1", |_, _| StatusCode::PRECONDITION_FAILED.into_response());
    script.on("PUT /r4/Task/t1", |_, asked| {
        let mut body: Value = serde_json::from_str(&asked.body).unwrap();
        body["meta"]["versionId"] = json!("6");
        fhir(200, &body)
    });
    let written = script.practice().keep_task(&standing(CoarseStep::Booked)).await.unwrap();
    // Version 5 was somebody else's and not yet polled, so 6 must not pass for our echo.
    assert_eq!(written, TaskWritten { id: "t1".into(), version: None, left_alone: false });
    let puts = script.asked("PUT /r4/Task/t1");
    assert_eq!(
        puts.iter().map(|p| p.headers["if-match"].to_str().unwrap()).collect::<Vec<_>>(),
        ["W/\"4\"", "W/\"5\""]
    );
    let body: Value = serde_json::from_str(&puts[1].body).unwrap();
    assert_eq!((body["vendor"].as_str(), body["status"].as_str()), (Some("kept"), Some("in-progress")));
    assert_eq!(body["output"][0]["valueReference"]["reference"], "Observation/7");
}

#[tokio::test]
async fn our_own_write_tells_its_version_and_nothing_is_written_twice() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("4", "requested"));
    script.on("PUT /r4/Task/t1", |_, asked| {
        let mut body: Value = serde_json::from_str(&asked.body).unwrap();
        body["meta"]["versionId"] = json!("5");
        fhir(200, &body)
    });
    let practice = script.practice();
    let written = practice.keep_task(&standing(CoarseStep::Seeking)).await.unwrap();
    assert_eq!(written.version.as_deref(), Some("5"));
    let stored: Value = serde_json::from_str(&script.asked("PUT ")[0].body).unwrap();
    let again = Script::start().await;
    again.says("GET /r4/Task/t1", stored);
    let written = again.practice().keep_task(&standing(CoarseStep::Seeking)).await.unwrap();
    assert_eq!((written.version, again.asked("PUT ").len()), (None, 0));
}

#[tokio::test]
async fn a_task_that_keeps_changing_is_tried_three_times() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("4", "requested"));
    script.on("PUT /r4/Task/t1", |_, _| StatusCode::CONFLICT.into_response());
    let error = script.practice().keep_task(&standing(CoarseStep::Seeking)).await.unwrap_err();
    assert!(matches!(error, EffectError::RetryAfter { .. }) && script.asked("PUT ").len() == 3);
}

#[tokio::test]
async fn a_cancellation_by_the_practice_is_not_written_over() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("9", "cancelled"));
    let practice = script.practice();
    assert!(matches!(practice.keep_task(&standing(CoarseStep::Booked)).await, Err(EffectError::RetryAfter { .. })));
    assert!(script.asked("PUT ").is_empty());
}

#[tokio::test]
async fn where_the_practice_sent_no_task_ours_is_made_once() {
    let script = Script::start().await;
    script.says("POST /r4/Task/_search", bundle(&[])).says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on("POST /r4/Task", |_, asked| {
        let mut body: Value = serde_json::from_str(&asked.body).unwrap();
        (body["id"], body["meta"]["versionId"]) = (json!("t9"), json!("1"));
        fhir(201, &body)
    });
    let mut standing = standing(CoarseStep::Received);
    (standing.source.task, standing.seen) = (None, None);
    let written = script.practice().keep_task(&standing).await.unwrap();
    assert_eq!(written, TaskWritten { id: "t9".into(), version: Some("1".into()), left_alone: false });
    let created = &script.asked("POST /r4/Task")[1];
    assert!(
        created.headers["if-none-exist"].to_str().unwrap().starts_with("identifier=https%3A%2F%2Fwellbridge.example")
    );
    let body: Value = serde_json::from_str(&created.body).unwrap();
    assert_eq!(body["for"]["reference"], "Patient/p1");
    assert_eq!(body["status"], "received");
}

#[tokio::test]
async fn the_first_task_is_made_in_one_call_and_a_later_try_looks_for_it_first() {
    let first = |version: &str| {
        let mut request = request("sr1", "p1");
        request["meta"]["versionId"] = version.into();
        request.to_string()
    };
    // The second is not the version that we know: the request is read.
    for (taken_in, calls) in [(Some(first("1")), 1), (Some(first("0")), 3), (None, 3)] {
        let script = Script::start().await;
        script.says("POST /r4/Task/_search", bundle(&[])).says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
        script.on("POST /r4/Task", |_, asked| {
            let mut body: Value = serde_json::from_str(&asked.body).unwrap();
            (body["id"], body["meta"]["versionId"]) = (json!("t9"), json!("1"));
            fhir(201, &body)
        });
        let mut standing = standing(CoarseStep::Seeking);
        (standing.source.task, standing.seen, standing.first) = (None, None, taken_in);
        let written = script.practice().keep_task(&standing).await.unwrap();
        assert_eq!(written, TaskWritten { id: "t9".into(), version: Some("1".into()), left_alone: false });
        let asked = script.asked("");
        let made = asked.last().unwrap();
        assert_eq!(asked.len(), calls, "{asked:?}");
        assert!(made.headers.contains_key("if-none-exist") && made.body.contains(r#""reference":"Patient/p1""#));
    }
}

#[tokio::test]
async fn a_task_that_is_there_though_it_was_taken_for_the_first_is_brought_up_to_date() {
    let script = Script::start().await;
    let mut theirs = task("3", "received");
    theirs["id"] = json!("t1");
    script.says("POST /r4/Task", theirs.clone()).says("GET /r4/Task/t1", theirs);
    script.on("PUT /r4/Task/t1", |_, asked| fhir(200, &serde_json::from_str(&asked.body).unwrap()));
    let mut standing = standing(CoarseStep::Seeking);
    (standing.source.task, standing.seen) = (None, None);
    standing.first = Some(request("sr1", "p1").to_string());
    let written = script.practice().keep_task(&standing).await.unwrap();
    // Somebody may have changed it between the two tries: the next poll reads it.
    assert_eq!(written, TaskWritten { id: "t1".into(), version: None, left_alone: false });
    assert!(script.asked("PUT ")[0].body.contains(r#""status":"accepted""#));
}

#[tokio::test]
async fn a_change_that_was_never_read_does_not_pass_for_our_echo() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("4", "requested"));
    script.says("PUT /r4/Task/t1", task("5", "accepted"));
    let mut standing = standing(CoarseStep::Seeking);
    standing.seen = None;
    assert_eq!(script.practice().keep_task(&standing).await.unwrap().version, None);
}

#[tokio::test]
async fn a_filing_goes_into_the_record_that_was_read_a_moment_ago_without_reading_it_again() {
    let script = Script::start().await;
    script.on(
        "POST /r4",
        transaction_of([("201", "DocumentReference/1"), ("201", "Procedure/2"), ("201", "Provenance/3")]),
    );
    let filing = ClinicalFiling { request: Some(request("sr1", "p7").to_string()), ..filing(Sharing::Full) };
    script.practice().file(&filing).await.unwrap();
    let asked = script.asked("");
    assert_eq!(asked.len(), 1);
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body["entry"][0]["resource"]["subject"]["reference"], "Patient/p7");
}

#[tokio::test]
async fn the_practices_request_is_closed_only_where_the_settings_allow_it() {
    for allowed in [false, true] {
        let script = Script::start().await;
        script
            .says("GET /r4/Task/t1", task("4", "in-progress"))
            .says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
        script.on("PUT /r4/", |_, asked| fhir(200, &serde_json::from_str(&asked.body).unwrap()));
        let practice = script.practice_with(|s| s.complete_request = allowed);
        practice.keep_task(&standing(CoarseStep::Closed(Closed::Finished))).await.unwrap();
        let puts = script.asked("PUT /r4/ServiceRequest/sr1");
        assert_eq!(puts.len(), usize::from(allowed));
        assert!(puts.iter().all(|p| p.body.contains(r#""status":"completed""#) && p.headers["if-match"] == "W/\"1\""));
    }
}

pub(super) fn filing(sharing: Sharing) -> ClinicalFiling {
    ClinicalFiling {
        id: "0190a5d3-7c00-7000-8000-000000000001".parse::<FilingId>().unwrap(),
        moment: Moment::Started,
        source: Source { practice: "beckside".into(), request: "sr1".into(), task: None, version: "1".into() },
        request: None,
        occurred: "2026-11-24T12:00:00Z".parse().unwrap(),
        sharing,
        person_accepted: true,
        already_coded: false,
        before: None,
        after: None,
        message: MessageBack { service: Some("Tai Chi".into()), ..MessageBack::default() },
    }
}

fn transaction_of<const N: usize>(
    statuses: [(&'static str, &'static str); N],
) -> impl Fn(&str, &Asked) -> Response + Send + Sync {
    move |base, _| {
        let entry: Vec<Value> = statuses
            .iter()
            .map(|(status, location)| {
                let location = location.replace("BASE", base);
                let outcome =
                    json!({"resourceType": "OperationOutcome", "issue": [{"details": {"text": "no such code"}}]});
                json!({"response": {"status": status, "location": location, "outcome": outcome}})
            })
            .collect();
        fhir(200, &json!({"resourceType": "Bundle", "type": "transaction-response", "entry": entry}))
    }
}

#[tokio::test]
async fn a_filing_is_one_transaction_whose_references_come_back() {
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on(
        "POST /r4",
        transaction_of([
            ("201 Created", "DocumentReference/1/_history/1"),
            ("200", "BASE/Procedure/2"),
            ("201", "Provenance/3/_history/1"),
        ]),
    );
    let receipt = script.practice().file(&filing(Sharing::Full)).await.unwrap();
    let references = ["DocumentReference/1", "Procedure/2", "Provenance/3"].map(str::to_owned);
    assert_eq!(receipt, Receipt::Filed(references.to_vec()));
    let posted = script.asked("POST /r4");
    let body: Value = serde_json::from_str(&posted[0].body).unwrap();
    assert!(
        posted.len() == 1 && body["entry"].as_array().unwrap().iter().all(|e| e["request"]["ifNoneExist"].is_string())
    );
}

#[tokio::test]
async fn one_refused_entry_refuses_the_filing_with_the_servers_words() {
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on("POST /r4", transaction_of([("201", "DocumentReference/1"), ("422", ""), ("201", "Provenance/3")]));
    let error = script.practice().file(&filing(Sharing::Full)).await.unwrap_err();
    assert!(matches!(&error, EffectError::GiveUp { detail: Some(d), .. } if d == "no such code"), "{error:?}");
}

#[tokio::test]
async fn a_lost_or_senseless_answer_to_a_filing_is_an_unknown_outcome() {
    let bad: Vec<(&str, Answer)> = vec![
        ("html", Box::new(|_, _| "<html>".into_response())),
        ("empty", Box::new(|_, _| StatusCode::OK.into_response())),
        ("short", Box::new(transaction_of([("201", "DocumentReference/1")]))),
        ("gateway", Box::new(|_, _| StatusCode::BAD_GATEWAY.into_response())),
    ];
    for (name, bad) in bad {
        let script = Script::start().await;
        script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1")).on("POST /r4", bad);
        let error = script.practice().file(&filing(Sharing::Full)).await.unwrap_err();
        assert!(matches!(error, EffectError::OutcomeUnknown { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_connection_lost_after_the_last_byte_is_an_unknown_outcome_and_one_never_made_is_not() {
    // A server that takes a whole request and hangs up; then one that is not there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/r4", listener.local_addr().unwrap());
    let hang_up = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut taken = vec![0; 65_536];
        let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut taken).await;
    });
    let script = Script::start().await;
    let at = |base: String| script.practice_with(|s| s.base = base.parse().unwrap()).client;
    let bundle = json!({"resourceType": "Bundle"});
    let lost: EffectError = at(base.clone()).transaction(&bundle).await.unwrap_err().into();
    assert!(matches!(lost, EffectError::OutcomeUnknown { .. }), "{lost:?}");
    hang_up.await.unwrap();
    let never: EffectError = at(base).transaction(&bundle).await.unwrap_err().into();
    assert!(matches!(never, EffectError::RetryAfter { .. }), "{never:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_after_the_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/r4", listener.local_addr().unwrap());
    let script = Script::start().await;
    let practice = script.practice_with(|s| {
        s.base = base.parse().unwrap();
        s.limits.answer = Duration::from_millis(200);
    });
    let read: EffectError = practice.client.read("Task", "t1").await.unwrap_err().into();
    assert!(matches!(read, EffectError::RetryAfter { .. }), "{read:?}");
    let written: EffectError =
        practice.client.update("Task", "t1", task("4", "x").to_string(), None).await.unwrap_err().into();
    assert!(matches!(written, EffectError::OutcomeUnknown { .. }), "{written:?}");
    drop(listener);
}

#[tokio::test]
async fn nothing_reaches_the_practice_where_nothing_may_return() {
    let script = Script::start().await;
    assert_eq!(script.practice().file(&filing(Sharing::Nothing)).await.unwrap(), Receipt::Filed(Vec::new()));
    assert!(script.asked("").is_empty());
}

#[tokio::test]
async fn a_write_that_may_not_be_made_is_refused_in_the_practices_own_words() {
    let outcome = json!({"resourceType": "OperationOutcome", "issue": [{"details": {"text": "patient opted out"}}]});
    for (status, says_why) in [(401, false), (403, true)] {
        for said in [true, false] {
            let script = Script::start().await;
            script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
            let body = if said { outcome.clone() } else { json!({}) };
            script.on("POST /r4", move |_, _| fhir(status, &body));
            let error = script.practice().file(&filing(Sharing::Full)).await.unwrap_err();
            let refused = matches!(&error, EffectError::GiveUp { detail: Some(d), .. } if d == "patient opted out");
            let told_why = says_why && said;
            let needs_person = matches!(error, EffectError::NeedsPerson { .. });
            assert_eq!((refused, needs_person), (told_why, !told_why), "{status}: a 401 is about the token");
        }
    }
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on("POST /r4", transaction_of([("201", "DocumentReference/1"), ("403", ""), ("201", "Provenance/3")]));
    let error = script.practice().file(&filing(Sharing::Full)).await.unwrap_err();
    assert!(matches!(&error, EffectError::GiveUp { detail: Some(d), .. } if d == "no such code"), "{error:?}");
}

#[tokio::test]
async fn an_entry_that_must_wait_waits_as_long_as_the_answer_asks() {
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on("POST /r4", |base, asked| {
        let entries = [("201", "DocumentReference/1"), ("429 Too Many Requests", ""), ("201", "Provenance/3")];
        let answer = transaction_of(entries)(base, asked);
        ([("retry-after", "240")], answer).into_response()
    });
    let error = script.practice().file(&filing(Sharing::Full)).await.unwrap_err();
    assert!(matches!(error, EffectError::RetryAfter { after: Some(wait), .. } if wait.as_secs() == 240), "{error:?}");
}

#[tokio::test]
async fn somebody_elses_decimals_go_back_as_they_were_written() {
    let script = Script::start().await;
    let raw = task("4", "requested").to_string().replace(r#""vendor":"kept""#, r#""input":[{"valueDecimal":1.50}]"#);
    script.on("GET /r4/Task/t1", move |_, _| raw.clone().into_response());
    script.on("PUT /r4/Task/t1", |_, asked| fhir(200, &serde_json::from_str(&asked.body).unwrap()));
    script.practice().keep_task(&standing(CoarseStep::Seeking)).await.unwrap();
    assert!(script.asked("PUT ")[0].body.contains(r#""valueDecimal":1.50"#));
}

#[tokio::test]
async fn a_task_that_the_practice_cancelled_is_never_written_over() {
    for step in [CoarseStep::Withdrawing, CoarseStep::Withdrawn] {
        let script = Script::start().await;
        script.says("GET /r4/Task/t1", task("5", "cancelled"));
        script.says("PUT /r4/Task/t1", task("6", "in-progress"));
        let written = script.practice().keep_task(&standing(step)).await.unwrap();
        assert_eq!(written, TaskWritten { id: "t1".into(), version: None, left_alone: true }, "{step:?}");
        assert!(script.asked("PUT ").is_empty(), "{step:?}");
    }
    // One that it only asks to cancel is brought to its end by us.
    let script = Script::start().await;
    let mut asks = task("5", "in-progress");
    asks["businessStatus"] =
        json!({"coding": [{"system": "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS", "code": "5.2"}]});
    script.says("GET /r4/Task/t1", asks).says("PUT /r4/Task/t1", task("6", "cancelled"));
    script.practice().keep_task(&standing(CoarseStep::Withdrawn)).await.unwrap();
    let body: Value = serde_json::from_str(&script.asked("PUT ")[0].body).unwrap();
    assert_eq!(body["status"], "cancelled");
}
