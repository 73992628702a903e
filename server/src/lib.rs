//! The Gatelodge identity server: HTTP, pages, configuration and command line

pub mod pages;
