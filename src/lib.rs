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
