//! How often a step is tried again: `retry: 3`, or
//! `retry: { user: 3, backoff: { initial: 1s, factor: 2, max: 1m } }`.

use super::field::{Field, Keys};
use super::node::Kind;
use super::quantity::show_ms;
use super::reader::Reader;
use crate::retry::{Backoff, Retry};

const KEYS: Keys =
    Keys { of: "retry", known: &["user", "platform", "timeout", "backoff"], planned: &[] };

const BACKOFF_KEYS: Keys =
    Keys { of: "backoff", known: &["initial", "factor", "max"], planned: &[] };

/// The most tries of one kind.
const TRIES_MAX: u64 = 99;

/// The longest wait between tries: a day.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The largest factor by which waits may grow.
const FACTOR_MAX: f64 = 100.0;

/// Reads `retry`. What is not said is as it is without it.
pub(super) fn read(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<Retry> {
    let mut retry = Retry::default();
    if let Kind::Number(_) = field.node.kind {
        retry.user = field.whole(0..=TRIES_MAX, &mut reader.problems)? as u32;
        return Some(retry);
    }
    let remedy = "say how often, as in `retry: 3` or `retry: { user: 3, timeout: 1 }`";
    let fields = field.fields(remedy, &mut reader.problems)?;
    fields.check_keys(&KEYS, &mut reader.problems);
    let budgets = [
        ("user", &mut retry.user),
        ("platform", &mut retry.platform),
        ("timeout", &mut retry.timeout),
    ];
    for (key, budget) in budgets {
        let tries =
            fields.get(key).and_then(|field| field.whole(0..=TRIES_MAX, &mut reader.problems));
        *budget = tries.map_or(*budget, |tries| tries as u32);
    }
    if let Some(field) = fields.get("backoff") {
        retry.backoff = backoff(&field, reader)?;
    }
    Some(retry)
}

fn backoff(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<Backoff> {
    let mut backoff = Backoff::default();
    let remedy = "say how long to wait, as in { initial: 1s, factor: 2, max: 1m }";
    let fields = field.fields(remedy, &mut reader.problems)?;
    fields.check_keys(&BACKOFF_KEYS, &mut reader.problems);
    let mut wait = |key: &str| {
        fields.get(key).and_then(|field| field.duration_ms(WAIT_MS_MAX, &mut reader.problems))
    };
    let (initial, max) = (wait("initial"), wait("max"));
    backoff.initial_ms = initial.unwrap_or(backoff.initial_ms);
    backoff.max_ms = max.unwrap_or(backoff.max_ms.max(backoff.initial_ms));
    if backoff.initial_ms > backoff.max_ms {
        let message = format!("the first wait is longer than `max`, {}", show_ms(backoff.max_ms));
        field.problem(&mut reader.problems, message, "make `initial` shorter or `max` longer");
    }
    if let Some(field) = fields.get("factor") {
        let factor = match &field.node.kind {
            Kind::Number(number) => number.as_f64(),
            _ => None,
        };
        match factor.filter(|factor| (1.0..=FACTOR_MAX).contains(factor)) {
            Some(factor) => backoff.factor = factor,
            None => {
                let message = format!("is {}, expected a number", field.node.described());
                let remedy = format!("use 1 to {FACTOR_MAX}, where 2 doubles the wait each time");
                field.problem(&mut reader.problems, message, remedy);
            }
        }
    }
    Some(backoff)
}
