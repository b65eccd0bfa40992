//! Where a step is played: a world answers the calls of the present thread
//! until the step returns or is stopped. A stop unwinds like a panic, but no
//! hook hears of it, so nothing is printed.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::world::World;
use crate::{Context, Result};

/// A step behind its JSON.
pub(super) type Step = dyn Fn(&Context, &str) -> Result<String>;

thread_local! {
    static STAGE: RefCell<Option<Rc<RefCell<World>>>> = const { RefCell::new(None) };
}

/// How a play ended.
pub(super) enum Ending {
    /// The step returned.
    Returned(Result<String>),
    /// The world stopped it.
    Stopped(Stop),
    /// The step panicked by itself.
    Panicked(Box<dyn Any + Send>),
}

/// Why a world stops a step.
pub(super) enum Stop {
    /// It waits for something that has not happened.
    Suspended,
    /// It goes on afresh with this input.
    Continued(String),
    /// A replay check has seen enough.
    Cut,
    /// The step or the script has a mistake.
    Fault(String),
}

impl Stop {
    /// Unwinds to the play.
    pub(super) fn now(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

/// Calls the present world; nothing without one. It is off the stage meanwhile,
/// so that what a script does in a call, such as a scripted child, is by itself.
pub(crate) fn with_world<R>(call: impl FnOnce(&mut World) -> R) -> Option<R> {
    let world = STAGE.take()?;
    let _back = Back(Some(Rc::clone(&world)));
    let answer = call(&mut world.borrow_mut());
    Some(answer)
}

/// Plays the step once from its start.
pub(super) fn play(step: &Step, world: &Rc<RefCell<World>>) -> Ending {
    let (context, input) = world.borrow_mut().begin();
    let _back = Back(STAGE.replace(Some(Rc::clone(world))));
    match catch_unwind(AssertUnwindSafe(|| step(&context, &input))) {
        Ok(result) => Ending::Returned(result),
        Err(payload) => match payload.downcast::<Stop>() {
            Ok(stop) => Ending::Stopped(*stop),
            Err(payload) => Ending::Panicked(payload),
        },
    }
}

/// Puts back what was on the stage, also when a stop unwinds.
struct Back(Option<Rc<RefCell<World>>>);

impl Drop for Back {
    fn drop(&mut self) {
        STAGE.set(self.0.take());
    }
}
