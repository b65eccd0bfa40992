//! The attribute `#[segno::step]`, which the crate `segno-sdk` hands on. It
//! only reads the function's signature and adds the export beside it: what an
//! export does is in the sdk, where it can be tested.

mod step;

use proc_macro::TokenStream;

/// Makes a function the entry of a component.
///
/// It takes one of two forms, where `T` can be read from JSON
/// (`serde::Deserialize`), `U` can be written as JSON (`serde::Serialize`) and
/// the error is `segno::Error` or anything that turns into it:
///
/// ```text
/// fn run(input: T) -> Result<U>
/// fn run(ctx: &Context, input: T) -> Result<U>
/// ```
///
/// The function stays what it is and can be called from a test. A component
/// has one step, so the attribute stands once in a crate.
#[proc_macro_attribute]
pub fn step(arguments: TokenStream, function: TokenStream) -> TokenStream {
    step::expand(arguments.into(), function.into()).into()
}
