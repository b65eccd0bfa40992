//! How often a step is tried again: `retry: 3`, or
//! `retry: { user: 3, backoff: { initial: 1s, factor: 2, max: 1m } }`. Each
//! number may be an expression. With `jitter: false` waits are exact.

use super::draft::Use;
use super::field::{Field, Fields, Keys};
use super::node::Kind;
use super::quantity::show_ms;
use super::reader::Reader;
use super::setting;
use super::site::Site;
use crate::retry::{FACTOR_MAX, RetryPart, RetryRule, TRIES_MAX, WAIT_MS_MAX};

const KEYS: Keys =
    Keys { of: "retry", known: &["user", "platform", "timeout", "backoff"], planned: &[] };

const BACKOFF_KEYS: Keys =
    Keys { of: "backoff", known: &["initial", "factor", "max", "jitter"], planned: &[] };

/// Reads `retry`. What is not said is as it is without it.
pub(super) fn read(
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<RetryRule> {
    let mut parts = Parts { rule: RetryRule::default(), uses, reader };
    if matches!(field.node.kind, Kind::Number(_)) || setting::is_computed(field) {
        parts.tries(field, RetryPart::User);
        return Some(parts.rule);
    }
    let remedy = "say how often, as in `retry: 3` or `retry: { user: 3, timeout: 1 }`";
    let fields = field.fields(remedy, &mut parts.reader.problems)?;
    fields.check_keys(&KEYS, &mut parts.reader.problems);
    let budgets = [
        ("user", RetryPart::User),
        ("platform", RetryPart::Platform),
        ("timeout", RetryPart::Timeout),
    ];
    for (key, part) in budgets {
        if let Some(field) = fields.get(key) {
            parts.tries(&field, part);
        }
    }
    if let Some(field) = fields.get("backoff") {
        parts.backoff(&field);
    }
    Some(parts.rule)
}

/// A rule that is being read.
struct Parts<'r, 'c> {
    rule: RetryRule,
    uses: &'r mut Vec<Use>,
    reader: &'r mut Reader<'c>,
}

impl Parts<'_, '_> {
    /// Reads how often it is tried again after one kind of failure.
    fn tries(&mut self, field: &Field<'_>, part: RetryPart) {
        if setting::is_computed(field) {
            let tries = setting::number(field, "a whole number", self.uses, self.reader);
            self.rule.computed.extend(tries.map(|tries| (part, tries)));
            return;
        }
        let tries = field.whole(0..=TRIES_MAX, &mut self.reader.problems);
        let fixed = &mut self.rule.fixed;
        let place = match part {
            RetryPart::User => &mut fixed.user,
            RetryPart::Platform => &mut fixed.platform,
            _ => &mut fixed.timeout,
        };
        *place = tries.map_or(*place, |tries| tries as u32);
    }

    fn backoff(&mut self, field: &Field<'_>) {
        let remedy = "say how long to wait, as in { initial: 1s, factor: 2, max: 1m }";
        let Some(fields) = field.fields(remedy, &mut self.reader.problems) else { return };
        fields.check_keys(&BACKOFF_KEYS, &mut self.reader.problems);
        let initial = self.wait(&fields, "initial", RetryPart::Initial);
        let max = self.wait(&fields, "max", RetryPart::Max);
        let is_wait = |part: &RetryPart| matches!(part, RetryPart::Initial | RetryPart::Max);
        let is_computed = self.rule.computed.iter().any(|(part, _)| is_wait(part));
        let backoff = &mut self.rule.fixed.backoff;
        backoff.initial_ms = initial.unwrap_or(backoff.initial_ms);
        backoff.max_ms = max.unwrap_or(backoff.max_ms.max(backoff.initial_ms));
        if backoff.initial_ms > backoff.max_ms && !is_computed {
            let message =
                format!("the first wait is longer than `max`, {}", show_ms(backoff.max_ms));
            let remedy = "make `initial` shorter or `max` longer";
            field.problem(&mut self.reader.problems, message, remedy);
        }
        if let Some(field) = fields.get("factor") {
            self.factor(&field);
        }
        let jitter = fields.get("jitter").and_then(|it| it.flag(&mut self.reader.problems));
        self.rule.fixed.backoff.jitter = jitter.unwrap_or(true);
    }

    /// Reads a wait; `None` if it is not written as such.
    fn wait(&mut self, fields: &Fields<'_>, key: &str, part: RetryPart) -> Option<u64> {
        let field = fields.get(key)?;
        if setting::is_computed(&field) {
            let wait = field.template(Site::Setting, self.uses, &mut self.reader.problems);
            self.rule.computed.extend(wait.map(|wait| (part, wait)));
            return None;
        }
        field.duration_ms(WAIT_MS_MAX, &mut self.reader.problems)
    }

    fn factor(&mut self, field: &Field<'_>) {
        if setting::is_computed(field) {
            let factor = setting::number(field, "a number", self.uses, self.reader);
            self.rule.computed.extend(factor.map(|factor| (RetryPart::Factor, factor)));
            return;
        }
        let factor = match &field.node.kind {
            Kind::Number(number) => number.as_f64(),
            _ => None,
        };
        match factor.filter(|factor| (1.0..=FACTOR_MAX).contains(factor)) {
            Some(factor) => self.rule.fixed.backoff.factor = factor,
            None => {
                let message = format!("is {}, expected a number", field.node.described());
                let remedy = format!("use 1 to {FACTOR_MAX}, where 2 doubles the wait each time");
                field.problem(&mut self.reader.problems, message, remedy);
            }
        }
    }
}
