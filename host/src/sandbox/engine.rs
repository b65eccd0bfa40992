//! How wasmtime is set up: which WebAssembly is accepted, what protects the host
//! from it, and how instances are laid out in memory. The process that compiles
//! and the process that runs share `code_config`, so that their artefacts match.

use super::Config;
use super::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;
use wasmtime::{
    Enabled, InstanceAllocationStrategy, ModuleVersionStrategy, OptLevel, PoolingAllocationConfig,
    Strategy, WasmBacktraceDetails,
};

/// How linear memories lie in the host's address space. It shapes the machine
/// code, so artefacts of one layout are of no use to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Slots of 4 GiB and a guard each, reserved once and used again: the
    /// fastest, and code needs no bounds checks.
    Pooled,
    /// Memories of just the size they have, for processes whose address space
    /// is limited: slower to start, and code checks its bounds.
    Compact,
}

impl Layout {
    /// The layout's name on the command line of the compiler.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::Compact => "compact",
        }
    }

    /// The layout of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Pooled, Self::Compact].into_iter().find(|layout| layout.name() == name)
    }
}

/// Changes when artefacts must be made anew although wasmtime would take them.
const BUILD: &str = concat!("segno ", env!("CARGO_PKG_VERSION"), " artefact 1");

/// Memory and stacks that keep their pages between guests, so that a small
/// guest costs no system call for each page: 2 MiB of memory is what Rust's
/// guests start with.
const MEMORY_KEPT_BYTES: usize = (2 << 20) + (64 << 10);
const TABLE_KEPT_BYTES: usize = 64 << 10;
const STACK_KEPT_BYTES: usize = 64 << 10;

/// What host functions have of a fiber's stack beyond the guest's part.
const HOST_STACK_BYTES: usize = 3 << 19;

/// Core instances and tables that each slot of the pool brings along. Attempts
/// that need more of them take more slots.
pub(super) const TABLES_A_SLOT: u32 = 8;
const CORE_INSTANCES_A_SLOT: u32 = CORE_INSTANCES_MAX;

/// An engine that runs artefacts and cannot compile.
pub(super) fn runtime(config: &Config, layout: Layout) -> wasmtime::Result<wasmtime::Engine> {
    let mut settings = code_config(layout)?;
    settings
        .enable_compiler(false)
        .max_wasm_stack(config.stack_bytes)
        .async_stack_size(config.stack_bytes + HOST_STACK_BYTES)
        .allocation_strategy(match layout {
            Layout::Pooled => InstanceAllocationStrategy::Pooling(pool(config)),
            Layout::Compact => InstanceAllocationStrategy::OnDemand,
        });
    wasmtime::Engine::new(&settings)
}

/// An engine that only compiles, on one thread.
pub(super) fn compiler(layout: Layout) -> wasmtime::Result<wasmtime::Engine> {
    let mut settings = code_config(layout)?;
    settings.parallel_compilation(false);
    wasmtime::Engine::new(&settings)
}

/// What distinguishes artefacts of this build and layout from all others.
///
/// # Errors
/// If wasmtime refuses its configuration.
pub(super) fn compatibility(layout: Layout) -> wasmtime::Result<u64> {
    let engine = compiler(layout)?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    BUILD.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Everything that shapes machine code.
fn code_config(layout: Layout) -> wasmtime::Result<wasmtime::Config> {
    let mut settings = wasmtime::Config::new();
    settings
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .wasm_component_model(true)
        // The plain call path; components with `async` functions are refused.
        .concurrency_support(false)
        // The backtrace of a trap names functions, and never reads the debug
        // information that a guest brings along.
        .generate_address_map(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .memory_init_cow(true)
        // Images of JavaScript and Python guests take up to a dozen MiB.
        .memory_guaranteed_dense_image_size(64 << 20)
        .module_version(ModuleVersionStrategy::Custom(BUILD.to_owned()))?;
    proposals(&mut settings);
    match layout {
        Layout::Pooled => settings.memory_reservation(4 << 30).memory_guard_size(32 << 20),
        Layout::Compact => settings
            .memory_reservation(0)
            .memory_reservation_for_growth(1 << 20)
            .memory_guard_size(64 << 10),
    };
    Ok(settings)
}

/// What compilers of guests emit, and nothing else. Whatever could make two runs
/// of the same code differ is off, for steps are replayed.
fn proposals(settings: &mut wasmtime::Config) {
    settings
        .wasm_simd(true)
        // Components composed of others need it for their adapters.
        .wasm_multi_memory(true)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .gc_support(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_threads(false)
        .shared_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
}

/// Room for as many attempts as there are slots.
fn pool(config: &Config) -> PoolingAllocationConfig {
    let slots = config.slots;
    let memory_bytes_max = usize::try_from(config.memory_bytes_max).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_memories(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_A_SLOT))
        .total_tables(slots.saturating_mul(TABLES_A_SLOT))
        .total_gc_heaps(0)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(usize::try_from(config.table_elements_max).unwrap_or(usize::MAX))
        .max_memory_size(memory_bytes_max)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .max_unused_warm_slots(slots.min(64))
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .table_keep_resident(TABLE_KEPT_BYTES)
        .async_stack_keep_resident(STACK_KEPT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}
