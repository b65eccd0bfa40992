//! A workflow in a form that people can read, for the cases of definitions.

use segno_engine::grant::Grants;
use segno_engine::retry::Retry;
use segno_engine::schedule::{ScheduleTrigger, Trigger};
use segno_engine::setting::Setting;
use segno_engine::workflow::{
    Body, FailureMode, Foreach, Gate, Inner, Limits, Param, ParamMode, Pin, Step, StepKind,
    StepParam, StepParams, Subworkflow, While, Workflow,
};
use std::fmt::Write as _;

/// The workflow, line by line.
pub fn show(workflow: &Workflow) -> String {
    let Workflow { name, description, owner, tags, run_strategy, .. } = workflow;
    let Workflow { step_concurrency, run_step_concurrency, params, timeout, body, .. } = workflow;
    let mut out = format!("workflow {name}\n");
    let texts = [("description", description), ("owner", owner)];
    for (key, text) in texts.iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
        let _ = writeln!(out, "{key} {text:?}");
    }
    if let Some(tags) = tags {
        let _ = writeln!(out, "tags {tags:?}");
    }
    if let Some(strategy) = run_strategy {
        let _ = writeln!(out, "run strategy {strategy:?}");
    }
    if let Some(most) = step_concurrency {
        let _ = writeln!(out, "step concurrency {most}");
    }
    if let Some(most) = run_step_concurrency {
        let _ = writeln!(out, "run step concurrency {most}");
    }
    show_setting("timeout", timeout.as_ref(), "", &mut out);
    params.iter().for_each(|param| show_param(param, &mut out));
    workflow.triggers.iter().for_each(|trigger| show_trigger(trigger, &mut out));
    show_body(body, "", &mut out);
    out
}

fn show_trigger(trigger: &Trigger, out: &mut String) {
    let _ = match trigger {
        Trigger::Schedule(ScheduleTrigger { id, schedule, paused }) => {
            let paused = if *paused { " paused" } else { "" };
            let spec = serde_json::Value::Object(schedule.spec().to_json());
            writeln!(out, "trigger {id}{paused} {spec}")
        }
        Trigger::Signal(trigger) => writeln!(out, "trigger {} {}", trigger.id, trigger.says()),
    };
}

fn show_setting(key: &str, setting: Option<&Setting>, indent: &str, out: &mut String) {
    let _ = match setting {
        None => Ok(()),
        Some(Setting::Fixed(millis)) => writeln!(out, "{indent}{key} {millis} ms"),
        Some(Setting::Computed(template)) => writeln!(out, "{indent}{key} {template}"),
    };
}

fn show_param(param: &Param, out: &mut String) {
    let Param { name, kind, value, optional, mode, description } = param;
    let _ = write!(out, "param {name}: {kind}");
    if *optional {
        out.push('?');
    }
    if let Some(value) = value {
        let _ = write!(out, " = {value}");
    }
    if *mode != ParamMode::default() {
        let _ = write!(out, " {mode:?}");
    }
    if let Some(description) = description {
        let _ = write!(out, " ({description})");
    }
    out.push('\n');
}

fn show_body(body: &Body, indent: &str, out: &mut String) {
    for step in &body.steps {
        show_step(step, body, indent, out);
    }
    if let Some(output) = &body.output {
        let _ = writeln!(out, "{indent}output {output}");
    }
}

