//! Core modules become components, if they carry the types of a world: those of
//! wasm32-unknown-unknown as they are, those of wasm32-wasip1 with the usual
//! adapter.

use super::survey::Survey;
use super::{BUILD, Refused};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wit_component::ComponentEncoder;

/// The component of a core `module`.
///
/// # Errors
/// If the module was not made for the component model.
pub(super) fn component(module: &[u8], survey: &Survey) -> Result<Vec<u8>, Refused> {
    if !survey.has_world {
        return Err(Refused::new(
            "it is a core module that says nothing about its interface",
            BUILD,
        ));
    }
    let needs_adapter = survey.import_modules.iter().any(|name| name == PREVIEW1);
    // The encoder is not made for hostile input. Nothing outlives a panic here.
    let encoded = catch_unwind(AssertUnwindSafe(|| encode(module, needs_adapter)));
    match encoded {
        Ok(Ok(component)) => Ok(component),
        Ok(Err(error)) => {
            Err(Refused::new(format!("it cannot be made into a component: {error:#}"), BUILD))
        }
        Err(_) => Err(Refused::new("it cannot be made into a component", BUILD)),
    }
}

fn encode(module: &[u8], needs_adapter: bool) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default().validate(true).module(module)?;
    if needs_adapter {
        encoder = encoder.adapter(PREVIEW1, ADAPTER)?;
    }
    encoder.encode()
}
