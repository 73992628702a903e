//! The provider: out to the third party, and back.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    model::{FactorClass, ProviderId},
    provider::{
        Answer, Claim, Context, Description, Entry, ExternalIdentity, Finding, Mark, Proof,
        Provider, ProviderTable, Rechecked, Registry, Rule, State, Step, ThirdParty, Turn, Who,
    },
    secret::Secret,
};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    Config, Error,
    protocol::{
        self, Cache, Chance, Exchanged, Kept, Known, Outside, Profile, Refusal, SubjectRule,
        Tokens, Transaction, Verified,
    },
};

/// The kind in the configuration.
pub const KIND: &str = "oidc";
/// The longest code that is exchanged, in bytes.
const MOST_CODE: usize = 4_096;
/// Two or three requests to the third party lie between an answer and a refusal.
const REFUSAL_FLOOR_MS: u32 = 500;

/// Adds the kind to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_: &ProviderId, table: ProviderTable| {
        let config = Config::from_table(table)?;
        Ok(Arc::new(OidcProvider::new(config)?))
    });
}

/// Signs people in at an OpenID provider.
pub struct OidcProvider {
    config: Config,
    mark: Mark,
    cache: Cache,
}

impl OidcProvider {
    /// A connection. Nothing is fetched before somebody uses it.
    ///
    /// # Errors
    /// When the picture of its button cannot be painted.
    pub fn new(config: Config) -> Result<Self> {
        Ok(Self {
            mark: config.preset.mark()?,
            config,
            cache: Cache::default(),
        })
    }

    fn outside<'a>(&self, context: &'a Context<'a>) -> Outside<'a> {
        Outside {
            context,
            reach: self.config.reach(),
        }
    }

    async fn known(&self, context: &Context<'_>) -> Result<Known, Error> {
        self.cache
            .current(self.outside(context), &self.config)
            .await
    }

