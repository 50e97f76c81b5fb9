#![doc = include_str!("ARCHITECTURE.md")]

pub mod runtime;

pub mod model;

pub mod security;

pub mod telemetry;

pub mod catalog;

pub mod mapping;

pub mod log;

pub mod accounts;

pub mod web;

pub mod ingest;

pub mod filter;

pub mod deliver;

pub mod dispatch;

pub mod replay;

pub mod api;

pub mod settings;

pub mod cli;

pub mod app;

/// The memory of everything, RocksDB's too. What one thread takes another gives back here all day, in pieces of
/// kilobytes, which costs the C library's allocator locks and walks; how it is set up stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
