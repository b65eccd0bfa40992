//! Parameters: what their types accept, what a run and its steps are given
//! against what the definition asks for, and what a step gives back. All
//! mistakes are found at once.

mod binding;
mod kind;
mod output;
mod rehearsal;
mod resolution;
mod source;
mod step;
#[cfg(test)]
mod tests;

pub use self::binding::{Bound, GIVEN_MAX, VALUES_BYTES_MAX};
pub(crate) use self::kind::TYPE_NAMES;
pub use self::output::check_output;
pub use self::source::ParamSource;