    /// What the callback brought, if it belongs to the transaction: a code, and the
    /// issuer that it names.
    fn code(
        &self,
        transaction: &Transaction,
        parameters: &BTreeMap<String, Secret>,
    ) -> Result<Code, &'static str> {
        let is_bound = parameters.get("state") == Some(&transaction.state);
        if !is_bound || transaction.state.is_empty() {
            return Err("wrong_state");
        }
        let issuer = parameters
            .get("iss")
            .map(|issuer| issuer.expose().to_owned());
        match &issuer {
            Some(issuer) if !self.config.issuer.may_call_back(issuer) => {
                return Err("wrong_issuer");
            }
            None if transaction.names_issuer => return Err("missing_issuer"),
            _ => {}
        }
        if let Some(error) = parameters.get("error") {
            return Err(protocol::error_word(error.expose()));
        }
        let code = parameters.get("code").filter(|code| !code.is_empty());
        let code = code.ok_or("no_code")?;
        let is_code =
            code.len() <= MOST_CODE && code.expose().bytes().all(|b| b.is_ascii_graphic());
        match is_code {
            true => Ok(Code {
                code: code.clone(),
                issuer,
                names: self.names(parameters),
            }),
            false => Err("wrong_code"),
        }
    }

    /// The name that comes beside the token.
    fn names(&self, parameters: &BTreeMap<String, Secret>) -> Map<String, Value> {
        let user = parameters
            .get("user")
            .filter(|user| user.len() <= MOST_CODE);
        let user = user.filter(|_| self.config.preset.name_in_callback);
        user.map(|user| protocol::names(user.expose()))
            .unwrap_or_default()
    }

    /// Who came back, if everything is as it has to be.
    async fn arrive(
        &self,
        context: &Context<'_>,
        transaction: &Transaction,
        code: &Code,
    ) -> Result<Result<Arrival, &'static str>, Error> {
        let known = self.known(context).await?;
        // The code goes to whom the browser was sent to, and to nobody else.
        if known.metadata.token != transaction.token_endpoint {
            return Ok(Err("third_party_changed"));
        }
        let outside = self.outside(context);
        let exchanged = protocol::exchange_code(outside, &self.config, transaction, &code.code);
        let tokens = match exchanged.await? {
            Exchanged::Tokens(tokens) => tokens,
            Exchanged::Refused => return Ok(Err("wrong_code")),
        };
        let Some(id_token) = tokens.raw_id_token() else {
            return Ok(Err("no_id_token"));
        };
        let nonce = self.config.preset.nonce.then(|| transaction.nonce.expose());
        let profile = Profile {
            nonce,
            since: Some(transaction.since),
            anew: transaction.anew,
            ..self.profile(&tokens, context)
        };
        let verified = match self.verify(context, &known, &profile, id_token).await? {
            Ok(verified) => verified,
            Err(refusal) => return Ok(Err(refusal.as_str())),
        };
        let is_one = code
            .issuer
            .as_ref()
            .is_none_or(|issuer| *issuer == verified.issuer);
        if self.config.issuer.is_open() && !is_one {
            return Ok(Err("wrong_issuer"));
        }
        let arrived = self.arrival(context, &known, &tokens, verified).await?;
        Ok(arrived.map(|arrival| arrival.named(&code.names)))
    }

    /// What a token has to be, but for what it answers to.
    fn profile<'a>(&'a self, tokens: &'a Tokens, context: &Context<'_>) -> Profile<'a> {
        Profile {
            issuer: &self.config.issuer,
            client_id: &self.config.client_id,
            audiences: &self.config.audiences,
            algorithms: &self.config.algorithms,
            nonce: None,
            since: None,
            anew: false,
            access_token: tokens.access(),
            now: context.now().as_second(),
        }
    }

    /// Verifies a token. The key may be newer than those that are kept.
    async fn verify(
        &self,
        context: &Context<'_>,
        known: &Known,
        profile: &Profile<'_>,
        token: &Secret,
    ) -> Result<Result<Verified, Refusal>, Error> {
        match profile.verify(token.expose(), &known.keys) {
            Err(Refusal::UnknownKey) => {
                let keys = self.cache.keys_after(self.outside(context), known).await?;
                Ok(profile.verify(token.expose(), &keys))
            }
            outcome => Ok(outcome),
        }
    }

    /// The identity that a token and userinfo make together.
    async fn arrival(
        &self,
        context: &Context<'_>,
        known: &Known,
        tokens: &Tokens,
        verified: Verified,
    ) -> Result<Result<Arrival, &'static str>, Error> {
        let mut said = verified.claims;
        let Some(subject) = self.subject(&verified.subject, &said) else {
            return Ok(Err("no_lasting_subject"));
        };
        if let Some(address) = known
            .metadata
            .userinfo
            .as_ref()
            .filter(|_| self.config.userinfo)
        {
            let outside = self.outside(context);
            let userinfo = outside
                .get("userinfo", address, Some(tokens.access()))
                .await?
                .object;
            if userinfo.get("sub").and_then(Value::as_str) != Some(&verified.subject) {
                return Ok(Err(Refusal::Subject.as_str()));
            }
            protocol::join(&mut said, userinfo);
        }
        let issuer = self.config.issuer.canonical(&verified.issuer).to_owned();
        let identity = ExternalIdentity {
            connection: context.facts.provider.clone(),
            issuer,
            subject,
            claims: protocol::claims(self.config.preset, &said),
        };
        let keep = tokens
            .refresh()
            .filter(|_| self.config.recheck)
            .map(|refresh| Kept {
                issuer: verified.issuer,
                subject: verified.subject,
                refresh,
            });
        Ok(Ok(Arrival {
            is_barred: !self.admits(&said),
            identity,
            keep: keep.map(|kept| kept.state()).unwrap_or_default(),
        }))
    }

    /// What identifies somebody for ever.
    fn subject(&self, sub: &str, said: &Map<String, Value>) -> Option<String> {
        match self.config.preset.subject {
            SubjectRule::Sub => Some(sub.to_owned()),
            SubjectRule::TidOid => {
                let id = |name| said.get(name).and_then(Value::as_str);
                let ids = id("tid").zip(id("oid"));
                let (tid, oid) = ids.filter(|(_, oid)| protocol::is_guid(oid))?;
                Some(format!("{tid}/{oid}"))
            }
        }
    }

    /// Whether somebody's organisation may come.
    fn admits(&self, said: &Map<String, Value>) -> bool {
        let allowed = &self.config.organisations;
        if allowed.is_empty() {
            return true;
        }
        let claim = self.config.organisation_claim.as_ref();
        let named = claim.and_then(|claim| said.get(claim));
        let is_allowed = |name: &str| allowed.iter().any(|one| one == name);
        match named {
            Some(Value::String(name)) => is_allowed(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is_allowed),
            _ => false,
        }
    }
}

/// What a callback brought.
struct Code {
    code: Secret,
    issuer: Option<String>,
    names: Map<String, Value>,
}

/// Somebody who came back.
struct Arrival {
    identity: ExternalIdentity,
    is_barred: bool,
    keep: State,
}

impl Arrival {
    /// With names that the token does not know.
    fn named(mut self, names: &Map<String, Value>) -> Self {
        for (name, value) in names {
            let value = value.as_str().unwrap_or_default().to_owned();
            let verified = gatelodge_core::provider::Verified::Claimed;
            let claim = Claim { value, verified };
            self.identity.claims.entry(name.clone()).or_insert(claim);
        }
        self
    }
}

/// Why an organisation's people may not come in, for the audit log.
const WRONG_ORGANISATION: &str = "wrong_organisation";

