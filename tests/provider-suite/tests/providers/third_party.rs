//! A third party says who it is: a redirect there, a callback, a look at what
//! the code stands for.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{FactorClass, MustChange},
    provider::{
        Answer, Context, Description, Entry, ExternalIdentity, Finding, HttpRequest, HttpResponse,
        Proof, Provider, ProviderTable, Reach, Rechecked, Registry, Renewal, State, Step, Turn,
        Who,
    },
    secret::Secret,
};
use gatelodge_provider_suite::{Person, Replay, Seen};
use serde_json::{Value, json};
use url::Url;

#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) flaw: &'static str,
}

impl gatelodge_provider_suite::Fixture for Fixture {
    fn register(&self, registry: &mut Registry) {
        registry.kind("third-party", |_, table| {
            let flaw = super::flaw(&table)?;
            Ok(Arc::new(ThirdParty { flaw }))
        });
    }

    fn table(&self) -> ProviderTable {
        super::table(self.flaw)
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        self.callback(&person.number().to_string(), seen)
    }

    fn wrong(&self, _: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        vec![self.callback("nobody-0000", seen)]
    }

    /// The code is read as what it says: somebody, in that transaction.
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let code = String::from_utf8_lossy(&request.body.0).into_owned();
        let known = code
            .split_once('.')
            .filter(|(who, _)| *who != "nobody-0000");
        Ok(HttpResponse {
            status: if known.is_some() { 200 } else { 400 },
            headers: BTreeMap::new(),
            body: State(match known {
                Some((who, nonce)) => json!({"sub": who, "nonce": nonce}).to_string().into(),
                None => b"no such code".to_vec(),
            }),
        })
    }
}

impl Fixture {
    fn callback(&self, who: &str, seen: &Seen<'_>) -> Answer {
        let Step::Redirect { url } = seen.step else {
            panic!("where to?");
        };
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let nonce = query.get("nonce").cloned().unwrap_or_default();
        let parameters = [
            ("code".to_owned(), Secret::new(format!("{who}.{nonce}"))),
            ("state".to_owned(), Secret::new(query["state"].clone())),
        ];
        Answer::Callback {
            parameters: parameters.into(),
        }
    }
}

struct ThirdParty {
    flaw: String,
}

/// What is kept, over and over.
const KEPT: &[u8] = b"kept";

