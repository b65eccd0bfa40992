//! What the names in an expression stand for. The scope of the place where an
//! expression stands answers.

use super::Term;

/// Says what names mean. An error says why a name means nothing here, with the
/// remedy after a `;`.
pub(in crate::import) trait Lookup {
    /// A param by its name, or one of another step as `step__param`.
    fn name(&mut self, name: &str) -> Result<Term, String>;

    /// Whether there is a param of that name.
    fn has_name(&self, name: &str) -> bool;

    /// A param of another step.
    fn step_param(&mut self, step: &str, param: &str) -> Result<Term, String>;

    /// The status of a step; of the one that the expression belongs to if none
    /// is named.
    fn step_status(&mut self, step: Option<&str>) -> Result<Term, String>;

    /// The values of a param of the step `path[1]` in all iterations of the loop
    /// `path[0]`.
    fn foreach_param(&mut self, path: [&str; 2], param: &str) -> Result<Term, String>;

    /// A param of the signal that the step waited for, by number or name.
    fn signal_param(&mut self, which: &str, param: &str) -> Result<Term, String>;

    /// A param of a signal that started the run, and what it is without one.
    fn started_param(
        &mut self,
        signal: &str,
        param: &str,
        otherwise: Option<&str>,
    ) -> Result<Term, String>;

    /// A fact about the run.
    fn instance(&mut self, attribute: &str) -> Result<Term, String>;
}