#[async_trait]
impl Provider for OidcProvider {
    fn describe(&self) -> Description {
        Description {
            kind: KIND.to_owned(),
            label: self.config.label.clone(),
            class: FactorClass::Federated,
            amr: "fed".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: false,
            links: Vec::new(),
            silent: false,
            third_party: true,
            mark: self.mark.clone(),
            refusal_floor_ms: REFUSAL_FLOOR_MS,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        if matches!(entry, Entry::Link { .. }) {
            return Ok(Turn::refused("unknown_entry"));
        }
        let known = self.known(context).await?;
        let chance = Chance::new(context);
        let nowhere = || CoreError::internal("there is no callback to come back to");
        let transaction = Transaction::begin(context, &self.config, &known.metadata, chance);
        let transaction = transaction.ok_or_else(nowhere)?;
        let is_anew = protocol::is_anew(context.facts.intent);
        let url =
            protocol::authorization_url(&self.config, &known.metadata, &transaction, is_anew)?;
        Ok(Turn::step(Step::Redirect { url }).with_state(transaction.keep()))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let transaction = Transaction::read(&state);
        let transaction = transaction.filter(|one| one.fits(context.facts, &self.config));
        let Some(transaction) = transaction else {
            return Ok(Turn::refused("wrong_transaction"));
        };
        let Answer::Callback { parameters } = answer else {
            return Ok(Turn::refused("no_callback"));
        };
        let code = match self.code(&transaction, &parameters) {
            Ok(code) => code,
            Err(reason) => return Ok(Turn::refused(reason)),
        };
        Ok(match self.arrive(context, &transaction, &code).await? {
            Err(reason) => Turn::refused(reason),
            Ok(arrival) if arrival.is_barred => Turn::step(Step::Barred {
                identity: arrival.identity,
                reason: WRONG_ORGANISATION.to_owned(),
            }),
            Ok(arrival) => Turn::proven(Proof {
                keep: arrival.keep,
                ..Proof::of(Who::External {
                    identity: arrival.identity,
                })
            }),
        })
    }

    fn rules(&self) -> Vec<Rule> {
        protocol::rules(&self.config)
    }

    fn third_party(&self) -> Option<&dyn ThirdParty> {
        Some(self)
    }
}

#[async_trait]
impl ThirdParty for OidcProvider {
    async fn refresh(&self, context: &Context<'_>) -> Result<()> {
        let outside = self.outside(context);
        Ok(self.cache.refresh(outside, &self.config).await?)
    }

    async fn recheck(&self, context: &Context<'_>, kept: &State) -> Result<Rechecked> {
        let Some(kept) = Kept::read(kept) else {
            return Ok(Rechecked::Unknown {});
        };
        let known = self.known(context).await?;
        let (outside, token) = (self.outside(context), &known.metadata.token);
        let exchanged = protocol::exchange_refresh(outside, &self.config, token, &kept.refresh);
        let tokens = match exchanged.await? {
            Exchanged::Tokens(tokens) => tokens,
            Exchanged::Refused => return Ok(barred("invalid_grant")),
        };
        if let Some(id_token) = tokens.raw_id_token() {
            let profile = self.profile(&tokens, context);
            let verified = self.verify(context, &known, &profile, id_token).await?;
            let verified = verified.map_err(|refusal| unclear(refusal.as_str()))?;
            // OpenID Connect Core 1.0 section 12.2.
            let issuer = self.config.issuer.canonical(&verified.issuer);
            if issuer != self.config.issuer.canonical(&kept.issuer)
                || verified.subject != kept.subject
            {
                return Err(unclear(Refusal::Subject.as_str()).into());
            }
            // The claim may be at userinfo only: then the token does not speak of it.
            let claim = self.config.organisation_claim.as_ref();
            let speaks = claim.is_some_and(|claim| verified.claims.contains_key(claim));
            if (speaks || !self.config.userinfo) && !self.admits(&verified.claims) {
                return Ok(barred(WRONG_ORGANISATION));
            }
        }
        let refresh = tokens.refresh().unwrap_or_else(|| kept.refresh.clone());
        let keep = Kept { refresh, ..kept }.state();
        Ok(Rechecked::Welcome { keep })
    }

    /// Where `max_age` is sent, `auth_time` is demanded.
    fn proves_anew(&self) -> bool {
        self.config.asks_max_age()
    }

    async fn sign_out(&self, context: &Context<'_>, back: &Url) -> Option<Url> {
        if !self.config.sign_out {
            return None;
        }
        let known = self.known(context).await.ok()?;
        protocol::sign_out_url(&self.config, &known.metadata, back)
    }

    async fn diagnose(&self, context: &Context<'_>) -> Vec<Finding> {
        protocol::diagnose(context, &self.config).await
    }
}

fn barred(reason: &str) -> Rechecked {
    Rechecked::Barred {
        reason: reason.to_owned(),
    }
}

/// An answer to a refresh that says neither yes nor no.
fn unclear(reason: &str) -> Error {
    Error::answer(
        "refreshed token",
        format!("it counts for nothing: `{reason}`"),
    )
}
