//! Signing in at the lying service, with the very configuration that is in force.

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::ProviderId,
    provider::{
        Answer, Context, Entry, Facts, HttpRequest, HttpResponse, Intent, KeptRecord,
        Provider as _, Services, Step, Turn, Verified, Who,
    },
};
use url::Url;

use super::{Liar, Lie};
use crate::OAuth2Provider;

/// What the provider asks while it rehearses: nothing leaves this process.
struct Stage<'a> {
    liar: &'a Liar<'a>,
    outside: &'a dyn Services,
}

#[async_trait]
impl Services for Stage<'_> {
    fn random(&self, bytes: &mut [u8]) {
        self.outside.random(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        Ok(Vec::new())
    }

    async fn record_by_key(&self, _: &str) -> Result<Option<KeptRecord>> {
        Ok(None)
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.liar.answer(&request)
    }
}

/// Whether what must be let in is, and what must not be is not.
pub(super) async fn is_right(
    provider: &OAuth2Provider,
    context: &Context<'_>,
    lie: Option<Lie>,
) -> bool {
    let turn = rehearse(provider, context, lie).await;
    let Some(lie) = lie else {
        return matches!(
            turn,
            Ok(Turn {
                step: Step::Proven { .. },
                ..
            })
        );
    };
    match turn {
        // It is told to nobody who it is.
        Err(_) => true,
        Ok(turn) => match turn.step {
            Step::Refused { .. } | Step::Barred { .. } => !lie.is_about_verification(),
            Step::Proven { proof } => lie.is_about_verification() && is_unproven(&proof.who),
            _ => false,
        },
    }
}

/// Whether no address counts as verified.
fn is_unproven(who: &Who) -> bool {
    let Who::External { identity } = who else {
        return false;
    };
    let email = identity.claims.get("email");
    email.is_none_or(|claim| claim.verified == Verified::Claimed)
}

/// A sign-in at a service that lies, or at an honest one.
pub(crate) async fn rehearse(
    provider: &OAuth2Provider,
    context: &Context<'_>,
    lie: Option<Lie>,
) -> Result<Turn> {
    let liar = Liar::new(provider.config(), lie);
    let stage = Stage {
        liar: &liar,
        outside: context.services,
    };
    let here = facts(context.facts, 'a');
    let mut there = here.clone();
    if lie == Some(Lie::OtherConnection) {
        there.provider = another(&here.provider)?;
    }
    let on = |facts| Context {
        facts,
        services: &stage,
    };
    let (url, state) = begin(provider, &on(&there)).await?;
    let other = facts(context.facts, 'b');
    let mut parameters = liar.callback(&url);
    match lie {
        Some(Lie::OtherCode) => {
            let (url, _) = begin(provider, &on(&other)).await?;
            let stolen = liar.callback(&url);
            if let Some(code) = stolen.get("code") {
                parameters.insert("code".to_owned(), code.clone());
            }
        }
        Some(Lie::UsedCode) => {
            let answer = Answer::Callback {
                parameters: parameters.clone(),
            };
            provider.resume(&on(&here), state.clone(), answer).await?;
        }
        _ => {}
    }
    let answer = Answer::Callback { parameters };
    provider.resume(&on(&here), state, answer).await
}

async fn begin(
    provider: &OAuth2Provider,
    context: &Context<'_>,
) -> Result<(Url, gatelodge_core::provider::State)> {
    let turn = provider.begin(context, Entry::Chosen {}).await?;
    match turn.step {
        Step::Redirect { url } => Ok((url, turn.state)),
        _ => Err(gatelodge_core::Error::internal("it does not begin")),
    }
}

/// A flow of nobody.
fn facts(facts: &Facts, letter: char) -> Facts {
    let callback = facts.callback.clone();
    Facts {
        intent: Intent::SignIn,
        subject: None,
        proofs: Vec::new(),
        callback: callback.or_else(|| facts.origin.join("/callback").ok()),
        oauth_state: Some(letter.to_string().repeat(43)),
        ..facts.clone()
    }
}

fn another(id: &ProviderId) -> Result<ProviderId> {
    ProviderId::new(if id.as_str() == "a" { "b" } else { "a" })
}
