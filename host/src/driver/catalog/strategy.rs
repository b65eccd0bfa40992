//! Whether the runs of a workflow go with another run strategy.

use super::super::Driver;
use super::WorkflowError;
use crate::store::WorkflowRecord;
use segno_engine::id::TenantId;
use segno_engine::strategy::RunStrategy;

impl Driver {
    /// Whether a workflow may change like this.
    pub(super) async fn check_change(
        &self,
        tenant: &TenantId,
        before: &WorkflowRecord,
        after: &WorkflowRecord,
    ) -> Result<(), WorkflowError> {
        let strategy = |of: &WorkflowRecord| of.properties.run_strategy.unwrap_or_default();
        let (from, to) = (strategy(before), strategy(after));
        if from == to {
            return Ok(());
        }
        // What was ordered until now can be read then.
        self.0.store.barrier().durable().await?;
        self.check_strategy_change(tenant, &before.name, from, to)
    }

    /// Refuses a strategy that has room for one run while several are open, and
    /// one that a failed run blocks from the start.
    fn check_strategy_change(
        &self,
        tenant: &TenantId,
        name: &str,
        from: RunStrategy,
        to: RunStrategy,
    ) -> Result<(), WorkflowError> {
        let refused = match to {
            RunStrategy::FirstOnly | RunStrategy::LastOnly => {
                let open = self.0.store.open_runs_of(tenant, name, 2)?;
                let [first, second] = open.as_slice() else { return Ok(()) };
                format!(
                    "{name}#{} and {name}#{} are open, and {to} has room for one run; wait \
                     for their end or cancel them first",
                    first.number, second.number
                )
            }
            RunStrategy::StrictSequential => {
                let blockers = self.0.store.blockers(tenant, name)?;
                let Some((number, _)) = blockers.first() else { return Ok(()) };
                format!(
                    "{name}#{number} has failed and would block every run under {to}; retry \
                     it or unblock it first"
                )
            }
            RunStrategy::All
            | RunStrategy::Parallel(_)
            | RunStrategy::Sequential
            | RunStrategy::SerialLatestOnly => return Ok(()),
        };
        Err(WorkflowError::StrategyRefused(format!(
            "the run strategy of {name} stays {from}: {refused}"
        )))
    }
}
