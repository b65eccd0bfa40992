//! Signals: one order per name, waits that look back and compare, and what
//! steps publish when their work is done.

use crate::stage::{BY, Stage, place_of};
use segno_engine::command::StepAction;
use segno_engine::event::Event;
use segno_engine::id::RunId;
use segno_engine::payload::Payload;
use segno_engine::run::StepState;
use segno_engine::signal::{Params, Publisher, Scalar};
use segno_engine::webhook::Form;
use segno_host::driver::{
    Delivered, DeliveryError, ForkRun, Incoming, Publish, Published, RunSignal,
};
use segno_host::store::{Ids, Paging, SignalRecord};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

fn signal(name: &str, id: Option<&str>, params: Value) -> Publish {
    Publish {
        name: name.to_owned(),
        id: id.map(str::to_owned),
        params: Params::of(&params).expect("they are scalars"),
        payload: Payload::from(params),
        publisher: Publisher::api(BY),
    }
}

/// The signals of a name, in order.
fn kept(stage: &Stage, name: &str) -> Vec<SignalRecord> {
    let store = stage.driver().store();
    stage.block(store.barrier().durable()).expect("the store is sound");
    store.signals(&stage.tenant, name, 0, 2_000).expect("the store answers")
}

/// The runs and steps that used a signal.
fn uses(stage: &Stage, name: &str, sequence: u64) -> Vec<(RunId, Option<String>)> {
    let store = stage.driver().store();
    stage.block(store.barrier().durable()).expect("the store is sound");
    let page = store.signal_uses(&stage.tenant, (name, sequence), &Paging::first(100));
    page.expect("the store answers").items.into_iter().map(|used| (used.run, used.step)).collect()
}

#[test]
fn publications_at_once_have_one_dense_order_and_an_id_counts_once() {
    const COUNT: u64 = 1_000;
    let stage = Stage::new();
    let publish_all = || {
        stage.block(async {
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..COUNT {
                let (driver, tenant) = (stage.driver().clone(), stage.tenant.clone());
                let publish = signal("tick", Some(&format!("id {number}")), json!({ "n": number }));
                tasks.spawn(async move { driver.publish(&tenant, publish).await });
            }
            let published = tasks.join_all().await.into_iter();
            published.map(|published| published.expect("it is well formed")).collect::<Vec<_>>()
        })
    };
    let place = |one: &Published| (one.id.clone(), one.sequence);
    let first = publish_all();
    assert!(first.iter().all(|one| !one.repeated));
    let sequences: BTreeSet<u64> = first.iter().map(|one| one.sequence).collect();
    assert!(sequences.into_iter().eq(1..=COUNT));
    let again = publish_all();
    assert!(again.iter().all(|one| one.repeated));
    let places = |all: &[Published]| all.iter().map(place).collect::<BTreeSet<_>>();
    assert_eq!(places(&first), places(&again));
    assert_eq!(kept(&stage, "tick").len() as u64, COUNT);
}

#[test]
fn a_signal_from_before_the_step_releases_it_and_tests_compare() {
    let stage = Stage::new();
    for (day, rows) in [("2026-10-31", 9), ("2026-11-02", 4), ("2026-11-03", 5), ("2026-12-01", 6)]
    {
        stage.publish(signal("day/landed", None, json!({ "day": day, "rows": rows })));
    }
    stage.apply(
        r#"
workflow: gated
params: { from: "2026-11-01" }
steps:
  - id: gate
    wait: { signal: day/landed, match: { day: { ">=": "${params.from}", "<": "2026-12" }, rows: { "!=": 4 } } }
  - { id: later, needs: [gate], wait: { signal: day/landed, match: { day: { in: [x, "2027-01-01"], prefix: "2027-" } } } }
"#,
    );
    let run = stage.start("gated");
    stage.until_step(run, "gate", "succeeded");
    assert_eq!(stage.output(run, "gate")["sequence"], json!(3));
    assert_eq!(uses(&stage, "day/landed", 3), [(run, Some("gate".to_owned()))]);
    stage.until_step(run, "later", "waiting");
    stage.publish(signal("day/landed", None, json!({ "day": "2027-01-02", "rows": 1 })));
    stage.publish(signal("day/landed", None, json!({ "day": "2027-01-01", "rows": 1 })));
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "later")["sequence"], json!(6));
    assert_eq!(uses(&stage, "day/landed", 6), [(run, Some("later".to_owned()))]);
    assert_eq!(uses(&stage, "day/landed", 2), []);
    // What was matched once is kept, however often the run goes on.
    stage.retry(run, Some("gate"));
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "gate")["sequence"], json!(3));
}

