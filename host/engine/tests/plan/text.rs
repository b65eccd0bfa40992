//! A plan as the text of a definition. JSON is YAML, so that nothing has to be
//! quoted by hand here.

use super::{Body, Condition, FailureMode, Kind, List, Plan, Read, Shape, Step, Target};
use serde_json::{Map, Value, json};

impl Plan {
    /// The definition, as an author would write it.
    pub fn definition(&self) -> String {
        let mut text = Map::new();
        text.insert("workflow".into(), json!(self.name));
        text.insert("params".into(), json!({ "k": { "type": "int", "value": 1 } }));
        if let Some(timeout) = self.timeout_ms {
            text.insert("timeout".into(), json!(format!("{timeout}ms")));
        }
        if let Some(most) = self.run_step_concurrency {
            text.insert("run_step_concurrency".into(), json!(most));
        }
        write_body(&self.body, None, &mut text);
        serde_json::to_string_pretty(&text).expect("a tree of JSON has a text")
    }
}

/// A body, which counts `variable` up if it is that of a `while`.
fn write_body(body: &Body, variable: Option<&str>, text: &mut Map<String, Value>) {
    text.insert("steps".into(), body.steps.iter().map(write_step).collect());
    let mut output = body.output.as_deref().map(write_reads);
    if let Some(variable) = variable {
        let output = output.get_or_insert_with(|| json!({}));
        output[variable] = json!(format!("${{loop.{variable} + 1}}"));
    }
    if let Some(output) = output {
        text.insert("output".into(), output);
    }
}

fn mode_text(mode: &FailureMode) -> &'static str {
    match mode {
        FailureMode::Ignore => "ignore_failure",
        FailureMode::Immediately => "fail_immediately",
    }
}

fn write_step(step: &Step) -> Value {
    let mut text = Map::new();
    text.insert("id".into(), json!(format!("s{}", step.number)));
    let needs = step.needs.iter().map(|(number, condition)| {
        (
            format!("s{number}"),
            condition.as_ref().map_or(Value::Null, |c| json!(write_condition(c))),
        )
    });
    text.insert("needs".into(), Value::Object(needs.collect()));
    if let Some(when) = &step.when {
        text.insert("when".into(), json!(write_condition(when)));
    }
    if let Some(timeout) = step.timeout_ms {
        text.insert("timeout".into(), json!(format!("{timeout}ms")));
    }
    if let Some(mode) = &step.failure_mode {
        text.insert("failure_mode".into(), json!(mode_text(mode)));
    }
    if publishes(step.number) {
        let signal =
            json!({ "name": format!("done.s{}", step.number), "payload": "${self.output}" });
        text.insert("signals".into(), json!([signal]));
    }
    if !step.tags.is_empty() {
        text.insert("tags".into(), json!(step.tags));
    }
    match &step.kind {
        Kind::Noop(number) => {
            text.insert("noop".into(), json!(true));
            text.insert("params".into(), numbers(*number));
        }
        Kind::Sleep(seconds, number) => {
            // Written out, one that its time-out cuts off would be refused.
            text.insert("sleep".into(), json!(format!("${{{seconds}}}")));
            text.insert("params".into(), numbers(*number));
        }
        Kind::Gate => {
            text.insert("wait".into(), json!({ "signal": "landed" }));
        }
        Kind::Sub => {
            text.insert("workflow".into(), json!("other"));
        }
        Kind::While(count, body) => {
            let variable = format!("w{}", step.number);
            let condition = format!("loop.{variable} < {count}");
            let mut looped = json!({ "condition": condition, "max_iterations": 5 });
            looped[&variable] = json!(0);
            text.insert("while".into(), looped);
            write_body(body, Some(&variable), &mut text);
        }
        Kind::Call(reads) => {
            text.insert("component".into(), json!("test/guest@1"));
            text.insert("params".into(), write_reads(reads));
            let [user, platform, timeout] = step.retry;
            let backoff = json!({ "initial": "200ms", "factor": 3, "max": "5s" });
            let retry = json!({ "user": user, "platform": platform, "timeout": timeout, "backoff": backoff });
            text.insert("retry".into(), retry);
        }
        Kind::Foreach(lists, window, body) => {
            let mut foreach = Map::new();
            for (place, list) in lists.iter().enumerate() {
                foreach.insert(format!("v{}_{place}", step.number), write_list(list));
            }
            foreach.insert("concurrency".into(), json!(window.concurrency));
            foreach.insert("strict_ordering".into(), json!(window.is_strict));
            text.insert("foreach".into(), Value::Object(foreach));
            write_body(body, None, &mut text);
        }
    }
    Value::Object(text)
}

/// Whether the step with this number publishes a signal at its end.
pub fn publishes(step: usize) -> bool {
    step % 4 == 1
}

fn write_reads(reads: &[Read]) -> Value {
    let field = |(place, read)| (format!("r{place}"), json!(format!("${{{}}}", write_read(read))));
    Value::Object(reads.iter().enumerate().map(field).collect())
}

fn write_read(read: &Read) -> String {
    match read {
        Read::Guarded(step) => format!("{} ? {} : 0", succeeded(step.number), value(*step)),
        Read::Bare(step) => value(*step),
        Read::Loop(variable) => format!("loop.{variable}"),
        Read::Param => "params.k".to_owned(),
    }
}

fn write_condition(condition: &Condition) -> String {
    match condition {
        Condition::Fixed(holds) => holds.to_string(),
        Condition::Succeeded(step) => succeeded(step.number),
        Condition::Above(step, least) => format!("{} > {least}", value(*step)),
    }
}

fn write_list(list: &List) -> Value {
    match list {
        List::Fixed(count) => (0..*count).collect(),
        List::Of(step) => {
            json!(format!("${{{} ? steps.s{step}.output.list : []}}", succeeded(*step)))
        }
    }
}

fn succeeded(step: usize) -> String {
    format!("steps.s{step}.status == 'succeeded'")
}

fn value(step: Target) -> String {
    let number = step.number;
    match step.shape {
        Shape::List => format!("size(steps.s{number}.output)"),
        Shape::Object => format!("steps.s{number}.output.n"),
        Shape::Variable => format!("steps.s{number}.output.w{number}"),
        Shape::Unknown => "1".to_owned(),
    }
}

/// What a step gives that runs no code.
pub fn numbers(number: u32) -> Value {
    json!({ "n": number, "list": (0..number % 4).collect::<Vec<_>>() })
}
