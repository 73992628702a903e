//! `gatelodge keys …`

use clap::{Args, Subcommand};
use gatelodge_core::tokens::{KeyInfo, Rotation, TokenKind};
use serde_json::{Value, json};

use super::{administration::Administration, confirm::Deletion, failure::Failure};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the keys that sign tokens
    List,
    /// Make the next key that signs tokens; the server does so by itself after `tokens.rotate_days`
    ///
    /// The next key is published at once and signs an hour later, so that no token is refused because of it.
    Rotate(RotateArguments),
}

#[derive(Debug, Args)]
pub(super) struct RotateArguments {
    /// Which tokens: `access`
    #[arg(long, value_name = "KIND", default_value = "access", value_parser = kind)]
    kind: TokenKind,
    /// Withdraw all keys that there are and sign with a new one now: for a key that somebody else may have
    #[arg(long)]
    at_once: bool,
    /// Withdraw without asking
    #[arg(long, requires = "at_once")]
    yes: bool,
}

fn kind(text: &str) -> Result<TokenKind, String> {
    let known = TokenKind::ALL.map(|kind| format!("`{}`", kind.as_str()));
    TokenKind::parse(text).ok_or_else(|| format!("expected one of {}", known.join(", ")))
}

impl KeysCommand {
    pub(super) async fn run(&self, on: &Administration<'_>) -> Result<(), Failure> {
        match self {
            Self::List => list(on).await,
            Self::Rotate(arguments) => rotate(on, arguments).await,
        }
    }
}

async fn list(on: &Administration<'_>) -> Result<(), Failure> {
    let keys = on.platform.tokens().keys(&on.caller).await?;
    let lines: Vec<_> = keys
        .iter()
        .map(|key| {
            let (kind, state) = (key.kind.as_str(), key.state.as_str());
            let algorithm = key.algorithm.as_str();
            format!(
                "{}  {kind}  {algorithm}  {state} from {}",
                key.kid, key.signs_from
            )
        })
        .collect();
    let words = if lines.is_empty() {
        "There are no keys yet; the server makes them when it starts.".to_owned()
    } else {
        lines.join("\n")
    };
    let items: Vec<_> = keys.iter().map(document).collect();
    on.output.answer(&json!({ "items": items }), &words)
}

async fn rotate(on: &Administration<'_>, arguments: &RotateArguments) -> Result<(), Failure> {
    let how = if arguments.at_once {
        let withdrawal = Deletion {
            what: format!("all keys of {} tokens", arguments.kind.as_str()),
            consequences: "every token that they signed counts no more".to_owned(),
            name: None,
        };
        on.confirm(arguments.yes, &withdrawal)?;
        Rotation::AtOnce
    } else {
        Rotation::Overlapping
    };
    let tokens = on.platform.tokens();
    let (key, is_new) = tokens.rotate(&on.caller, arguments.kind, how).await?;
    let words = match (is_new, arguments.at_once) {
        (false, _) => format!(
            "The key {} waits already; it signs from {} on.",
            key.kid, key.signs_from
        ),
        (true, true) => format!(
            "The key {} signs now. All others are withdrawn; applications notice within five minutes.",
            key.kid
        ),
        (true, false) => format!(
            "Made the key {}. It signs from {} on.",
            key.kid, key.signs_from
        ),
    };
    on.output.answer(&document(&key), &words)
}

fn document(key: &KeyInfo) -> Value {
    json!({
        "kind": key.kind.as_str(),
        "kid": key.kid,
        "algorithm": key.algorithm.as_str(),
        "created_at": key.created_at,
        "signs_from": key.signs_from,
        "state": key.state.as_str(),
    })
}
