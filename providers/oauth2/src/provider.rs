//! Signing in at a service, as a provider.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    model::FactorClass,
    provider::{
        Answer, Context, Description, Entry, ExternalIdentity, Finding, Proof, Provider, Rechecked,
        Registry, State, Step, ThirdParty, Turn, Who,
    },
    secret::Secret,
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    Config, Error, Lie,
    config::is_of_origin,
    protocol::{
        Failure, Granted, Transaction, authorization_url, diagnose, exchange, is_member, read_json,
        read_person, refresh, rehearse,
    },
};

/// What `kind` in the configuration says.
pub const KIND: &str = "oauth2";

/// The most bytes of a code.
const LONGEST_CODE: usize = 4_096;

/// Adds the kind `oauth2` to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_, table| {
        let config = Config::from_table(table)?;
        Ok(Arc::new(OAuth2Provider::new(config)))
    });
}

/// One connection to a service.
#[derive(Debug)]
pub struct OAuth2Provider {
    config: Config,
}

/// What is kept of a sign-in, to ask later whether somebody may still come in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    subject: String,
    refresh_token: Secret,
}

/// Who somebody is, and whether they may come in.
struct Met {
    identity: ExternalIdentity,
    is_member: bool,
}

impl OAuth2Provider {
    /// As configured.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How a sign-in ends at a service that lies, in place of the configured one:
    /// nothing leaves this process. `None`: at one that is honest.
    ///
    /// # Errors
    /// Where the lie is one about which nothing can be said.
    pub async fn rehearse(&self, context: &Context<'_>, lie: Option<Lie>) -> Result<Turn> {
        rehearse(self, context, lie).await
    }

    /// The code of a callback that belongs to the transaction.
    fn code<'a>(
        &self,
        transaction: &Transaction,
        parameters: &'a BTreeMap<String, Secret>,
    ) -> Result<&'a Secret, &'static str> {
        if !transaction.is_answered_by(parameters.get("state")) {
            return Err("wrong_state");
        }
        // Before anything else of it counts: whose answer it is (RFC 9207 section 2.4).
        self.check_issuer(parameters.get("iss").map(Secret::expose))?;
        if let Some(error) = parameters.get("error") {
            return Err(match error.expose() {
                "access_denied" => "access_denied",
                "temporarily_unavailable" | "server_error" => "third_party_failed",
                _ => "third_party_refused",
            });
        }
        let is_code = |code: &&Secret| {
            (1..=LONGEST_CODE).contains(&code.len())
                && code
                    .expose()
                    .bytes()
                    .all(|byte| (b' '..=b'~').contains(&byte))
        };
        parameters.get("code").filter(is_code).ok_or("no_code")
    }

    fn check_issuer(&self, said: Option<&str>) -> Result<(), &'static str> {
        let is_right = match (said, &self.config.issuer) {
            (Some(said), Some(issuer)) => said == issuer,
            (Some(said), None) => is_of_origin(said, &self.config.authorization_url),
            (None, _) => !self.config.needs_issuer,
        };
        is_right.then_some(()).ok_or("wrong_issuer")
    }

    async fn come_back(
        &self,
        context: &Context<'_>,
        state: &State,
        parameters: &BTreeMap<String, Secret>,
    ) -> Result<Turn, Failure> {
        let config = &self.config;
        let transaction = Transaction::read(state, config, &context.facts.provider);
        let transaction = transaction.map_err(Failure::Refused)?;
        let code = self
            .code(&transaction, parameters)
            .map_err(Failure::Refused)?;
        let granted = exchange(config, context, &transaction, code).await?;
        let met = self.meet(context, &granted.token).await?;
        let identity = met.identity;
        if !met.is_member {
            let reason = "not_a_member".to_owned();
            return Ok(Turn::step(Step::Barred { identity, reason }));
        }
        let keep = keep(&identity.subject, granted, None);
        Ok(Turn::proven(Proof {
            keep,
            ..Proof::of(Who::External { identity })
        }))
    }

    /// Looks at who it is that a token was given for.
    async fn meet(&self, context: &Context<'_>, token: &Secret) -> Result<Met, Failure> {
        let config = &self.config;
        let user = read_json(config, context, &config.user_url, token).await?;
        let emails = match &config.emails_url {
            Some(url) => Some(read_json(config, context, url, token).await?),
            None => None,
        };
        let person = read_person(&config.fields, &user, emails.as_ref())?;
        let is_member = match &config.organisations_url {
            Some(url) if !config.organisations.is_empty() => {
                let list = read_json(config, context, url, token).await?;
                is_member(&config.fields, &list, &config.organisations)?
            }
            _ => true,
        };
        let identity = ExternalIdentity {
            connection: context.facts.provider.clone(),
            issuer: config.vouches(),
            subject: person.subject,
            claims: person.claims,
        };
        Ok(Met {
            identity,
            is_member,
        })
    }
}