#[test]
fn somebody_lets_a_step_go_on_without_its_signal() {
    let stage = Stage::new();
    stage.apply("workflow: gated\nsteps: [{ id: gate, wait: { signal: never } }]\n");
    let run = stage.start("gated");
    stage.until_step(run, "gate", "waiting");
    stage.act_on(run, "gate", StepAction::Bypass);
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "gate"), json!({ "bypassed_by": BY }));
    let history = stage.history(run);
    let by = history.iter().find_map(|moment| match &moment.event {
        Event::WaitBypassed { by, .. } => Some(by.as_str()),
        _ => None,
    });
    assert_eq!(by, Some(BY));
}

#[test]
fn what_a_step_publishes_is_there_before_it_has_succeeded() {
    let stage = Stage::new();
    stage.apply(
        r#"
workflow: publisher
steps:
  - id: load
    noop: true
    params: { station: seattle, rows: 7 }
    signals:
      - { name: "landed/${self.station}", params: { rows: "${self.output.rows}" }, payload: "${self.output}" }
      - { name: done }
  - { id: nap, sleep: 1, needs: [load], signals: "${[{'name': 'done', 'payload': run.id}]}" }
"#,
    );
    stage.apply("workflow: consumer\nsteps: [{ id: gate, wait: { signal: landed/seattle } }]\n");
    let consumer = stage.start("consumer");
    let run = stage.start("publisher");
    assert_eq!(stage.end(consumer), "succeeded");
    assert_eq!(stage.play(run), "succeeded");
    let landed = kept(&stage, "landed/seattle");
    let [landed] = landed.as_slice() else { panic!("{landed:?}") };
    assert_eq!(landed.payload.value(), &json!({ "station": "seattle", "rows": 7 }));
    assert_eq!(landed.params, Params::of(&json!({ "rows": 7 })).unwrap());
    let publisher = Publisher::Step { run, step: "load".to_owned(), attempt: 0 };
    assert_eq!(landed.publisher, publisher);
    let done = kept(&stage, "done");
    assert_eq!(done.len(), 2);
    assert_eq!(done[1].publisher, Publisher::Step { run, step: "nap".to_owned(), attempt: 1 });
    assert_eq!(uses(&stage, "landed/seattle", 1), [(consumer, Some("gate".to_owned()))]);
    let history = stage.history(run);
    let place = |wanted: fn(&Event) -> bool| history.iter().position(|it| wanted(&it.event));
    let done = place(|event| matches!(event, Event::StepPublishing { step: 0, .. }));
    let succeeded = place(
        |event| matches!(event, Event::StepPublished { step: 0, sequences, .. } if *sequences == [1, 1]),
    );
    assert!(done.is_some() && done < succeeded, "{history:#?}");
}

