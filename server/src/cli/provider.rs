//! `gatelodge provider …`: what the configuration says of ways to sign in. The database
//! has no part in it, and need not be there yet.

use async_trait::async_trait;
use clap::{Args, Subcommand};
use gatelodge_core::{
    Environment, ErrorKind, Result as CoreResult,
    model::{ClientFacts, ProviderId},
    provider::{
        Configured, Context, Facts, Finding, HttpRequest, HttpResponse, Intent, KeptRecord,
        Outbound as _, Registry, Services, Strength, Verdict,
    },
    secret::Token,
};
use serde_json::{Value, json};
use url::Url;

use super::{
    arguments::GlobalOptions,
    failure::{Failure, code},
    output::Output,
    surroundings::Surroundings,
    text::{counted, quoted},
};
use crate::{
    config::{self, OriginPolicy},
    outbound::Guarded,
    plugins,
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
    pub(super) async fn run(
        &self,
        options: &GlobalOptions,
        surroundings: &Surroundings,
    ) -> Result<(), Failure> {
        let environment = surroundings.environment.iter().cloned();
        let loaded = config::load(&options.overrides(), environment)?;
        let look = Look {
            registry: plugins::providers(&loaded.config)?,
            policy: loaded.origin_policy(loaded.config.server.listen)?,
            outbound: Guarded::new(&loaded.config.outbound),
            environment: Environment::system(),
        };
        let output = Output::new(surroundings, options.json);
        match self {
            Self::List => look.list(&output),
            Self::Doctor(arguments) => look.doctor(&output, arguments).await,
        }
    }
}

/// What is configured, and what it takes to look at it.
struct Look {
    registry: Registry,
    policy: OriginPolicy,
    outbound: Guarded,
    environment: Environment,
}

impl Look {
    fn list(&self, output: &Output<'_>) -> Result<(), Failure> {
        let lines = self.registry.providers().map(|one| self.line(one));
        let words = lines.collect::<Vec<_>>().join("\n");
        let items = self.registry.providers().map(|one| self.document(one));
        let items: Vec<_> = items.collect();
        output.answer(&json!({ "items": items }), &words)
    }

    fn line(&self, configured: &Configured) -> String {
        let (id, description) = (&configured.id, &configured.description);
        let mut line = format!("{id}  {}  {}", description.kind, description.label);
        if let Some(tenants) = &configured.offering.tenants {
            let names: Vec<_> = tenants.iter().map(ToString::to_string).collect();
            line.push_str(&format!("  only for {}", names.join(", ")));
        }
        if let Some(callback) = self.callback(configured) {
            line.push_str(&format!("  comes back to {callback}"));
        }
        line
    }

    fn document(&self, configured: &Configured) -> Value {
        let tenants = configured.offering.tenants.as_ref();
        let tenants =
            tenants.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
        json!({
            "id": configured.id,
            "kind": configured.description.kind,
            "label": configured.description.label,
            "tenants": tenants,
            "callback": self.callback(configured),
        })
    }

    fn callback(&self, configured: &Configured) -> Option<Url> {
        let callback = self.policy.origins().callback(&configured.id);
        callback.filter(|_| configured.description.third_party)
    }

    async fn doctor(
        &self,
        output: &Output<'_>,
        arguments: &DoctorArguments,
    ) -> Result<(), Failure> {
        let all = self.registry.providers();
        let connections = all.filter(|configured| configured.description.third_party);
        let asked: Vec<_> = match &arguments.id {
            None => connections.collect(),
            Some(id) => vec![self.named(id)?],
        };
        let (mut blocks, mut items, mut bad) = (Vec::new(), Vec::new(), 0);
        for configured in asked {
            let findings = self.look_at(configured).await;
            let is_bad = |finding: &&Finding| finding.verdict == Verdict::Bad;
            bad += findings.iter().filter(is_bad).count();
            blocks.push(block(&configured.id, &findings, arguments.all));
            items.push(json!({ "id": configured.id, "findings": findings }));
        }
        let words = match blocks.is_empty() {
            true => "No connection to a third party is configured.".to_owned(),
            false => blocks.join("\n\n"),
        };
        output.answer(&json!({ "items": items }), &words)?;
        match bad {
            0 => Ok(()),
            bad => Err(Failure::new(
                code(ErrorKind::Refused),
                format!("not as it should be: {}", counted(bad as u64, "finding")),
            )),
        }
    }

    fn named(&self, id: &str) -> Result<&Configured, Failure> {
        let found = ProviderId::new(id).ok();
        let found = found.and_then(|id| self.registry.provider(&id));
        let found = found.filter(|configured| configured.description.third_party);
        found.ok_or_else(|| {
            let message = format!("there is no connection {}", quoted(id));
            Failure::new(code(ErrorKind::NotFound), message)
        })
    }

    async fn look_at(&self, configured: &Configured) -> Vec<Finding> {
        let callback = self.callback(configured);
        let mut findings = vec![self.cookies()];
        let origin = self.policy.origins().server().clone();
        let facts = Facts {
            provider: configured.id.clone(),
            intent: Intent::SignIn,
            tenant: None,
            subject: None,
            proofs: Vec::new(),
            demanded: Strength::OneFactor,
            now: self.environment.now(),
            rp_id: origin.host_str().unwrap_or_default().to_owned(),
            origin,
            callback,
            oauth_state: Some(Token::generate(&self.environment).expose().to_owned()),
            channels: Vec::new(),
            locale: "en".to_owned(),
            client: ClientFacts::default(),
        };
        let context = Context {
            facts: &facts,
            services: self,
        };
        if let Some(third_party) = configured.third_party() {
            findings.extend(third_party.diagnose(&context).await);
        }
        findings
    }

    /// What the server's own address means for a connection.
    fn cookies(&self) -> Finding {
        let origin = self.policy.origins().server();
        let host = origin.host_str().unwrap_or_default();
        let is_here = host == "localhost" || host.ends_with(".localhost");
        match origin.scheme() == "https" || is_here {
            true => Finding::good(
                "cookies",
                "The cookie that binds a sign-in to its browser is kept to this host, and comes back with it.",
            ),
            false => Finding::bad(
                "cookies",
                "Without `https` cookies can be read and planted on the way, so that a sign-in is not bound to its browser.",
                "Serve this by `https`, and set `server.origin` to that address.",
            ),
        }
    }
}

/// Requests go where the server's would; nobody is known here.
#[async_trait]
impl Services for Look {
    fn random(&self, bytes: &mut [u8]) {
        self.environment.fill(bytes);
    }

    async fn subject_records(&self) -> CoreResult<Vec<KeptRecord>> {
        Ok(Vec::new())
    }

    async fn record_by_key(&self, _key: &str) -> CoreResult<Option<KeptRecord>> {
        Ok(None)
    }

    async fn fetch(&self, request: HttpRequest) -> CoreResult<HttpResponse> {
        self.outbound.fetch(request).await
    }
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