fn show_step(step: &Step, body: &Body, indent: &str, out: &mut String) {
    let Step { id, needs, needed_by, when, kind, timeout, heartbeat_timeout, .. } = step;
    let _ = writeln!(out, "{indent}step {id}");
    let inner = format!("{indent}  ");
    let name = |place: u32| body.steps[place as usize].id.as_str();
    for need in needs {
        let _ = write!(out, "{inner}needs {}", name(need.step));
        if let Some(condition) = &need.condition {
            let _ = write!(out, " if {}", condition.source());
        }
        out.push('\n');
    }
    if !needed_by.is_empty() {
        let names: Vec<_> = needed_by.iter().map(|place| name(*place)).collect();
        let _ = writeln!(out, "{inner}needed by {}", names.join(", "));
    }
    if let Some(when) = when {
        let _ = writeln!(out, "{inner}when {}", when.source());
    }
    show_setting("timeout", timeout.as_ref(), &inner, out);
    show_setting("heartbeat timeout", heartbeat_timeout.as_ref(), &inner, out);
    show_rules(step, &inner, out);
    show_kind(kind, &inner, out);
    if !matches!(kind, StepKind::Foreach(_) | StepKind::While(_)) {
        show_params(&step.params, &inner, out);
    }
    for (name, kind) in step.outputs.iter().flatten() {
        let _ = writeln!(out, "{inner}gives {name}: {kind}");
    }
    if let Some(signals) = &step.signals {
        let _ = writeln!(out, "{inner}publishes {signals}");
    }
    if let StepKind::Call(call) = kind {
        if call.limits != Limits::default() {
            let _ = writeln!(out, "{inner}{:?}", call.limits);
        }
        if *call.grants != Grants::default() {
            let granted = serde_json::to_string(&call.grants).expect("grants are plain data");
            let _ = writeln!(out, "{inner}grants {granted}");
        }
    }
    if let Some(loop_body) = kind.inner() {
        show_inner(loop_body, &inner, out);
    }
}

/// What goes for a step whatever it does.
fn show_rules(step: &Step, indent: &str, out: &mut String) {
    let Step { retry, failure_mode, tags, description, .. } = step;
    if retry.fixed != Retry::default() {
        let _ = writeln!(out, "{indent}{:?}", retry.fixed);
    }
    for (part, template) in &retry.computed {
        let _ = writeln!(out, "{indent}retry {part:?} {template}");
    }
    if *failure_mode != FailureMode::default() {
        let _ = writeln!(out, "{indent}failure mode {failure_mode:?}");
    }
    if !tags.is_empty() {
        let _ = writeln!(out, "{indent}tags {tags:?}");
    }
    if let Some(description) = description {
        let _ = writeln!(out, "{indent}description {description:?}");
    }
}

fn show_kind(kind: &StepKind, indent: &str, out: &mut String) {
    let _ = match kind {
        StepKind::Call(call) => {
            let Pin { name, version, digest } = &call.component;
            writeln!(out, "{indent}component {name}@{version} {digest}")
        }
        StepKind::Foreach(Foreach { variables, concurrency, strict_ordering, .. }) => {
            for (name, list) in variables {
                let _ = writeln!(out, "{indent}each {name} of {list}");
            }
            let strictly = if *strict_ordering { " strictly" } else { "" };
            writeln!(out, "{indent}concurrency {concurrency}{strictly}")
        }
        StepKind::While(While { condition, variables, max_iterations, .. }) => {
            for (name, first) in variables {
                let _ = writeln!(out, "{indent}first {name} is {first}");
            }
            let condition = condition.source();
            writeln!(out, "{indent}while {condition}, at most {max_iterations} times")
        }
        StepKind::Subworkflow(Subworkflow { workflow, version, sync, explicit_params }) => {
            let sync = if *sync { "" } else { ", not waiting" };
            let explicit = if *explicit_params { ", only these params" } else { "" };
            writeln!(out, "{indent}workflow {workflow} version {version}{sync}{explicit}")
        }
        StepKind::Sleep(time) => writeln!(out, "{indent}sleep {time}"),
        StepKind::Wait(Gate { signal, pattern }) => {
            writeln!(out, "{indent}wait for {signal} with {pattern}")
        }
        StepKind::Noop => writeln!(out, "{indent}noop"),
    };
}

fn show_params(params: &StepParams, indent: &str, out: &mut String) {
    match params {
        StepParams::Whole(params) => {
            let _ = writeln!(out, "{indent}params {params}");
        }
        StepParams::Each(params) => {
            for StepParam { name, kind, value, mode } in params {
                let kind = kind.as_ref().map(|kind| format!(": {kind}")).unwrap_or_default();
                let _ = writeln!(out, "{indent}param {name}{kind} = {value} {mode:?}");
            }
        }
    }
}

fn show_inner(inner: &Inner, indent: &str, out: &mut String) {
    let Inner { body, outer_steps } = inner;
    if !outer_steps.is_empty() {
        let _ = writeln!(out, "{indent}reads {} from outside", outer_steps.join(", "));
    }
    show_body(body, &format!("{indent}  "), out);
}