#[test]
fn a_step_in_a_loop_publishes_and_a_carried_one_does_not() {
    let stage = Stage::new();
    stage.apply(
        r#"
workflow: other
steps: [{ id: inner, noop: true, params: { n: 5 } }]
"#,
    );
    stage.apply(
        r#"
workflow: looped
params: { what: { type: json } }
steps:
  - id: all
    foreach: { n: [1, 2, 3] }
    steps: [{ id: one, noop: true, params: { n: "${loop.n}" }, signals: [{ name: one, params: { n: "${self.n}" } }] }]
    signals: [{ name: all, payload: "${self.output}" }]
  - { id: sub, workflow: other, signals: [{ name: sub, payload: "${self.output}" }] }
  - id: last
    noop: true
    needs: [all, sub]
    retry: 0
    signals: "${params.what}"
"#,
    );
    let run = stage.start_with("looped", json!({ "what": "none" }));
    assert_eq!(stage.end(run), "failed");
    let known = stage.run(run);
    match &known.steps()[place_of(&known, "last") as usize].state {
        StepState::Failed { failure } => {
            assert!(failure.message.starts_with("`signals`: gave \"none\", expected a list"));
        }
        other => panic!("{other:?}"),
    }
    let counts = |stage: &Stage| ["one", "all", "sub"].map(|name| kept(stage, name).len());
    assert_eq!(counts(&stage), [3, 1, 1]);
    let [all] = kept(&stage, "all").try_into().expect("there is one");
    assert_eq!(all.payload.value(), &json!([{ "n": 1 }, { "n": 2 }, { "n": 3 }]));
    stage.retry(run, None);
    assert_eq!(stage.end(run), "failed");
    assert_eq!(counts(&stage), [3, 1, 1], "what is complete publishes nothing again");
    let fork = ForkRun {
        of: run,
        from: Some("last".to_owned()),
        version: None,
        params: Map::from_iter([("what".to_owned(), json!([]))]),
        step_params: Map::new(),
        by: BY.to_owned(),
        idempotency_key: None,
    };
    let fork = stage.block(stage.driver().fork(&stage.tenant, fork)).expect("it fits").run;
    assert_eq!(stage.end(fork), "succeeded");
    assert_eq!(counts(&stage), [3, 1, 1], "what is carried over publishes nothing again");
    stage.retry(run, Some("all"));
    assert_eq!(stage.end(run), "failed");
    assert_eq!(counts(&stage), [6, 2, 1], "what is done again is published again");
}

const DAY: f64 = 86_400.0;

#[test]
fn signals_go_also_where_nothing_is_published_any_more() {
    const NAMES: u64 = 200;
    let stage = Stage::new();
    let name = |n: u64| format!("order/{n}/paid");
    for n in 0..NAMES {
        stage.publish(signal(&name(n), Some("x"), json!({ "order": 1 })));
    }
    stage.advance(6.0 * DAY);
    stage.publish(signal("other", None, json!({})));
    stage.advance(1.0 * DAY);
    assert!((0..NAMES).all(|n| kept(&stage, &name(n)).len() == 1));
    // Not all at once: the clock has to go on between the turns.
    stage.advance(7_200.0);
    let is_clean = || {
        stage.advance(1.0);
        (0..NAMES).all(|n| kept(&stage, &name(n)).is_empty())
    };
    stage.wait_for("no signal of these is left", is_clean);
    assert_eq!(kept(&stage, "other").len(), 1);
    let store = stage.driver().store();
    for n in 0..NAMES {
        let ids = Ids::of(&name(n), &Publisher::api(BY));
        assert_eq!(store.signal_by_id(&stage.tenant, &ids, "x"), Ok(None));
        let param = ("order", &Scalar::Integer(1));
        assert_eq!(store.next_with_param(&stage.tenant, &name(n), param, 0), Ok(None));
    }
    let again = signal(&name(7), Some("x"), json!({ "order": 1 }));
    let again = stage.block(stage.driver().publish(&stage.tenant, again)).expect("it is good");
    assert_eq!((again.sequence, again.repeated), (2, false), "the order goes on");
}

#[test]
fn a_wait_finds_nothing_that_is_older_than_signals_are_kept() {
    let stage = Stage::new();
    stage.publish(signal("tick", None, json!({ "n": 1 })));
    stage.advance(7.0 * DAY - 5.0);
    stage.publish(signal("tick", None, json!({ "n": 2 })));
    stage.apply("workflow: gated\nsteps: [{ id: gate, wait: { signal: tick } }]\n");
    let first = stage.start("gated");
    assert_eq!(stage.end(first), "succeeded");
    assert_eq!(stage.output(first, "gate")["sequence"], json!(1));
    // The rows are there for some time yet.
    stage.advance(6.0);
    assert_eq!(kept(&stage, "tick").len(), 2);
    let second = stage.start("gated");
    assert_eq!(stage.end(second), "succeeded");
    assert_eq!(stage.output(second, "gate")["sequence"], json!(2));
}