#[async_trait]
impl Provider for ThirdParty {
    fn describe(&self) -> Description {
        Description {
            kind: "third-party".to_owned(),
            label: "Third party".to_owned(),
            class: FactorClass::Federated,
            amr: "fed".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: self.flaw == "cannot_go_without_tenant",
            inline: self.flaw == "redirects_inline",
            links: Vec::new(),
            silent: false,
            third_party: self.flaw != "does_not_say_what_it_is",
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 500,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        if matches!(entry, Entry::Link { .. }) {
            return Ok(Turn::refused("unknown_entry"));
        }
        if self.flaw == "cannot_go_without_tenant" && context.facts.tenant.is_none() {
            return Err(Error::internal("there is no tenant"));
        }
        let nonce: String = context
            .random::<16>()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let scheme = match self.flaw.as_str() {
            "redirects_in_the_clear" => "http",
            _ => "https",
        };
        let mut url: Url = format!("{scheme}://party.example/authorize")
            .parse()
            .unwrap();
        url.query_pairs_mut()
            .append_pair("state", context.facts.oauth_state.as_deref().unwrap_or(""))
            .append_pair("nonce", &nonce);
        let state = match self.flaw.as_str() {
            "does_not_bind_the_nonce" => "any".to_owned(),
            _ => nonce,
        };
        Ok(Turn::step(Step::Redirect { url }).with_state(State(state.into_bytes())))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let Answer::Callback { parameters } = answer else {
            return Ok(Turn::refused("no_callback"));
        };
        let code = parameters.get("code").filter(|code| code.len() < 1_000);
        let Some(code) = code else {
            return Ok(Turn::refused("no_code"));
        };
        let response = context
            .services
            .fetch(HttpRequest {
                method: "POST".to_owned(),
                url: "https://party.example/token".parse().unwrap(),
                headers: BTreeMap::new(),
                body: State(code.expose().into()),
                reach: Reach::Public,
                timeout: Duration::from_secs(5),
            })
            .await?;
        if response.status != 200 {
            return match self.flaw.as_str() {
                "fails_on_a_wrong_code" => Err(Error::internal(format!(
                    "the third party does not know `{}`",
                    code.expose()
                ))),
                _ => Ok(Turn::refused("wrong_code")),
            };
        }
        let said: Value = serde_json::from_slice(&response.body.0).unwrap_or_default();
        let (subject, nonce) = (said["sub"].as_str(), said["nonce"].as_str());
        let is_bound = nonce.is_some_and(|nonce| nonce.as_bytes() == state.0);
        if !is_bound && self.flaw != "does_not_bind_the_nonce" {
            return Ok(Turn::refused("wrong_nonce"));
        }
        let who = self.who(context, subject.unwrap_or_default());
        let renew = (self.flaw == "wants_to_be_changed").then_some(Renewal {
            reason: MustChange::Age,
            due: None,
        });
        let most = match self.flaw.as_str() {
            "keeps_too_much" => 16 * 1024 + 1,
            _ => 16 * 1024,
        };
        Ok(Turn::proven(Proof {
            renew,
            keep: State(KEPT.iter().copied().cycle().take(most).collect()),
            ..Proof::of(who)
        }))
    }

    fn third_party(&self) -> Option<&dyn gatelodge_core::provider::ThirdParty> {
        (self.flaw != "hides_what_it_is").then_some(self)
    }
}

impl ThirdParty {
    fn who(&self, context: &Context<'_>, subject: &str) -> Who {
        let flaw = self.flaw.as_str();
        if flaw == "names_candidates" {
            let subject = context.facts.subject.as_ref().map(|subject| subject.id);
            let tenant = context.facts.tenant.as_ref().map(|tenant| tenant.id);
            let users = tenant.zip(subject).into_iter().collect();
            return Who::Candidates { users };
        }
        let long = "x".repeat(3_000);
        Who::External {
            identity: ExternalIdentity {
                connection: context.facts.provider.clone(),
                issuer: match flaw {
                    "has_a_long_issuer" => format!("https://party.example/{long}"),
                    _ => "https://party.example".to_owned(),
                },
                subject: match flaw {
                    "takes_everybody_for_one" => "somebody".to_owned(),
                    "has_a_long_subject" => format!("{subject}{long}"),
                    "has_no_subject" => String::new(),
                    _ => subject.to_owned(),
                },
                claims: BTreeMap::new(),
            },
        }
    }
}

#[async_trait]
impl gatelodge_core::provider::ThirdParty for ThirdParty {
    fn proves_anew(&self) -> bool {
        true
    }

    async fn refresh(&self, _: &Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn recheck(&self, _: &Context<'_>, kept: &State) -> Result<Rechecked> {
        let is_whole = !kept.0.is_empty() && kept.0.chunks(4).all(|chunk| chunk == KEPT);
        Ok(match self.flaw.as_str() {
            _ if is_whole => Rechecked::Welcome { keep: kept.clone() },
            "bars_whom_it_does_not_know" => Rechecked::Barred {
                reason: "unknown".to_owned(),
            },
            _ => Rechecked::Unknown {},
        })
    }

    async fn sign_out(&self, _: &Context<'_>, _: &Url) -> Option<Url> {
        None
    }

    async fn diagnose(&self, _: &Context<'_>) -> Vec<Finding> {
        let remedy = match self.flaw.as_str() {
            "does_not_say_what_to_do" => "",
            _ => "Wait until it is later.",
        };
        vec![
            Finding::good("discovery", "The third party can be reached."),
            Finding::doubtful("clock", "It is early.", remedy),
        ]
    }
}
