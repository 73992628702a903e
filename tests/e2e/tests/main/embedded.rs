//! What is about the embedded database and its files. The second run, on Postgres, leaves it out.

mod files;
mod trouble;
