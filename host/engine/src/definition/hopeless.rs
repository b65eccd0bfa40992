//! What is written correctly and can never work: a sleep that its time-out cuts
//! off, lists with too many pairs, a loop whose variables stay as they are, a
//! workflow that waits for itself. Only what does not depend on a run is judged.

use super::draft::{
    Draft, DraftBody, DraftKind, DraftLoop, DraftRule, DraftStep, DraftSubworkflow,
};
use super::problem::Problems;
use super::quantity::show_ms;
use crate::setting::{SLEEP_MS_MAX, Setting, millis_of};
use crate::settle::ITERATIONS_MAX;
use crate::template::Template;
use serde_json::Value;

/// Reports it.
pub(super) fn check(draft: &Draft, problems: &mut Problems) {
    let rule = draft.run_strategy.unwrap_or_default();
    // Whoever waits for a run of the same workflow keeps it from beginning.
    let alone = (rule.runs_max() == 1).then_some(draft.name.as_str());
    body(&draft.body, alone, problems);
}

fn body(body: &DraftBody, alone: Option<&str>, problems: &mut Problems) {
    for step in &body.steps {
        match &step.kind {
            Some(DraftKind::Sleep(Some(time))) => sleep(step, time, problems),
            Some(DraftKind::Subworkflow(other)) => itself(step, (other, alone), problems),
            Some(DraftKind::Loop(looped)) => {
                match looped.rule {
                    DraftRule::Foreach { .. } => product(step, looped, problems),
                    DraftRule::While { .. } => standstill(step, looped, problems),
                }
                self::body(&looped.body, alone, problems);
            }
            _ => {}
        }
    }
}

fn sleep(step: &DraftStep, time: &Template, problems: &mut Problems) {
    let time = time.constant().and_then(|time| millis_of(time.value(), 0..=SLEEP_MS_MAX).ok());
    let (Some(time), Some(Setting::Fixed(timeout))) = (time, &step.timeout) else { return };
    if time > *timeout {
        let (time, timeout) = (show_ms(time), show_ms(*timeout));
        let message = format!("ends a sleep of {time} after {timeout}, so the step always fails");
        let remedy = "give it more time, or remove it";
        problems.add(step.mark, &format!("{}.timeout", step.path), message, remedy);
    }
}

fn product(step: &DraftStep, looped: &DraftLoop, problems: &mut Problems) {
    let length = |(_, list): &(String, Option<Template>)| match list.as_ref()?.constant()?.value() {
        Value::Array(elements) => Some(elements.len()),
        _ => None,
    };
    let lengths: Option<Vec<usize>> = looped.variables.iter().map(length).collect();
    let count = lengths.unwrap_or_default().into_iter().fold(1, usize::saturating_mul);
    if count > ITERATIONS_MAX {
        let message = format!("has {count} iterations, more than the {ITERATIONS_MAX} allowed");
        let remedy = "split the lists over several steps";
        problems.add(step.mark, &format!("{}.foreach", step.path), message, remedy);
    }
}

/// What the output of a body has no field for stays as it was, and its condition
/// with it.
fn standstill(step: &DraftStep, looped: &DraftLoop, problems: &mut Problems) {
    let Some(output) = &looped.body.output else { return };
    let fields = match (output.fields(), output.constant()) {
        (Some(fields), _) => fields,
        (None, Some(_)) => Vec::new(),
        (None, None) => return,
    };
    let changes = looped.variables.iter().any(|(name, _)| fields.contains(name));
    if !changes && let Some((name, _)) = looped.variables.first() {
        let message = "has no field named like a loop variable, so the condition never changes";
        let remedy = format!("give the next value, as in {{ {name}: \"${{…}}\" }}");
        problems.add(step.mark, &format!("{}.output", step.path), message, remedy);
    }
}

fn itself(
    step: &DraftStep,
    (other, alone): (&DraftSubworkflow, Option<&str>),
    problems: &mut Problems,
) {
    let name = other.workflow.as_ref().and_then(|name| name.constant());
    let name = name.and_then(|name| name.value().as_str());
    if other.sync && name.is_some() && name == alone {
        let message = "waits for a run of its own workflow, which may not begin while this one is \
                       open";
        let remedy = "use `run_strategy: parallel`, or `sync: false`";
        problems.add(step.mark, &format!("{}.workflow", step.path), message, remedy);
    }
}
