//! Steps and the order in which they run: joins, conditions, failure modes.

use crate::history::Moment;
use crate::stage::Stage;
use segno_engine::event::Event;
use segno_engine::id::StepIndex;
use std::collections::BTreeMap;

/// A map from text to text.
pub fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The place of the first event that fits.
pub fn first(history: &[Moment], fits: impl Fn(&Event) -> bool) -> usize {
    history.iter().position(|moment| fits(&moment.event)).expect("it happened")
}

/// When a step began, as a place in the history.
pub fn begin(history: &[Moment], wanted: StepIndex) -> usize {
    first(history, |event| matches!(event, Event::StepStarted { step, .. } if *step == wanted))
}

/// When a step was complete.
pub fn end(history: &[Moment], wanted: StepIndex) -> usize {
    first(history, |event| matches!(event, Event::StepSucceeded { step, .. } if *step == wanted))
}

#[test]
fn a_step_waits_for_all_it_needs() {
    let stage = Stage::with(&["noop"]);
    stage.apply(
        "
workflow: two-diamonds
params:
  month: { type: string, value: \"${timestamp('2019-09-07T00:00:00Z').format('%B')}\" }
steps:
  - { id: one, component: noop@1 }
  - { id: two, sleep: 10s, needs: [one] }
  - { id: three, component: noop@1, needs: [two, five] }
  - { id: four, component: noop@1, needs: [three, six] }
  - { id: five, sleep: 20s, needs: [one] }
  - { id: six, sleep: 40s, needs: [one] }
",
    );
    let run = stage.start("two-diamonds");
    assert_eq!(stage.play(run), "succeeded");
    let history = stage.history(run);
    for (before, after) in [(0, 1), (0, 4), (0, 5), (1, 2), (4, 2), (2, 3), (5, 3)] {
        assert!(end(&history, before) < begin(&history, after), "{before} before {after}");
    }
    let seconds: Vec<_> = [2, 3].map(|step| history[begin(&history, step)].at).into();
    assert_eq!(seconds, [20.0, 40.0]);
    assert_eq!(
        stage.run(run).given().map(|it| it.params.text()),
        Some("{\"month\":\"September\"}")
    );
    assert_eq!(stage.rollup(run), BTreeMap::from([("succeeded".to_owned(), 6)]));
}

#[test]
fn a_branch_whose_conditions_do_not_hold_is_pruned_and_its_join_still_fires() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: pruned
params: { x: 5 }
steps:
  - { id: one, noop: true }
  - { id: two, noop: true, needs: { one: } }
  - { id: three, noop: true, needs: { two: params.x > 5 } }
  - { id: four, noop: true, needs: { two: params.x > 3, three: } }
  - { id: five, noop: true, needs: { two: params.x > 3 } }
  - { id: behind, noop: true, needs: { three: 'true' } }
  - { id: never, noop: true, needs: [five], when: 'params.x > 5' }
",
    );
    let run = stage.start("pruned");
    assert_eq!(stage.end(run), "succeeded");
    let expected = texts([
        ("one", "succeeded"),
        ("two", "succeeded"),
        ("three", "unsatisfied"),
        ("four", "succeeded"),
        ("five", "succeeded"),
        ("behind", "unsatisfied"),
        ("never", "unsatisfied"),
    ]);
    assert_eq!(stage.statuses(run), expected);
}

/// A run of three steps: one fails in this mode, one needs it, one goes on for a
/// while beside it.
fn with_failure_mode(mode: &str) -> (String, BTreeMap<String, String>) {
    let stage = Stage::with(&["hostile"]);
    stage.apply(&format!(
        "
workflow: modes
steps:
  - {{ id: fails, component: hostile@1, params: {{ case: fatal }}, failure_mode: {mode} }}
  - {{ id: behind, noop: true, needs: {{ fails: 'true' }} }}
  - {{ id: beside, sleep: 10s }}
"
    ));
    let run = stage.start("modes");
    (stage.play(run), stage.statuses(run))
}

#[test]
fn failure_modes_stop_the_others_or_let_them_finish_or_do_not_matter() {
    let steps =
        |fails, behind, beside| texts([("fails", fails), ("behind", behind), ("beside", beside)]);
    let (status, statuses) = with_failure_mode("fail_immediately");
    assert_eq!((status.as_str(), statuses), ("failed", steps("failed", "cancelled", "cancelled")));
    let (status, statuses) = with_failure_mode("fail_after_running");
    assert_eq!((status.as_str(), statuses), ("failed", steps("failed", "pending", "succeeded")));
    let (status, statuses) = with_failure_mode("ignore_failure");
    let expected = steps("completed_with_error", "succeeded", "succeeded");
    assert_eq!((status.as_str(), statuses), ("succeeded", expected));
}
