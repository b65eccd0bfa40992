//! What an event is about.

use super::Event;
use crate::id::StepIndex;

impl Event {
    /// The step that the event is about.
    pub fn step(&self) -> Option<StepIndex> {
        match self {
            Self::StepStarted { step, .. }
            | Self::AttemptStarted { step, .. }
            | Self::AttemptFailed { step, .. }
            | Self::StepSucceeded { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepUnsatisfied { step, .. }
            | Self::ForeachStarted { step, .. }
            | Self::IterationsStarted { step, .. }
            | Self::IterationEnded { step, .. }
            | Self::LoopSucceeded { step }
            | Self::LoopStopRequested { step, .. }
            | Self::LoopStopped { step }
            | Self::AttemptSuspended { step, .. }
            | Self::AttemptResumed { step, .. }
            | Self::AttemptPutAway { step, .. }
            | Self::StepContinued { step, .. }
            | Self::ChildStarted { step, .. }
            | Self::ChildEnded { step, .. }
            | Self::WaitStarted { step, .. }
            | Self::WhileStarted { step, .. }
            | Self::WhileContinued { step, .. }
            | Self::SubworkflowStarted { step, .. }
            | Self::StepUnready { step, .. }
            | Self::StepReady { step }
            | Self::AttemptHeld { step, .. }
            | Self::AttemptReleased { step, .. }
            | Self::StepPaused { step }
            | Self::StepResumed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepCancelled { step, .. }
            | Self::StepKilled { step, .. }
            | Self::WaitBypassed { step, .. }
            | Self::IterationRetried { step, .. }
            | Self::StepPublishing { step, .. }
            | Self::StepPublished { step, .. } => Some(*step),
            Self::RunCreated { .. }
            | Self::RunStarted
            | Self::RunPaused { .. }
            | Self::RunResumed { .. }
            | Self::RunRetried { .. }
            | Self::RunUnblocked { .. }
            | Self::StopRequested { .. }
            | Self::RunSucceeded { .. }
            | Self::RunFailed { .. }
            | Self::RunStopped => None,
        }
    }
}
