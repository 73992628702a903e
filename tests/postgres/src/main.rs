//! A database to try things in: prints its URL and keeps it until the input ends. With the argument `own` it is in a
//! server of its own.
#![allow(
    clippy::print_stdout,
    reason = "a command speaks on its standard output"
)]

use std::{env, io};

use gatelodge_postgres::{Database, Server};

fn main() -> io::Result<()> {
    if env::args().nth(1).as_deref() == Some("own") {
        let server = Server::start();
        keep(&server.url())
    } else {
        let database = Database::new();
        keep(&database.url())
    }
}

fn keep(url: &str) -> io::Result<()> {
    println!("{url}");
    io::copy(&mut io::stdin(), &mut io::sink()).map(|_| ())
}
