//! `gatelodge provider …`

use clap::{Args, Subcommand};
use gatelodge_core::{
    ErrorKind,
    model::ProviderId,
    provider::{Configured, Finding, Verdict},
};
use serde_json::{Value, json};

use super::{
    administration::Administration,
    failure::{Failure, code},
    text::{counted, quoted},
};

#[derive(Debug, Subcommand)]
pub(super) enum ProviderCommand {
    /// List the configured ways to sign in, with the addresses that third parties need
    List,
    /// Check connections to third parties: whether they answer, are configured well, and refuse what they must
    ///
    /// Each connection is asked for its addresses and keys, and the attacks that sign-in servers fell for are rehearsed
    /// against this very configuration by a third party that lies. Nothing is changed and nobody is signed in.
    Doctor(DoctorArguments),
}

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// Only this connection, by its id; otherwise all
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Also show what is as it should be
    #[arg(long)]
    all: bool,
}

impl ProviderCommand {
    pub(super) async fn run(&self, on: &Administration<'_>) -> Result<(), Failure> {
        match self {
            Self::List => list(on),
            Self::Doctor(arguments) => doctor(on, arguments).await,
        }
    }
}

fn list(on: &Administration<'_>) -> Result<(), Failure> {
    let providers = on.platform.providers();
    let lines = providers.providers().map(|configured| line(on, configured));
    let words = lines.collect::<Vec<_>>().join("\n");
    let items = providers.providers().map(|one| document(on, one));
    let items: Vec<_> = items.collect();
    on.output.answer(&json!({ "items": items }), &words)
}

fn line(on: &Administration<'_>, configured: &Configured) -> String {
    let (id, description) = (&configured.id, &configured.description);
    let mut line = format!("{id}  {}  {}", description.kind, description.label);
    if let Some(tenants) = &configured.offering.tenants {
        let names: Vec<_> = tenants.iter().map(ToString::to_string).collect();
        line.push_str(&format!("  only for {}", names.join(", ")));
    }
    if let Some(callback) = callback(on, configured) {
        line.push_str(&format!("  comes back to {callback}"));
    }
    line
}

fn callback(on: &Administration<'_>, configured: &Configured) -> Option<String> {
    let connections = on.platform.connections();
    let is_third_party = configured.description.third_party;
    let callback = connections.callback(&configured.id);
    callback.filter(|_| is_third_party).map(String::from)
}

fn document(on: &Administration<'_>, configured: &Configured) -> Value {
    let tenants = configured.offering.tenants.as_ref();
    let tenants = tenants.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
    json!({
        "id": configured.id,
        "kind": configured.description.kind,
        "label": configured.description.label,
        "tenants": tenants,
        "callback": callback(on, configured),
    })
}

async fn doctor(on: &Administration<'_>, arguments: &DoctorArguments) -> Result<(), Failure> {
    let connections = on.platform.connections();
    let all = connections.list().map(|configured| configured.id.clone());
    let asked: Vec<_> = match &arguments.id {
        None => all.collect(),
        Some(id) => vec![named(id)?],
    };
    let (mut blocks, mut items, mut bad) = (Vec::new(), Vec::new(), 0);
    for id in &asked {
        let mut findings = surroundings(on, id);
        findings.extend(connections.diagnose(&on.caller, id).await?);
        bad += findings
            .iter()
            .filter(|f| f.verdict == Verdict::Bad)
            .count();
        blocks.push(block(id, &findings, arguments.all));
        items.push(json!({ "id": id, "findings": findings }));
    }
    let words = match blocks.is_empty() {
        true => "No connection to a third party is configured.".to_owned(),
        false => blocks.join("\n\n"),
    };
    on.output.answer(&json!({ "items": items }), &words)?;
    match bad {
        0 => Ok(()),
        bad => Err(Failure::new(
            code(ErrorKind::Refused),
            format!("not as it should be: {}", counted(bad as u64, "finding")),
        )),
    }
}

fn named(id: &str) -> Result<ProviderId, Failure> {
    ProviderId::new(id).map_err(|_| {
        let message = format!("there is no connection {}", quoted(id));
        Failure::new(code(ErrorKind::NotFound), message)
    })
}

/// What the server's own configuration means for a connection.
fn surroundings(on: &Administration<'_>, id: &ProviderId) -> Vec<Finding> {
    let origin = on.platform.origins().server();
    let callback = on.platform.connections().callback(id);
    let callback = callback.map(String::from).unwrap_or_default();
    let host = origin.host_str().unwrap_or_default();
    let here = host == "localhost" || host.ends_with(".localhost");
    let is_secure = origin.scheme() == "https";
    // The address itself is named by each connection, with where it has to be registered.
    let mut findings = Vec::new();
    if !is_secure && !here {
        findings.push(Finding::bad(
            "callback",
            format!(
                "People come back to {callback}, without encryption: services refuse such addresses."
            ),
            "Serve this by `https`, and set `server.origin` to that address.",
        ));
    }
    findings.push(match is_secure || here {
        true => Finding::good(
            "cookies",
            "The cookie that binds a sign-in to its browser is kept to this host, and comes back with it.",
        ),
        false => Finding::bad(
            "cookies",
            "Without `https` cookies can be read and planted on the way, so that a sign-in is not bound to its browser.",
            "Serve this by `https`.",
        ),
    });
    findings
}

fn block(id: &ProviderId, findings: &[Finding], all: bool) -> String {
    let mut lines = vec![id.to_string()];
    let shown = findings
        .iter()
        .filter(|finding| all || finding.verdict != Verdict::Good);
    for finding in shown {
        let word = match finding.verdict {
            Verdict::Good => "ok",
            Verdict::Doubtful => "look",
            Verdict::Bad => "BAD",
        };
        lines.push(format!("  {word:<5} {}", finding.text));
        lines.extend(finding.remedy.iter().map(|text| format!("        {text}")));
    }
    let good = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Good)
        .count() as u64;
    if !all {
        let good = counted(good, "check");
        lines.push(format!("  as it should be: {good}; `--all` shows them"));
    }
    lines.join("\n")
}
