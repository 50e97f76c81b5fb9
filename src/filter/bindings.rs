//! The contract `wit/filter.wit` in Rust, made by wasmtime from the file itself.
//!
//! Not written by hand: names and types are the file's. What goes in is borrowed, what comes out is owned.

wasmtime::component::bindgen!({
    path: "wit",
    world: "filter",
    ownership: Borrowing { duplicate_if_necessary: true },
});
