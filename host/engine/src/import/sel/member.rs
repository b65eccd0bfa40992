//! What stands behind a dot, in brackets or behind `new`.

use super::ast::Expr;
use super::cel::{Level, Term, Ty};
use super::statement::Translator;
use super::{instant, library, text};

type Made = Result<Term, String>;

/// The value of a field, call, index or allocation.
pub(super) fn value(translator: &mut Translator<'_>, expression: &Expr) -> Made {
    match expression {
        Expr::New(class, arguments) => {
            let arguments = translator.values(arguments)?;
            match (class.as_str(), arguments.as_slice()) {
                ("DateTime", arguments) => instant::new(arguments),
                ("String", [only]) => only.as_text(),
                ("Long" | "Integer", [only]) => only.as_int(),
                ("Double", [only]) => Ok(only.as_double()),
                _ => Err(format!("new {class}(…) has no equal in CEL; compute it in a step")),
            }
        }
        Expr::Field(target, name) => field(translator, target, name),
        Expr::Index(target, index) => {
            if is_name(target, "params") {
                let name = translator.value(index)?;
                return param(translator, &name);
            }
            let (target, index) = (translator.value(target)?, translator.value(index)?);
            Ok(element(&target, &index))
        }
        Expr::Call(target, name, arguments) => match target.as_ref() {
            Expr::Name(class) if class == "params" => params_call(translator, name, arguments),
            Expr::Name(class) if translator.is_class(class) => {
                class_call(translator, class, name, arguments)
            }
            target => method(translator, target, name, arguments),
        },
        _ => translator.value(expression),
    }
}

fn is_name(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Name(found) if found == name)
}

fn field(translator: &mut Translator<'_>, target: &Expr, name: &str) -> Made {
    const DAYS: [&str; 7] =
        ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    if is_name(target, "DateTimeZone") && name == "UTC" {
        return Ok(Term { ty: Ty::Zone, ..Term::text("UTC") });
    }
    if is_name(target, "DateTimeConstants")
        && let Some(day) = DAYS.iter().position(|day| *day == name)
    {
        return Ok(Term::int(day as i64 + 1));
    }
    let target = translator.value(target)?;
    match name {
        "length" => Ok(Term::of(format!("{}.size()", target.whole()), Ty::Int)),
        _ => Err(format!("the field {name} of `{}` has no equal in CEL; correct it", target.text)),
    }
}

/// An element of a list or map. A map without the key gives null, as in Java.
fn element(target: &Term, index: &Term) -> Term {
    let text = format!("{}[{}]", target.whole(), index.text);
    match &target.ty {
        Ty::List(element) => Term::of(text, (**element).clone()),
        Ty::Map(element) => Term::of(format!("default({text}, null)"), (**element).clone()),
        _ => Term::of(text, Ty::Any),
    }
}

fn literal(translator: &mut Translator<'_>, argument: &Expr) -> Result<String, String> {
    let term = translator.value(argument)?;
    let text = term.literal.or_else(|| term.whole.map(|whole| whole.to_string()));
    text.ok_or_else(|| format!("the name `{}` is computed; write it", term.text))
}

fn param(translator: &mut Translator<'_>, name: &Term) -> Made {
    match &name.literal {
        Some(name) => translator.lookup.name(name),
        None => Err(format!("the name `{}` of a param is computed; write it", name.text)),
    }
}

