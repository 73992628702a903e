//! SQL through `psql`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use crate::programs;

/// Runs SQL, as a script, with the database behind a URL.
///
/// Answers the rows as lines, columns divided by `|`, without the line break at the end.
///
/// # Errors
/// What `psql` said, if it cannot connect or as soon as a statement fails. Statements before it stay in force.
pub fn run_sql(url: &str, sql: &str) -> Result<String, String> {
    let mut psql = programs::plain(&programs::psql());
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url])
        .env("PGCLIENTENCODING", "UTF8")
        .env("PGCONNECT_TIMEOUT", "30");
    with_input(psql, sql)
}

fn with_input(mut command: Command, input: &str) -> Result<String, String> {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("psql cannot be run: {error}"))?;
    let mut stdin = process.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // It may end before it has read everything.
        scope.spawn(move || stdin.write_all(input.as_bytes()).ok());
        process.wait_with_output().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(said.into_owned());
    }
    let rows = String::from_utf8(output.stdout).unwrap();
    Ok(rows.strip_suffix('\n').unwrap_or(&rows).to_owned())
}

/// `text` as a literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `name` as an identifier.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