/// What to keep: a refresh token, the old one where there is no new one.
fn keep(subject: &str, granted: Granted, old: Option<Secret>) -> State {
    let Some(refresh_token) = granted.refresh_token.or(old) else {
        return State::default();
    };
    let kept = Kept {
        subject: subject.to_owned(),
        refresh_token,
    };
    let kept = serde_json::to_vec(&kept).unwrap_or_default();
    // The engine keeps no more; then there is nothing to ask with.
    State(if kept.len() <= 16 * 1024 {
        kept
    } else {
        Vec::new()
    })
}

#[async_trait]
impl Provider for OAuth2Provider {
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
            mark: self.config.mark.clone(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        if matches!(entry, Entry::Link { .. }) {
            return Ok(Turn::refused("unknown_entry"));
        }
        let transaction = Transaction::begin(&self.config, context)?;
        let url = authorization_url(&self.config, &transaction);
        Ok(Turn::step(Step::Redirect { url }).with_state(transaction.keep()))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let Answer::Callback { parameters } = answer else {
            return Ok(Turn::refused("no_callback"));
        };
        match self.come_back(context, &state, &parameters).await {
            Ok(turn) => Ok(turn),
            Err(Failure::Refused(reason)) => Ok(Turn::refused(reason)),
            Err(Failure::Fault(error)) => Err(CoreError::from(error)),
        }
    }

    fn third_party(&self) -> Option<&dyn ThirdParty> {
        Some(self)
    }
}

#[async_trait]
impl ThirdParty for OAuth2Provider {
    /// There is nothing to fetch before somebody comes.
    async fn refresh(&self, _: &Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn recheck(&self, context: &Context<'_>, kept: &State) -> Result<Rechecked> {
        let Ok(kept) = serde_json::from_slice::<Kept>(&kept.0) else {
            return Ok(Rechecked::Unknown {});
        };
        let barred = |reason: &str| {
            let reason = reason.to_owned();
            Ok(Rechecked::Barred { reason })
        };
        let granted = match refresh(&self.config, context, &kept.refresh_token).await {
            Ok(granted) => granted,
            // Taken back, run out, or the account is gone (RFC 6749 section 5.2).
            Err(Failure::Refused("grant_refused")) => return barred("grant_ended"),
            Err(failure) => return Err(unclear(failure)),
        };
        let met = self.meet(context, &granted.token).await.map_err(unclear)?;
        if met.identity.subject != kept.subject {
            return barred("other_subject");
        }
        if !met.is_member {
            return barred("not_a_member");
        }
        let keep = keep(&kept.subject, granted, Some(kept.refresh_token));
        Ok(Rechecked::Welcome { keep })
    }

    /// OAuth 2 has no word for it, and no answer that would show it.
    fn proves_anew(&self) -> bool {
        false
    }

    /// OAuth 2 knows no signing out.
    async fn sign_out(&self, _: &Context<'_>, _: &Url) -> Option<Url> {
        None
    }

    async fn diagnose(&self, context: &Context<'_>) -> Vec<Finding> {
        diagnose(self, context).await
    }
}

/// A look that tells nothing of somebody.
fn unclear(failure: Failure) -> CoreError {
    match failure {
        Failure::Fault(error) => error.into(),
        Failure::Refused(reason) => {
            let error = CoreError::from(Error::NoAnswer(None));
            error.because(format!("the third party's answer: {reason}"))
        }
    }
}