fn params_call(translator: &mut Translator<'_>, name: &str, arguments: &[Expr]) -> Made {
    const STATUS: &str = "MAESTRO_STEP_STATUS";
    let names: Result<Vec<_>, _> =
        arguments.iter().map(|argument| literal(translator, argument)).collect();
    let names = names?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lookup = &mut translator.lookup;
    match (name, names.as_slice()) {
        ("get", [name]) => lookup.name(name),
        ("containsKey", [name]) => Ok(Term::of(lookup.has_name(name).to_string(), Ty::Bool)),
        ("getFromStep", [attribute]) if *attribute == STATUS => lookup.step_status(None),
        ("getFromStep", [step, attribute]) if *attribute == STATUS => {
            lookup.step_status(Some(step))
        }
        ("getFromStep", [_, other]) | ("getFromStep", [other]) if other.starts_with("MAESTRO_") => {
            Err(format!("{other} of a step cannot be read here; pass what you need as an output"))
        }
        ("getFromStep", [step, param]) => lookup.step_param(step, param),
        ("getFromForeach", [foreach, step, param]) => lookup.foreach_param([foreach, step], param),
        ("getFromSignalDependency", [which, param]) => lookup.signal_param(which, param),
        ("getFromInstance", [attribute]) => lookup.instance(attribute),
        ("getFromSubworkflow", [step, inner, param]) => Err(format!(
            "getFromSubworkflow reads {param} of {inner} inside of another run; give that \
             workflow an output with it and read steps.{step}.output"
        )),
        ("getFromSignal", [signal, param]) => lookup.started_param(signal, param, None),
        ("getFromSignalOrDefault", [signal, param, otherwise]) => {
            lookup.started_param(signal, param, Some(otherwise))
        }
        ("nextUniqueId", _) => {
            Err("nextUniqueId is chance, which expressions cannot have; use a step".to_owned())
        }
        _ => Err(format!("params.{name}(…) has no equal here; use a param or a step's output")),
    }
}

fn class_call(
    translator: &mut Translator<'_>,
    class: &str,
    name: &str,
    arguments: &[Expr],
) -> Made {
    if (class, name) == ("Arrays", "asList") {
        return translator.list(arguments);
    }
    let values = translator.values(arguments)?;
    let made = match (class, values.as_slice()) {
        ("Util", values) => library::call(name, values),
        ("Math", values) => library::math(name, values),
        ("String", values) => text::class_call(name, values),
        ("Long" | "Integer", [only]) => Some(only.as_int()),
        ("Double", [only]) => Some(Ok(only.as_double())),
        ("UUID" | "System", _) => Some(Err(format!(
            "{class}.{name} is chance or the clock, which expressions cannot have; use a step"
        ))),
        (class, values) => instant::class_call(class, name, values),
    };
    made.unwrap_or_else(|| Err(format!("{class}.{name}(…) has no equal here; use a step")))
}

fn method(translator: &mut Translator<'_>, target: &Expr, name: &str, arguments: &[Expr]) -> Made {
    let target = translator.value(target)?;
    let values = translator.values(arguments)?;
    let made = match &target.ty {
        Ty::Instant(..) | Ty::Format(..) | Ty::Days | Ty::Part(..) => {
            instant::call(&target, name, &values)
        }
        Ty::Text => text::call(&target, name, &values, &mut translator.remarks),
        _ => plain_call(&target, name, &values)
            .or_else(|| text::call(&target, name, &values, &mut translator.remarks)),
    };
    made.unwrap_or_else(|| {
        let what = if target.text.is_empty() { "it" } else { &target.text };
        Err(format!("{name}(…) of `{what}` has no equal in CEL; compute it in a step"))
    })
}

/// A method of a list, a map, a number or something that is not known.
fn plain_call(target: &Term, name: &str, arguments: &[Term]) -> Option<Made> {
    let whole = target.whole();
    let term = match (name, arguments) {
        ("size", []) => Term::of(format!("{whole}.size()"), Ty::Int),
        ("isEmpty", []) if matches!(target.ty, Ty::List(_) | Ty::Map(_)) => {
            Term::at(format!("{whole}.size() == 0"), Level::Compare, Ty::Bool)
        }
        ("get", [index]) => element(target, index),
        ("containsKey", [key]) | ("contains", [key]) if !matches!(target.ty, Ty::Any) => {
            Term::at(format!("{} in {whole}", key.within(Level::Add)), Level::Compare, Ty::Bool)
        }
        ("toString", []) => return Some(target.as_text()),
        ("intValue" | "longValue", []) => return Some(target.as_int()),
        ("doubleValue", []) => target.as_double(),
        _ => return None,
    };
    Some(Ok(term))
}
