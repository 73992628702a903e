//! The Gatelodge identity server: HTTP, pages, configuration and command line.
//!
//! It is thin: it translates HTTP and command lines to calls of
//! `gatelodge-core` and back. `plugins` is the one file that names concrete
//! providers and backends.

pub mod app;
mod backup;
pub mod cli;
pub mod config;
mod demo;
pub mod http;
mod logging;
pub mod pages;
mod plugins;
pub mod serve;
