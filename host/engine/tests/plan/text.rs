//! A plan as the text of a definition. JSON is YAML, so that nothing has to be
//! quoted by hand here.

use super::{Body, Condition, Kind, List, Plan, Read, Step, Target};
use serde_json::{Map, Value, json};

impl Plan {
    /// The definition, as an author would write it.
    pub fn definition(&self) -> String {
        let mut text = Map::new();
        text.insert("workflow".into(), json!("random"));
        text.insert("params".into(), json!({ "k": { "type": "int", "value": 1 } }));
        if let Some(timeout) = self.timeout_ms {
            text.insert("timeout".into(), json!(format!("{timeout}ms")));
        }
        write_body(&self.body, &mut text);
        serde_json::to_string_pretty(&text).expect("a tree of JSON has a text")
    }
}

fn write_body(body: &Body, text: &mut Map<String, Value>) {
    text.insert("steps".into(), body.steps.iter().map(write_step).collect());
    if let Some(reads) = &body.output {
        text.insert("output".into(), write_reads(reads));
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
    match &step.kind {
        Kind::Call(reads) => {
            text.insert("component".into(), json!("test/guest@1"));
            text.insert("params".into(), write_reads(reads));
            let [user, platform, timeout] = step.retry;
            let backoff = json!({ "initial": "200ms", "factor": 3, "max": "5s" });
            let retry = json!({ "user": user, "platform": platform, "timeout": timeout, "backoff": backoff });
            text.insert("retry".into(), retry);
        }
        Kind::Foreach(lists, concurrency, body) => {
            let mut foreach = Map::new();
            for (place, list) in lists.iter().enumerate() {
                foreach.insert(format!("v{}_{place}", step.number), write_list(list));
            }
            foreach.insert("concurrency".into(), json!(concurrency));
            text.insert("foreach".into(), Value::Object(foreach));
            write_body(body, &mut text);
        }
    }
    Value::Object(text)
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
    match step.is_foreach {
        true => format!("size(steps.s{}.output)", step.number),
        false => format!("steps.s{}.output.n", step.number),
    }
}
