//! The command line: what can be asked for. The comments here are its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{
    application::ApplicationCommand, backup::BackupCommand, keys::KeysCommand, mail::MailCommand,
    provider::ProviderCommand, restore::RestoreArguments, storage::StorageCommand,
    tenant::TenantCommand, user::UserCommand,
};
use crate::config::Overrides;

/// Identity and access server for multi-tenant applications.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Without any configuration `gatelodge serve` keeps its data in ./gatelodge-data and listens on \
                  127.0.0.1:8080.\nThe other commands work on the same data, also while the server runs.",
    after_long_help = "Without any configuration `gatelodge serve` keeps its data in ./gatelodge-data and listens on \
                  127.0.0.1:8080.\nThe other commands work on the same data, also while the server runs.\n\n\
                  Exit code: 0 done, 1 refused or failed, 2 the command line is wrong."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) options: GlobalOptions,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct GlobalOptions {
    /// Configuration file, in TOML [environment: GATELODGE_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Folder of the embedded database and the master key [environment: GATELODGE_DATA_DIR]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
    /// Answer in JSON; an error is then a JSON object with `code` and `message` on standard error
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server until it is told to stop (Ctrl-C or SIGTERM)
    ///
    /// At the first start the server makes its folder, its database and its master key, and prints one line with a
    /// set-up link. Whoever opens that link becomes the first administrator; it works once.
    Serve(ServeArguments),
    /// Look at the configuration without starting anything
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage tenants: the organisations on this platform
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Manage the users of a tenant, what they are granted and their sessions
    #[command(subcommand)]
    User(UserCommand),
    /// Manage the applications of a tenant: who may ask for access tokens and be returned to
    #[command(subcommand)]
    Application(ApplicationCommand),
    /// Look at the ways to sign in, and check connections to third parties
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Look at the keys that sign tokens, and replace them
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Make backups, list and check them, and make the key that opens them
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Bring everything back from a backup into an empty database, or one tenant into an installation in use
    ///
    /// What a restore brings back can do no more than it could: all sessions have ended, and what lets somebody in once or
    /// for a while is left out. Everything needs the master key of the installation that the backup was made of. The
    /// backup is read to its end before anything is written.
    Restore(RestoreArguments),
    /// Try out how mails are sent
    #[command(subcommand)]
    Mail(MailCommand),
    /// Migrate the database, move to another one, compare two
    #[command(subcommand)]
    Storage(StorageCommand),
    /// Print the description of the HTTP interface (OpenAPI 3.1, JSON)
    Openapi,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Try it out: a throw-away folder with sample data; prints address, user name and a random password
    #[arg(long)]
    pub(super) demo: bool,
    /// Address and port to listen on, such as `127.0.0.1:8080`; port 0 takes any free one [environment: GATELODGE_LISTEN]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say what is wrong with the configuration and what is unwise
    Check,
    /// Show every key with the value in force and where that comes from; secrets are left out
    Show,
    /// Print the JSON schema of the configuration file, for editors and tools
    Schema,
}

impl GlobalOptions {
    /// What they say about the configuration.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            listen: None,
            demo: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, error::ErrorKind};

    use super::*;

    fn parse(arguments: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("gatelodge").chain(arguments.split(' ')))
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_option_and_value_is_explained() {
        fn visit(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                let place = format!("{} {}", command.get_name(), argument.get_id());
                assert!(!help.is_empty(), "{place} is not explained");
                assert!(!help.ends_with('.'), "{place} ends with a full stop");
                assert!(help.len() <= 130, "{place} is long for one line");
            }
            command.get_subcommands().for_each(visit);
        }
        let mut command = Cli::command();
        command.build();
        // What clap makes by itself is explained by clap.
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            visit(sub);
        }
    }

    #[test]
    fn the_options_of_every_command_stand_anywhere() {
        for line in [
            "--json --data-dir /d --config /c user list -t acme",
            "user --json --data-dir /d list --config /c -t acme",
            "user list -t acme --json --data-dir /d --config /c",
        ] {
            let options = parse(line).unwrap().options;
            assert!(options.json, "{line}");
            assert_eq!(options.data_dir, Some(PathBuf::from("/d")), "{line}");
            assert_eq!(options.config, Some(PathBuf::from("/c")), "{line}");
        }
    }

    #[test]
    fn the_server_is_told_where_to_listen() {
        let cli = parse("serve --listen 127.0.0.1:0 --demo").unwrap();
        let Command::Serve(serve) = cli.command else {
            panic!("serve");
        };
        assert_eq!(serve.listen.as_deref(), Some("127.0.0.1:0"));
        assert!(serve.demo);
        assert!(parse("tenant list --listen 127.0.0.1:0").is_err());
    }

    #[test]
    fn what_is_missing_or_too_much_is_a_usage_error() {
        for line in [
            "",
            "srve",
            "tenant",
            "user",
            "config",
            "user list",
            "tenant show",
            "user create --tenant t",
            "user grant -t t ada",
            "user grant -t t ada king",
            "user update -t t ada",
            "user update -t t ada --email a@b.c --no-email",
            "user lock -t t ada --for 2x",
            "user lock -t t ada --for 2h --until 2030-01-01T00:00:00Z",
            "user create -t t --user-name a --no-password --password-stdin",
            "user create -t t --user-name a --password hunter2",
            "user create -t t --user-name a --permanent",
            "tenant rename acme",
            "tenant create a/b",
            "tenant settings t --set x",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let help = parse("user create --help").unwrap_err();
        assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
    }

    /// Arguments are seen by everybody on the machine.
    #[test]
    fn no_option_takes_a_secret() {
        fn visit(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                let is_secret = ["password", "secret", "token", "key"]
                    .iter()
                    .any(|word| name.contains(word));
                let takes_value = argument.get_action().takes_values();
                assert!(!(is_secret && takes_value), "{} {name}", command.get_name());
            }
            command.get_subcommands().for_each(visit);
        }
        visit(&Cli::command());
    }
}
