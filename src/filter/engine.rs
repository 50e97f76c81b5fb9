//! wasmtime, set up so that a filter is a pure function and cannot reach beyond its sandbox.
//!
//! Not the limits of one filter: those are set on each store. Invariant: whatever changes what a filter may
//! do, what it answers or what its fuel costs is named in [`Engine::description`], which stands in every
//! cache key, and by which somebody who looks back sees that the build has changed.

use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig, VariableOperatorCost,
    WasmBacktraceDetails,
};

use super::instance::{State, link};
use super::limits::{
    CORE_INSTANCES_MAX, Limits, MEMORIES_MAX, PAGE_BYTES, STACK_BYTES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
};

/// The engine that compiles and runs all filters of a host, and what it gives them to import.
pub(super) struct Engine {
    pub(super) wasm: wasmtime::Engine,
    pub(super) linker: Linker<State>,
    description: String,
    code: u64,
}

impl Engine {
    /// Makes an engine with room for so many instances at a time.
    ///
    /// # Errors
    /// Where the machine lacks what the engine needs; most likely address space, 4 GiB for each instance.
    pub(super) fn new(limits: &Limits, instances: u32) -> wasmtime::Result<Self> {
        let wasm = wasmtime::Engine::new(&config(limits, instances))?;
        let mut linker = Linker::new(&wasm);
        link(&mut linker)?;
        let mut hasher = DefaultHasher::new();
        wasm.precompile_compatibility_hash().hash(&mut hasher);
        let description = format!("wasmtime {VERSION}, fuel schedule {FUEL_SCHEDULE}, {SETTINGS}");
        Ok(Self { wasm, linker, description, code: hasher.finish() })
    }

    /// Returns version, fuel schedule and settings: two engines that say the same answer the same.
    pub(super) fn description(&self) -> &str {
        &self.description
    }

    /// Returns a number for what code is compiled for; the processor's abilities are in it, which no answer shows.
    pub(super) const fn code(&self) -> u64 {
        self.code
    }
}

/// The version that Cargo.lock pins.
const VERSION: &str = env!("HOOKLOG_WASMTIME_VERSION");

/// The name of [`fuel_schedule`]. Another schedule needs another name.
const FUEL_SCHEDULE: &str = "1";

/// What [`config`] sets that can be seen by a filter, in words.
const SETTINGS: &str = "stack 512 KiB, NaN canonical, SIMD without relaxed, one 32-bit memory, no threads, no garbage \
                        collection, no exceptions, no tail calls";

fn config(limits: &Limits, instances: u32) -> Config {
    let mut config = Config::new();
    // Two ways to end a guest: fuel, which repeats, and the clock, which does not and only means "try again".
    config.consume_fuel(true).operator_cost(fuel_schedule()).epoch_interruption(true);

    // Proposals: what a compiler of today needs by default, and nothing that could differ between machines.
    config
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .shared_memory(false)
        .wasm_shared_everything_threads(false)
        .wasm_gc(false)
        .wasm_stack_switching(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_component_model_error_context(false)
        .wasm_component_model_gc(false)
        .wasm_component_model_map(false)
        .wasm_component_model_memory64(false)
        .wasm_component_model_fixed_length_lists(false)
        .wasm_component_model_implements(false)
        .concurrency_support(false);

    config.max_wasm_stack(STACK_BYTES_MAX);
    config.cranelift_opt_level(OptLevel::Speed);
    // Nobody reads a native backtrace of a guest, and an environment variable shall change nothing.
    config
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(false)
        .debug_symbols(false)
        .native_unwind_info(false);

    // 4 GiB of address space (not of memory) and a guard behind it: then no access needs a check of its bounds.
    config.memory_reservation(1 << 32).memory_guard_size(32 << 20).memory_may_move(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits, instances)));
    config
}

fn pool(limits: &Limits, instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES_MAX)
        .total_memories(instances * MEMORIES_MAX)
        .total_tables(instances * TABLES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(limits.memory_bytes_max.next_multiple_of(PAGE_BYTES))
        // What a guest has written is zeroed again: up to here by hand, where the kernel cannot tell which pages.
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(PAGE_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

const KEEP_RESIDENT_BYTES: usize = 256 * 1024;

/// What each operator costs. wasmtime promises no costs of its own, so they are ours: one for what does
/// something, none for what only gives the code its shape, and one for each byte that is copied or filled.
/// A test holds the whole table to its name.
const fn fuel_schedule() -> OperatorCost {
    OperatorCost {
        Nop: 0,
        Drop: 0,
        Block: 0,
        Loop: 0,
        Unreachable: 0,
        Return: 0,
        Else: 0,
        End: 0,
        variable: VariableOperatorCost {
            memory_copy_per_byte: 1,
            memory_fill_per_byte: 1,
            memory_init_per_byte: 1,
            // A page costs the machine more than a call: it is zeroed, and mapped.
            memory_grow_per_page: 255,
            table_copy_per_element: 1,
            table_fill_per_element: 1,
            table_init_per_element: 1,
            table_grow_per_element: 1,
            ..VariableOperatorCost::new()
        },
        ..OperatorCost::new()
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{FUEL_SCHEDULE, VERSION, fuel_schedule};

    /// Where this fails after an upgrade, costs have moved: name them in `fuel_schedule`, or give the schedule
    /// another name.
    #[test]
    fn the_fuel_schedule_is_what_its_name_says() {
        let digest: [u8; 32] = Sha256::digest(format!("{:?}", fuel_schedule())).into();
        let [first, second, third, fourth, ..] = digest;
        assert_eq!((FUEL_SCHEDULE, [first, second, third, fourth]), ("1", [38, 160, 124, 43]));
    }

    #[test]
    fn the_version_is_of_the_long_term_line() {
        assert!(VERSION.starts_with("48."), "{VERSION}");
    }
}
