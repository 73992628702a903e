//! The command line, `gatelodge`.
//!
//! `arguments` says what can be asked for, and its comments are the help. Each
//! command works on the storage directly, as the operator of the machine,
//! through the same functions of core as the HTTP interface; so it also works
//! while a server runs on the same data, which hears of it through the
//! storage's change feed.
//!
//! Answers go to standard output, as words and tables or with `--json` as one
//! document. Errors, questions and progress go to standard error. The exit code
//! is 0 when it is done, 1 when it was refused or failed, 2 when the command
//! line cannot be understood.

mod administration;
mod application;
mod arguments;
mod backup;
mod confirm;
mod document;
mod failure;
mod interrupt;
mod keys;
mod lock;
mod mail;
mod output;
mod password;
mod progress;
mod provider;
mod restore;
mod settings;
mod span;
mod storage;
mod surroundings;
mod table;
mod tenant;
mod text;
mod user;
mod user_change;
mod user_device;
mod user_factor;
mod user_link;
mod user_require;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser as _, error::ErrorKind};
use serde_json::json;

use self::{
    administration::administer,
    arguments::{Cli, Command, ConfigCommand, GlobalOptions, ServeArguments},
    failure::{Failure, Problem, USAGE},
    output::Output,
    surroundings::Surroundings,
    text::is_obeyed,
};
use crate::{
    config,
    gatelodge::page_options,
    messages::messages,
    plugins,
    serve::{ServeOptions, serve},
};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(run(&arguments, &Surroundings::of_process()))
}

/// Runs a command; answers its exit code.
fn run(arguments: &[OsString], surroundings: &Surroundings) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error, arguments, surroundings),
    };
    match execute(&cli, surroundings) {
        Ok(()) | Err(Failure::ReaderGone) => 0,
        Err(Failure::Told(problem)) => report(&problem, cli.options.json, surroundings),
    }
}

fn execute(cli: &Cli, surroundings: &Surroundings) -> Result<(), Failure> {
    let options = &cli.options;
    match &cli.command {
        Command::Serve(arguments) => run_server(options, arguments),
        Command::Config(command) => look_at_configuration(*command, options, surroundings),
        Command::Tenant(command) => on_one_thread(administer(options, surroundings, async |on| {
            command.run(on).await
        })),
        Command::User(command) => on_one_thread(administer(options, surroundings, async |on| {
            command.run(on).await
        })),
        Command::Application(command) => {
            on_one_thread(administer(options, surroundings, async |on| {
                command.run(on).await
            }))
        }
        Command::Provider(command) => on_one_thread(command.run(options, surroundings)),
        Command::Keys(command) => on_one_thread(administer(options, surroundings, async |on| {
            command.run(on).await
        })),
        Command::Backup(command) => on_one_thread(command.run(options, surroundings)),
        Command::Restore(arguments) => on_one_thread(arguments.run(options, surroundings)),
        Command::Mail(command) => on_one_thread(command.run(options, surroundings)),
        Command::Storage(command) => on_one_thread(command.run(options, surroundings)),
        Command::Openapi => {
            let text = crate::http::openapi_json();
            Output::new(surroundings, options.json).words(text.trim_end())
        }
    }
}

fn run_server(options: &GlobalOptions, arguments: &ServeArguments) -> Result<(), Failure> {
    if arguments.demo && options.data_dir.is_some() {
        return Err(Failure::usage(
            "`--demo` uses a throw-away folder of its own; leave out one of `--demo` and `--data-dir`",
        ));
    }
    let mut overrides = options.overrides();
    overrides.demo = arguments.demo;
    overrides.listen.clone_from(&arguments.listen);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(no_runtime)?;
    runtime.block_on(serve(ServeOptions { overrides }))?;
    Ok(())
}

/// A command needs no more, and starts the faster for it.
fn on_one_thread(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(no_runtime)?;
    runtime.block_on(work)
}

fn no_runtime(error: std::io::Error) -> Failure {
    let message = format!("the operating system gives no thread or timer: {error}");
    Failure::new("cannot_start", message)
}

fn look_at_configuration(
    command: ConfigCommand,
    options: &GlobalOptions,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let output = Output::new(surroundings, options.json);
    if let ConfigCommand::Schema = command {
        return output.document(&config::schema());
    }
    let environment = surroundings.environment.iter().cloned();
    let loaded = config::load(&options.overrides(), environment)?;
    if let ConfigCommand::Show = command {
        return if output.is_json() {
            output.document(&loaded.show_json())
        } else {
            output.words(loaded.show().trim_end())
        };
    }
    let policy = loaded.origin_policy(loaded.config.server.listen)?;
    let providers = plugins::providers(&loaded.config)?;
    messages(&loaded, &policy, &page_options(&loaded)?)?;
    let mut words = "The configuration is good.".to_owned();
    let mut warnings = loaded.warnings().to_vec();
    warnings.extend(config::shortfalls(&loaded, &providers));
    for warning in &warnings {
        words.push_str(&format!("\nwarning: {}", text::plain(&warning.to_string())));
    }
    output.answer(&json!({ "valid": true, "warnings": warnings }), &words)
}

/// Tells a problem; answers the exit code.
fn report(problem: &Problem, json: bool, surroundings: &Surroundings) -> u8 {
    if json {
        surroundings.tell(&format!("{}\n", problem.document()));
    } else {
        surroundings.tell(&problem.lines());
    }
    problem.exit
}

/// Help and version were asked for, or the command line is wrong.
fn misunderstood(error: &clap::Error, arguments: &[OsString], surroundings: &Surroundings) -> u8 {
    if !error.use_stderr() {
        // Nobody is told when nobody reads.
        let _ = error.print();
        return 0;
    }
    let text: String = error
        .render()
        .to_string()
        .chars()
        .flat_map(|char| {
            let is_obeyed = char != '\n' && is_obeyed(char);
            let escaped = is_obeyed.then(|| char.escape_default());
            escaped
                .into_iter()
                .flatten()
                .chain((!is_obeyed).then_some(char))
        })
        .collect();
    if wants_json(arguments) {
        let problem = Problem {
            exit: USAGE,
            code: "usage",
            messages: vec![usage_message(error.kind(), &text)],
        };
        return report(&problem, true, surroundings);
    }
    surroundings.tell(&text);
    USAGE
}

/// The first paragraph on one line; the rest is advice for people.
fn usage_message(kind: ErrorKind, text: &str) -> String {
    let is_cut_short = matches!(
        kind,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    );
    if is_cut_short {
        return "a command is missing; `--help` shows those there are".to_owned();
    }
    let first = text.split("\n\n").next().unwrap_or_default();
    let message = first.trim_start_matches("error: ").trim_end();
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `--json` was asked for, in a command line that was not understood.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json")
}

#[cfg(test)]
mod tests;
