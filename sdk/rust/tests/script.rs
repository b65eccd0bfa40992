//! What a script plays: each durable call through the functions that a step
//! calls, suspended and played again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use segno::prelude::*;
use segno::refusal::Code;
use segno::signals::Signal;
use segno::testing::Script;
use segno::{continuation, http, kv, memo, random, secrets, signals, timers, waits, workflows};

/// What a script says before it fails the test.
fn fault(play: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(play)).expect_err("the script is to fail");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("panics are texts")).to_owned(),
    }
}

#[test]
fn sleeps_end_one_after_the_other_while_the_time_moves() {
    let mut script = Script::new(|_: Value| {
        let begin = timers::now();
        timers::sleep(days(1));
        timers::sleep(hours(12));
        info!("half a day more");
        timers::sleep_until(begin + days(4));
        Ok::<_, Error>(timers::now().duration_since(begin)?.as_secs())
    });
    assert_eq!(script.run_until_suspended().left(), Some(days(1)));
    script.advance("2 days");
    assert_eq!(script.run_until_suspended().left(), Some(days(2)));
    assert_eq!(script.log(), ["half a day more"]);
    script.advance(days(10));
    assert_eq!(script.finish().unwrap(), 4 * 86_400);
    assert_eq!(script.log(), ["half a day more"]);
    script.check_replay();
}

#[test]
fn a_signal_counts_once_and_only_where_it_fits() {
    let mut script = Script::new(|_: Value| {
        let tests = json!({ "order": { ">=": 7, "!=": 8, "in": [7, "x"] } });
        let wait = || signals::wait("paid").matching(tests.clone());
        let first = wait().receive::<u64>()?;
        let second = wait().timeout(days(1)).receive::<u64>()?;
        assert!(wait().timeout(days(1)).receive::<u64>()?.is_none());
        Ok::<_, Error>((first.sequence, first.payload, second.map(|signal| signal.payload)))
    });
    // Published before the wait, which counts.
    script.publish("paid", json!({ "order": 8 }), json!(1));
    script.publish("refunded", json!({ "order": 7 }), json!(2));
    script.publish("paid", json!({ "order": 7.0, "by": "card" }), json!(3));
    script.run_until_suspended().assert_signal("paid");
    script.publish("paid", json!({ "order": 7 }), json!(4)).advance("1 day");
    assert_eq!(script.finish().unwrap(), json!([2, 3, 4]));
    script.check_replay();
}

#[test]
fn an_edge_counts_only_what_comes_after_the_wait_began() {
    let run = |_: Value| signals::wait("price").only_new().receive::<u64>().map(|s| s.payload);
    let mut script = Script::new(run);
    script.publish("price", json!({}), json!(1));
    assert_eq!(script.run_until_suspended().signals(), ["price"]);
    script.publish("price", json!({}), json!(2));
    script.publish("price", json!({}), json!(3));
    assert_eq!(script.finish().unwrap(), 2);
}

#[test]
fn a_url_publishes_for_the_run_once() {
    let mut script = Script::new(|_: Value| {
        info!("{}", signals::one_time_url("approval"));
        let answer = signals::for_this_run("approval").receive::<String>()?;
        Ok::<_, Error>(answer.payload)
    });
    script.run_until_suspended().assert_signal("approval");
    let url = script.log().remove(0);
    script.post(&url, json!("yes"));
    assert_eq!(script.finish().unwrap(), "yes");
    let said = fault(|| {
        script.post(&url, json!("no"));
    });
    assert!(said.contains("was used already"), "{said}");
}

#[test]
fn the_first_of_several_things_counts() {
    enum Next {
        Said(Signal<String>),
        Bell,
    }
    let run = |_: Value| {
        let mut told = Vec::new();
        while told.len() < 3 {
            let next = waits::any()
                .signal(signals::for_this_run("say"), Next::Said)
                .after(minutes(10), || Next::Bell)
                .first()?;
            told.push(match next {
                Next::Said(signal) => signal.payload,
                Next::Bell => "bell".to_owned(),
            });
        }
        Ok::<_, Error>(told)
    };
    let mut script = Script::new(run);
    assert_eq!(script.run_until_suspended().left(), Some(minutes(10)));
    script.advance("11 minutes").signal_run("say", json!("hello")).advance("10 minutes");
    assert_eq!(script.finish().unwrap(), json!(["bell", "hello", "bell"]));
    script.check_replay();
}

