//! What every provider must show, and what this one shows beyond that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use gatelodge_core::{
    Result,
    provider::{Answer, HttpRequest, HttpResponse, ProviderTable, Registry, Step},
    secret::Secret,
};
use gatelodge_provider_oidc::{Config, Liar, Lie, register};
use gatelodge_provider_suite::{Fixture, Person, Replay, Seen};
use serde_json::{Value, json};

mod suite {
    mod connections;
    mod doctor;
    mod flows;
    mod keeping;
    mod lies;
    mod world;
}

/// People who come by a third party.
struct ThirdParty(Value);

impl ThirdParty {
    fn liar(&self) -> Liar {
        Liar::of(&Config::from_table(self.table()).unwrap())
    }

    fn callback(&self, liar: &Liar, person: &Person, seen: &Seen<'_>) -> Answer {
        let Step::Redirect { url } = seen.step else {
            panic!("where to?");
        };
        let subject = format!("person-{}", person.number());
        Answer::Callback {
            parameters: liar.authorize(url, &subject, seen.now),
        }
    }
}

impl Fixture for ThirdParty {
    fn register(&self, registry: &mut Registry) {
        register(registry);
    }

    fn table(&self) -> ProviderTable {
        self.0.as_object().unwrap().clone()
    }

    fn replay(&self) -> Replay {
        Replay::Refused
    }

    fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
        self.callback(&self.liar(), person, seen)
    }

    fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        let liar = self.liar();
        let told = [
            Lie::CodeOfAnotherSignIn,
            Lie::ForeignState,
            Lie::CallbackOfAnother,
        ]
        .map(|lie| self.callback(&liar.clone().telling(lie), person, seen));
        let unknown = match self.callback(&liar, person, seen) {
            Answer::Callback { mut parameters } => {
                parameters.insert("code".to_owned(), Secret::new("code-nobody-0000"));
                Answer::Callback { parameters }
            }
            other => other,
        };
        told.into_iter().chain([unknown]).collect()
    }

    fn malformed(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
        let liar = self.liar();
        let lies = [
            Lie::NoCode,
            Lie::EmptyCode,
            Lie::HugeCode,
            Lie::NoState,
            Lie::EmptyState,
        ];
        let told = lies.map(|lie| self.callback(&liar.clone().telling(lie), person, seen));
        told.into_iter().chain([Answer::Poll {}]).collect()
    }

    fn is_bound_to_its_flow(&self) -> bool {
        true
    }

    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse> {
        self.liar().answer(request)
    }
}

mod generic {
    use super::{ThirdParty, json};
    gatelodge_provider_suite::provider_suite!(ThirdParty(json!({
        "issuer": "https://issuer.example/realm", "client_id": "client-4711",
        "client_secret": "the client's secret 4711", "algorithms": ["ES256"], "recheck": true,
    })));
}

mod microsoft {
    use super::{ThirdParty, json};
    gatelodge_provider_suite::provider_suite!(ThirdParty(json!({
        "preset": "microsoft", "client_id": "client-4711",
        "client_secret": "the client's secret 4711", "algorithms": ["EdDSA"],
    })));
}
