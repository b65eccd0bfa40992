//! The values of params that read each other, worked out in an order in which
//! each can be.

use super::binding::VALUES_BYTES_MAX;
use super::source::ParamSource;
use crate::expression::References;
use crate::payload::Payload;
use crate::scope::{RunFacts, Scope, StepResult};
use crate::template::Template;
use crate::workflow::{Param, ParamType};
use std::collections::BTreeSet;

/// What is known of one param.
#[derive(Clone, Debug)]
pub(super) enum Slot<'w> {
    /// It has this value.
    Known(Payload, ParamSource),
    /// It has none, which is allowed.
    Absent,
    /// Its value is what this gives.
    Computed(&'w Template),
    /// There is a mistake in it, or in what it reads.
    Unknown,
}

/// The params that are known, without steps and loops around them.
pub(super) struct Known<'a> {
    pub(super) params: Payload,
    pub(super) run: RunFacts<'a>,
}

impl Scope for Known<'_> {
    fn params(&self) -> &Payload {
        &self.params
    }

    fn loop_variables(&self) -> &Payload {
        Payload::empty_object()
    }

    fn step(&self, _id: &str) -> Option<StepResult<'_>> {
        None
    }

    fn run(&self) -> RunFacts<'_> {
        self.run
    }
}

/// The params of a workflow while they are being worked out, in its order.
pub(super) struct Resolution<'w> {
    params: &'w [Param],
    pub(super) slots: Vec<Slot<'w>>,
    run: RunFacts<'w>,
    /// The places of those that are computed and not known yet.
    pending: BTreeSet<usize>,
    /// How large the values are together.
    bytes: usize,
}

/// A mistake in the params: whose it is, `None` for all of them together.
pub(super) type Mistake = (Option<usize>, String);

impl<'w> Resolution<'w> {
    pub(super) fn new(params: &'w [Param], slots: Vec<Slot<'w>>, run: RunFacts<'w>) -> Self {
        let is_pending = |(_, slot): &(usize, &Slot<'_>)| matches!(slot, Slot::Computed(_));
        let pending = slots.iter().enumerate().filter(is_pending).map(|(place, _)| place).collect();
        let size = |slot: &Slot<'_>| match slot {
            Slot::Known(value, _) => value.text().len(),
            Slot::Absent | Slot::Computed(_) | Slot::Unknown => 0,
        };
        let bytes = slots.iter().map(size).sum();
        Self { params, slots, run, pending, bytes }
    }

    /// Works out all that are computed. One that reads `params` as a whole comes
    /// after those that do not, and sees what is known by then.
    pub(super) fn finish(&mut self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        loop {
            if self.bytes > VALUES_BYTES_MAX {
                let message = format!(
                    "the params have {} bytes of JSON together, at most {VALUES_BYTES_MAX} are \
                     allowed; hand large values on in the output of a step",
                    self.bytes
                );
                mistakes.push((None, message));
                return mistakes;
            }
            let Some((place, template)) = self.next() else { break };
            self.pending.remove(&place);
            let found = self.evaluate(place, template);
            self.slots[place] = match found {
                Some(Ok(value)) => {
                    self.bytes = self.bytes.saturating_add(value.text().len());
                    Slot::Known(value, ParamSource::Definition)
                }
                Some(Err(message)) => {
                    mistakes.push((Some(place), message));
                    Slot::Unknown
                }
                None => Slot::Unknown,
            };
        }
        for place in std::mem::take(&mut self.pending) {
            self.slots[place] = Slot::Unknown;
            let message = "reads itself, or others that read each other in a circle; break it";
            mistakes.push((Some(place), message.to_owned()));
        }
        mistakes
    }

    /// The next that reads nothing that is not known yet.
    fn next(&self) -> Option<(usize, &'w Template)> {
        let is_ready = |references: &References| {
            let mut pending = self.pending.iter();
            !pending.any(|place| references.params.contains(&self.params[*place].name))
        };
        let ready = self.pending.iter().filter_map(|place| match &self.slots[*place] {
            Slot::Computed(template) if is_ready(template.references()) => {
                Some((*place, *template))
            }
            _ => None,
        });
        ready.min_by_key(|(place, template)| (template.references().reads_params, *place))
    }

    /// The value of the param at `place`; `None` if it reads what is not known.
    fn evaluate(&self, place: usize, template: &Template) -> Option<Result<Payload, String>> {
        let params = self.read(template.references())?;
        let value = template.render(&Known { params, run: self.run });
        Some(
            value
                .map_err(|error| error.to_string())
                .and_then(|value| fit(&self.params[place].kind, template, &value)),
        )
    }

    /// `params`, with no more of it than is read; `None` if something of it is
    /// not known.
    pub(super) fn read(&self, references: &References) -> Option<Payload> {
        if references.params.is_empty() && !references.reads_params {
            return Some(Payload::empty_object().clone());
        }
        let mut fields = Vec::new();
        for (param, slot) in self.params.iter().zip(&self.slots) {
            if !references.reads_params && !references.params.contains(&param.name) {
                continue;
            }
            match slot {
                Slot::Known(value, _) => fields.push((param.name.as_str(), value.clone())),
                Slot::Absent | Slot::Computed(_) => {}
                Slot::Unknown => return None,
            }
        }
        Some(Payload::from_fields(fields.into_iter()))
    }
}

/// What a template gave, as a value of `kind`.
///
/// # Errors
/// It is none.
pub(super) fn fit(
    kind: &ParamType,
    template: &Template,
    value: &Payload,
) -> Result<Payload, String> {
    let converted = kind.convert_computed(value.value());
    let converted =
        if converted == *value.value() { value.clone() } else { Payload::from(converted) };
    kind.accepts(converted.value()).map_err(|mistake| {
        let gap = if mistake.starts_with('[') { "" } else { " " };
        format!("`{template}`{gap}{mistake}; convert it in the expression, or correct the type")
    })?;
    Ok(converted)
}