#[test]
fn nothing_to_wait_for_is_an_error() {
    let error = Script::new(|_: Value| waits::any::<()>().first()).finish().unwrap_err();
    assert!(error.is_fatal());
    let nested = |_: Value| {
        let wait = signals::wait("paid").matching(json!({ "order": [1] }));
        waits::any().signal(wait, |_: Signal<Value>| ()).first()
    };
    let error = Script::new(nested).finish().unwrap_err();
    assert!(error.message().contains("`paid`") && error.is_fatal(), "{error}");
    let for_run = |_: Value| {
        let wait = signals::for_this_run("paid").matching(json!({ "order": 1 }));
        wait.receive::<Value>().map(|_| ())
    };
    let error = Script::new(for_run).finish().unwrap_err();
    assert!(error.message().contains("has no params") && error.is_fatal(), "{error}");
}

#[test]
fn children_are_started_once_and_their_failures_are_fatal() {
    let run = |_: Value| {
        let good = workflows::start("double", &json!({ "n": 4 }))?;
        let bad = workflows::start_version("double", 2, &json!({ "n": null }))?;
        timers::sleep(seconds(1));
        let ended = waits::any().run(&bad, |ended: Result<u64>| ended).first()?;
        let why = ended.expect_err("null cannot be doubled");
        assert!(why.is_fatal());
        Ok::<_, Error>(json!({ "good": good.wait::<u64>()?, "why": why.message(),
            "details": why.added_details() }))
    };
    let mut script = Script::new(run).child("double", |params| match params["n"].as_u64() {
        Some(n) => Ok(json!(n * 2)),
        None => Err(fatal!("no number").details(json!({ "at": "n" }))),
    });
    script.advance("1s");
    let wanted = json!({ "good": 8, "why": "run_child_2 has no output: no number",
        "details": { "at": "n" } });
    assert_eq!(script.finish().unwrap(), wanted);
    assert_eq!(script.started().len(), 2);
    script.check_replay();
}

#[test]
fn a_memo_is_worked_out_once_and_an_error_is_not_kept() {
    static WORK: AtomicU32 = AtomicU32::new(0);
    let run = |_: Value| {
        let n = memo::once("n", || match WORK.fetch_add(1, Ordering::Relaxed) {
            0 => Err(retryable!("not yet")),
            done => Ok(done),
        })?;
        timers::sleep(seconds(1));
        Ok::<_, Error>(n)
    };
    let mut script = Script::new(run);
    assert_eq!(script.finish().unwrap_err().message(), "not yet");
    script.try_again().advance("1s");
    assert_eq!(script.finish().unwrap(), 1);
    script.check_replay();
    assert_eq!(WORK.load(Ordering::Relaxed), 2);
}

#[test]
fn an_error_of_a_memo_is_not_swallowed() {
    let run = |_: Value| {
        let _ = memo::once("n", || Err::<u32, _>(fatal!("no")));
        timers::sleep(seconds(1));
        Ok::<_, Error>(())
    };
    let said = fault(|| drop(Script::new(run).run_until_suspended()));
    assert!(said.contains("before the memo `n` is recorded"), "{said}");
}

#[test]
fn values_outlive_the_run() {
    let run = |_: Value| {
        let shared = kv::namespace("shared");
        let tax = shared.get::<u64>("tax")?.unwrap_or(0);
        kv::set("total", &(100 + tax))?;
        kv::delete("draft")?;
        timers::sleep(days(1));
        kv::get::<u64>("total")
    };
    let mut script = Script::new(run).kv_in("shared", "tax", json!(19)).kv("draft", json!(1));
    script.advance("1 day");
    assert_eq!(script.finish().unwrap(), 119);
    assert_eq!((script.value("total"), script.value("draft")), (Some(json!(119)), None));
    script.check_replay();
}

