//! Reads the function under `#[segno::step]` and writes the export beside it.
//! A function of another form gets one error, at the place that is wrong, which
//! shows the forms that a step may take.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Result, ReturnType, Signature, Type};

/// What every refusal ends with.
const FORMS: &str = "a step is either `fn run(input: T) -> Result<U>` or \
                     `fn run(ctx: &Context, input: T) -> Result<U>`";

/// The function as it was, and the export or what is wrong with it. The
/// function is kept in either case, so that one mistake gives one error.
pub(crate) fn expand(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let added = export(arguments, function.clone()).unwrap_or_else(|e| e.into_compile_error());
    quote! { #function #added }
}

/// What the attribute found out about a step.
struct Step<'a> {
    input: &'a Type,
    output: &'a Type,
    wants_context: bool,
}

fn export(arguments: TokenStream, function: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        let said = "the attribute takes no arguments: write `#[segno::step]`";
        return Err(Error::new_spanned(arguments, said));
    }
    let function: ItemFn = syn::parse2(function)
        .map_err(|error| wrong(error.span(), "`#[segno::step]` belongs on a function"))?;
    let step = read(&function.sig)?;

    let name = &function.sig.ident;
    let call = match step.wants_context {
        true => quote!(#name(ctx, input)),
        false => quote!(#name(input)),
    };
    // The types keep their place in the author's file, so that the compiler
    // points there when one of them is not for JSON.
    let input = step.input;
    let body = quote_spanned! {step.output.span()=>
        ::segno::__private::call::<#input, _>(context, json, |ctx, input| #call)
    };
    Ok(quote! {
        const _: () = {
            #[allow(unused_variables, reason = "not every step wants its context")]
            fn step(context: &::segno::Context, json: &str)
                -> ::segno::Result<::std::string::String>
            {
                #body
            }
            ::segno::__private::export_step!(step);
        };
    })
}

fn read(signature: &Signature) -> Result<Step<'_>> {
    refuse_modifiers(signature)?;
    let arguments = signature.inputs.iter().map(typed);
    let arguments = arguments.collect::<Result<Vec<_>>>()?;
    let (context, input) = match arguments[..] {
        [input] => (None, input),
        [context, input] => (Some(context), input),
        [] => {
            return Err(wrong(signature.paren_token.span.join(), "a step takes an input"));
        }
        [_, _, third, ..] => return Err(wrong(third.span(), "a step takes one input")),
    };
    if let Some(context) = context
        && !matches!(context, Type::Reference(reference) if reference.mutability.is_none())
    {
        let said = "the first of two parameters is the context, `&Context`";
        return Err(wrong(context.span(), said));
    }
    owned(input)?;
    let ReturnType::Type(_, output) = &signature.output else {
        return Err(wrong(signature.span(), "a step returns a `Result`"));
    };
    Ok(Step { input, output, wants_context: context.is_some() })
}

fn refuse_modifiers(signature: &Signature) -> Result<()> {
    let said = "a step is an ordinary function without";
    if let Some(token) = &signature.asyncness {
        return Err(wrong(token.span(), &format!("{said} `async`")));
    }
    if let Some(token) = &signature.constness {
        return Err(wrong(token.span(), &format!("{said} `const`")));
    }
    if let Some(abi) = &signature.abi {
        return Err(wrong(abi.span(), &format!("{said} `extern`")));
    }
    if !signature.generics.params.is_empty() {
        return Err(wrong(signature.generics.span(), &format!("{said} generics")));
    }
    Ok(())
}

fn typed(argument: &FnArg) -> Result<&Type> {
    match argument {
        FnArg::Typed(argument) => Ok(&argument.ty),
        FnArg::Receiver(receiver) => {
            Err(wrong(receiver.span(), "a step is a function without `self`"))
        }
    }
}

/// The input is made from JSON for this call, so there is nobody to borrow from.
fn owned(input: &Type) -> Result<()> {
    match input {
        Type::Reference(_) => Err(wrong(input.span(), "a step owns its input: take `T`, not `&T`")),
        Type::ImplTrait(_) => Err(wrong(input.span(), "the input of a step is a concrete type")),
        _ => Ok(()),
    }
}

fn wrong(place: Span, said: &str) -> Error {
    Error::new(place, format!("{said}; {FORMS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the attribute says about a function, or nothing.
    fn refusal(function: &str) -> Option<String> {
        let function = function.parse().expect("the test's function is Rust");
        export(TokenStream::new(), function).err().map(|error| error.to_string())
    }

    #[test]
    fn the_two_forms_are_taken() {
        for function in [
            "fn run(input: Order) -> Result<Receipt> { todo() }",
            "pub fn charge(ctx: &Context, Order { id, .. }: Order) -> segno::Result<()> { todo() }",
            "fn run(_: &segno::Context, mut input: Vec<u8>) -> Result<u8, Refused> { todo() }",
        ] {
            assert_eq!(refusal(function), None, "{function}");
        }
    }

    #[test]
    fn every_other_form_is_refused_with_the_two_that_are_taken() {
        for (function, wanted) in [
            ("fn run() -> Result<U> {}", "a step takes an input"),
            ("fn run(input: T) {}", "a step returns a `Result`"),
            ("fn run(c: &Context, a: A, b: B) -> R {}", "a step takes one input"),
            ("fn run(input: T, c: &Context) -> R {}", "the first of two parameters"),
            ("fn run(c: &mut Context, input: T) -> R {}", "the first of two parameters"),
            ("fn run(input: &str) -> R {}", "take `T`, not `&T`"),
            ("fn run(input: impl Read) -> R {}", "a concrete type"),
            ("fn run(&self) -> R {}", "without `self`"),
            ("async fn run(input: T) -> R {}", "without `async`"),
            ("const fn run(input: T) -> R {}", "without `const`"),
            ("extern \"C\" fn run(input: T) -> R {}", "without `extern`"),
            ("fn run<T>(input: T) -> R {}", "without generics"),
            ("struct Run;", "belongs on a function"),
        ] {
            let said = refusal(function).expect(function);
            assert!(said.contains(wanted), "{function}: {said}");
            assert!(said.ends_with(FORMS), "{function}: {said}");
        }
    }

    #[test]
    fn arguments_of_the_attribute_are_refused() {
        let function = quote!(
            fn run(input: T) -> R {}
        );
        let error = export(quote!(retries = 3), function).expect_err("there are none");
        assert!(error.to_string().contains("takes no arguments"));
    }

    #[test]
    fn a_refused_function_stays_in_place() {
        let expanded = expand(
            TokenStream::new(),
            quote!(
                fn run() {}
            ),
        )
        .to_string();
        assert!(expanded.starts_with("fn run () { }"), "{expanded}");
        assert!(expanded.contains("compile_error"), "{expanded}");
    }
}
