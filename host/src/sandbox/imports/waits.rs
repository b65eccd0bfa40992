//! `segno:step/waits`: waiting for the first of several things.

use super::wrong_answer;
use crate::sandbox::durable::{Answer, Call, Condition, Happening};
use crate::sandbox::guest::{Guest, wit};
use crate::sandbox::limits::Stop;
use wit::segno::step::waits;

/// What one wait may have.
const CONDITIONS_MAX: usize = 100;

impl waits::Host for Guest {
    async fn any(
        &mut self,
        conditions: Vec<waits::Condition>,
    ) -> wasmtime::Result<(u32, waits::Happening)> {
        if conditions.is_empty() || conditions.len() > CONDITIONS_MAX {
            return Err(Stop::Misuse(format!(
                "`waits.any` takes 1 to {CONDITIONS_MAX} conditions, not {}",
                conditions.len()
            ))
            .into());
        }
        let conditions = conditions.into_iter().map(Condition::from).collect();
        match self.call_durable(Call::WaitAny { conditions }).await? {
            Answer::Woken { index, happening } => Ok((index, happening.into())),
            other => Err(wrong_answer("waits.any", &other)),
        }
    }
}

impl From<waits::Condition> for Condition {
    fn from(condition: waits::Condition) -> Self {
        match condition {
            waits::Condition::Timer(moment_ms) => Self::Timer(moment_ms),
            waits::Condition::Signal(pattern) => Self::Signal(pattern.into()),
            waits::Condition::Run(run) => Self::Run(run),
        }
    }
}

impl From<Happening> for waits::Happening {
    fn from(happening: Happening) -> Self {
        match happening {
            Happening::Timer => Self::Timer,
            Happening::Signal(signal) => Self::Signal(signal.into()),
            Happening::Run(result) => {
                Self::Run(result.map_err(|(message, details)| wit::Failure { message, details }))
            }
        }
    }
}