#[test]
fn another_try_sends_under_the_same_keys_behind_the_last_wait() {
    const URL: &str = "https://ship.example.com/parcels";
    let run = |ctx: &Context, _: Value| {
        http::post("https://pay.example.com/charges").send()?.error_for_status()?;
        timers::sleep(days(1));
        http::post(URL).json(&json!({ "n": random::next_u64() })).send()?.error_for_status()?;
        Ok::<_, Error>(ctx.attempt())
    };
    let mut script = Script::new(run)
        .http("POST", "https://pay.example.com/charges", 201, json!({}))
        .http("POST", URL, 503, json!({}))
        .http_refused("POST", URL, Code::Unreachable)
        .http("POST", URL, 200, json!({}));
    let failed = script.advance("1 day").finish().unwrap_err();
    assert_eq!(failed.message(), "POST https://ship.example.com/parcels: status 503: {}");
    let failed = script.try_again().finish().unwrap_err();
    assert!(failed.is_refusal(Code::Unreachable) && !failed.is_fatal(), "{failed:?}");
    // The attempt's number is part of what was played before the wait.
    assert_eq!(script.try_again().finish().unwrap(), 1);
    let requests = script.requests();
    let keys = requests.iter().map(|request| request.idempotency_key()).collect::<Vec<_>>();
    assert_eq!(keys, ["run_test/step/0", "run_test/step/2", "run_test/step/2", "run_test/step/2"]);
    assert!(requests[1..].iter().all(|request| request.body == requests[1].body));
    script.check_replay();
}

#[test]
fn a_secret_that_is_not_granted_is_refused() {
    let run = |_: Value| secrets::get("KEY").map(|_| ());
    let error = Script::new(run).finish().unwrap_err();
    assert!(error.is_refusal(Code::Denied) && error.is_fatal());
    assert!(Script::new(run).secret("KEY").finish().is_ok());
}

#[test]
fn what_the_step_publishes_is_seen_and_has_an_identity() {
    let run = |_: Value| {
        let sequence = signals::publish("shipped").param("order", 7).send(&json!("today"))?;
        signals::publish_to_run("run_other", "go", &json!(null))?;
        timers::sleep(days(1));
        Ok::<_, Error>(sequence)
    };
    let mut script = Script::new(run);
    assert_eq!(script.advance("1 day").finish().unwrap(), 1);
    let published = script.published();
    let ids = published.iter().map(|signal| signal.id.as_str()).collect::<Vec<_>>();
    assert_eq!(ids, ["run_test/step/0", "run_test/step/1"]);
    assert_eq!(published[0].params, json!({ "order": 7 }));
    assert_eq!(published[1].run.as_deref(), Some("run_other"));

    let nested = |_: Value| signals::publish("shipped").param("order", [7]).send(&());
    assert!(Script::new(nested).finish().unwrap_err().is_refusal(Code::Invalid));
}

#[test]
fn a_step_goes_on_as_new_and_keeps_its_numbers() {
    let run = |input: Value| {
        let left = input["left"].as_u64().unwrap_or(0);
        http::post("https://a.example/tick").send()?;
        timers::sleep(days(1));
        match left {
            0 => Ok::<_, Error>("done"),
            _ => continuation::continue_as_new(&json!({ "left": left - 1 })),
        }
    };
    let mut script = Script::new(run).input(json!({ "left": 2 })).http(
        "POST",
        "https://a.example/tick",
        200,
        json!({}),
    );
    assert_eq!(script.advance("3 days").finish().unwrap(), "done");
    let keys = script.requests().into_iter().map(|r| r.idempotency_key().to_owned());
    let wanted = ["run_test/step/0", "run_test/step/2", "run_test/step/4"];
    assert_eq!(keys.collect::<Vec<_>>(), wanted);
    assert_eq!(script.calls().len(), 2);
    script.check_replay();
}