#[test]
fn a_trigger_that_was_away_for_long_still_sees_each_signal() {
    const COUNT: u64 = 150;
    let mut stage = Stage::new();
    stage.apply(
        "workflow: counted\ntriggers: [{ signal: { name: tick } }]\n\
         steps: [{ id: nothing, sleep: 1s }]\n",
    );
    stage.publish(signal("tick", None, json!({})));
    let firings = || {
        let store = stage.driver().store();
        store.all_triggers(&stage.tenant).expect("the store answers")[0].firings
    };
    stage.comes_to(1, firings);
    // It takes signals, and no trigger looks at them any more.
    stage.driver().stop();
    for n in 0..COUNT {
        stage.publish(signal("tick", None, json!({ "n": n })));
    }
    stage.down_for(9.0 * DAY);
    let trigger = || stage.driver().store().all_triggers(&stage.tenant).expect("it answers");
    stage.comes_to(COUNT + 1, || trigger()[0].firings);
    assert_eq!(trigger()[0].dropped, 0);
    let is_clean = || {
        stage.advance(3_600.0);
        kept(&stage, "tick").is_empty()
    };
    stage.wait_for("what it has seen goes", is_clean);
}

#[test]
fn nobody_takes_the_id_of_what_a_step_will_publish() {
    let stage = Stage::new();
    stage.apply(
        "workflow: told\nsteps:\n  - { id: pause, sleep: 1h }\n  \
         - { id: end, needs: [pause], sleep: 1s, signals: [{ name: done }] }\n",
    );
    let run = stage.start("told");
    stage.until_step(run, "pause", "waiting");
    let id = format!("{run}/end/end/1/0");
    let publish = signal("done", Some(&id), json!({ "mine": true }));
    let refused = stage.block(stage.driver().publish(&stage.tenant, publish)).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("is for what the steps of the run publish; use another id"), "{said}");
    let publisher = Publisher::api(BY);
    let (name, payload) = ("done".to_owned(), Payload::null());
    let to_run = RunSignal { name, id: Some(id.clone()), payload, publisher };
    let refused = stage.block(stage.driver().signal_run(&stage.tenant, run, to_run)).unwrap_err();
    assert_eq!(refused.to_string(), said);
    // What only looks like it is as good as any.
    for id in [run.to_string(), "run_1/end".to_owned()] {
        stage.publish(signal("other", Some(&id), json!({})));
    }
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(kept(&stage, "done")[0].id, id);
}

#[test]
fn a_signed_request_counts_no_longer_than_its_id_is_known() {
    let stage = Stage::new();
    let driver = stage.driver().clone().keeping_signals(4 * 60_000);
    stage.block(driver.set_secret(&stage.tenant, "S", "whsec")).expect("it is kept");
    let definition = "name: paid\nkind: stripe\nsecret: S\nsignal: paid\ntolerance: 1h\n";
    stage.block(driver.create_webhook(&stage.tenant, definition, BY)).expect("it is right");
    let signed = driver.clock().now().0 / 1_000;
    let body = br#"{"id":"evt_1"}"#;
    let deliver = || {
        let headers = Form::Stripe.sign(b"whsec", signed, body).into_iter().collect();
        let incoming = Incoming { headers, ..Incoming::default() };
        let admitted = driver.admit_request(&stage.tenant, "paid", incoming).expect("it is signed");
        stage.block(driver.deliver(admitted, body))
    };
    let is_repeated = |delivered| match delivered {
        Ok(Delivered::Signal(published)) => Some(published.repeated),
        Ok(other) => panic!("it is a signal, not {other:?}"),
        Err(DeliveryError::TooOld) => None,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(is_repeated(deliver()), Some(false));
    stage.advance(115.0);
    assert_eq!(is_repeated(deliver()), Some(true));
    stage.advance(130.0);
    assert_eq!(is_repeated(deliver()), None, "its signal is over, the tolerance is not");
}
