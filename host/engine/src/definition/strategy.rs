//! Which runs go on at once: `run_strategy: sequential`, `parallel(20)`, or
//! `{ rule: parallel, concurrency: 20 }`.

use super::field::{Field, Keys};
use super::node::{Kind, shown};
use super::reader::Reader;
use crate::strategy::RunStrategy;

const KEYS: Keys = Keys { of: "run_strategy", known: &["rule", "concurrency"], planned: &[] };

/// The rules by name. `parallel` may have a number.
const RULES: [(&str, RunStrategy); 6] = [
    ("parallel", RunStrategy::All),
    ("sequential", RunStrategy::Sequential),
    ("strict_sequential", RunStrategy::StrictSequential),
    ("first_only", RunStrategy::FirstOnly),
    ("last_only", RunStrategy::LastOnly),
    ("serial_latest_only", RunStrategy::SerialLatestOnly),
];

/// How many runs may go on at once where a number is given.
const CONCURRENCY_MAX: u32 = 1_000;

/// Reads `run_strategy`.
pub(super) fn read(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<RunStrategy> {
    if !matches!(field.node.kind, Kind::Map(_)) {
        return rule(field, true, reader);
    }
    let fields = field.fields("", &mut reader.problems)?;
    fields.check_keys(&KEYS, &mut reader.problems);
    let Some(named) = fields.get("rule") else {
        let remedy = "name one, as in { rule: parallel, concurrency: 20 }";
        fields.missing("rule", remedy, &mut reader.problems);
        return None;
    };
    let rule = rule(&named, false, reader)?;
    let Some(field) = fields.get("concurrency") else { return Some(rule) };
    let most = field.whole(1..=u64::from(CONCURRENCY_MAX), &mut reader.problems)?;
    if rule != RunStrategy::All {
        let message = "only the rule parallel has a concurrency";
        reader.problems.add(field.key_mark, &field.path, message, "remove it");
    }
    Some(RunStrategy::Parallel(most as u32))
}

/// The rule that a text names, where `may_count` also `parallel(20)`.
fn rule(field: &Field<'_>, may_count: bool, reader: &mut Reader<'_>) -> Option<RunStrategy> {
    let names = RULES.map(|(name, _)| name);
    let remedy = format!("use one of {}", names.join(", "));
    let text = field.text(&remedy, &mut reader.problems)?;
    let count = text.strip_prefix("parallel(").and_then(|rest| rest.strip_suffix(')'));
    let Some(count) = count.filter(|_| may_count) else {
        return field.choice(&names, &mut reader.problems).map(|place| RULES[place].1);
    };
    let is_plain = count.bytes().all(|byte| byte.is_ascii_digit()) && !count.starts_with('0');
    let count = count.parse().ok().filter(|count| is_plain && *count <= CONCURRENCY_MAX);
    if count.is_none() {
        let remedy = format!("put 1 to {CONCURRENCY_MAX} in the parentheses");
        field.problem(&mut reader.problems, format!("{} is no strategy", shown(text)), remedy);
    }
    count.map(RunStrategy::Parallel)
}