#[test]
fn chance_is_the_same_in_each_play_and_another_after_going_on_as_new() {
    let run = |input: Value| {
        let drawn = random::next_u64();
        timers::sleep(days(1));
        match input["before"].as_u64() {
            None => continuation::continue_as_new(&json!({ "before": drawn })),
            Some(before) => Ok::<_, Error>([before, drawn]),
        }
    };
    let mut script = Script::new(run);
    let drawn = script.advance("2 days").finish().unwrap();
    assert_ne!(drawn[0], drawn[1]);
    assert_eq!(Script::new(run).advance("2 days").finish().unwrap(), drawn);
    script.check_replay();
}

#[test]
fn a_step_that_takes_another_turn_is_shown_both() {
    static PLAYS: AtomicU32 = AtomicU32::new(0);
    let mut script = Script::new(|_: Value| {
        match PLAYS.fetch_add(1, Ordering::Relaxed) {
            0 => kv::set("a", &1)?,
            _ => kv::set("a", &2)?,
        }
        timers::sleep(days(1));
        Ok::<_, Error>(())
    });
    script.run_until_suspended();
    let said = fault(|| {
        script.advance("1 day");
    });
    assert!(said.contains("at durable call 1\n"), "{said}");
    assert!(said.contains(r#"before: kv.set "" "a" 1"#), "{said}");
    assert!(said.contains(r#"now: kv.set "" "a" 2"#), "{said}");
}

#[test]
fn the_check_finds_what_a_single_play_does_not() {
    /// Each of these is played once to its end: nothing has shown yet.
    fn check(step: impl Fn(Value) -> Result<u32> + 'static) -> String {
        let mut script = Script::new(step);
        assert!(script.finish().is_ok());
        fault(|| script.check_replay())
    }
    static PLAYS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
    let play = |of: usize| PLAYS[of].fetch_add(1, Ordering::Relaxed);

    let other_result = check(move |_| kv::set("a", &1).map(|()| play(0)));
    assert!(other_result.contains("before: it returned Ok(\"0\")"), "{other_result}");

    let more_calls = check(move |_| {
        kv::set("a", &1)?;
        if play(1) > 0 {
            kv::set("b", &1)?;
        }
        Ok(0)
    });
    assert!(more_calls.contains(r#"now: kv.set "" "b" 1"#), "{more_calls}");

    let fewer_calls = check(move |_| {
        if play(2) == 0 {
            kv::set("a", &1)?;
        }
        Ok(0)
    });
    assert!(fewer_calls.contains("now: it returned Ok(\"0\")"), "{fewer_calls}");

    let more_readings = check(move |_| {
        for _ in 0..=play(3) {
            timers::now();
        }
        kv::set("a", &1)?;
        Ok(0)
    });
    assert!(more_readings.contains("behind 2 readings of the clock"), "{more_readings}");
}

#[test]
fn what_the_script_does_not_bring_is_named_with_its_remedy() {
    let run = |_: Value| signals::wait("paid").receive::<Value>().map(|_| ());
    let said = fault(|| drop(Script::new(run).finish()));
    assert!(said.contains("waits for the signal `paid`"), "{said}");

    let run = |_: Value| http::get("https://a.example/b").send().map(|_| ());
    let said = fault(|| drop(Script::new(run).finish()));
    assert!(said.contains(r#".http("GET", "https://a.example/b", 200"#), "{said}");

    let run = |_: Value| workflows::start("ship", &json!({})).map(|_| ());
    let said = fault(|| drop(Script::new(run).finish()));
    assert!(said.contains(r#".child("ship""#), "{said}");

    let run = |_: Value| Ok::<_, Error>(timers::now_ms());
    let said = fault(|| drop(Script::new(run).run_until_suspended()));
    assert!(said.contains("returned instead of waiting"), "{said}");
}

#[test]
fn a_panic_of_the_step_is_its_own() {
    let said = fault(|| {
        let run = |_: Value| -> Result<()> { panic!("the step is broken") };
        drop(Script::new(run).finish());
    });
    assert_eq!(said, "the step is broken");
}

#[test]
fn a_journal_has_an_end() {
    let run = |_: Value| -> Result<()> {
        loop {
            kv::get::<Value>("a")?;
        }
    };
    let said = fault(|| drop(Script::new(run).finish()));
    assert!(said.contains("`continuation::continue_as_new`"), "{said}");
}
