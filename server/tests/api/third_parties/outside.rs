use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    environment::{Clock as _, ManualClock},
    provider::{HttpRequest, HttpResponse, Outbound, Reach},
    secret::Secret,
};
use gatelodge_provider_oidc::{Config, Liar};
use serde_json::Value;
use url::Url;

/// The keys of a connection's table that are core's.
const CORE: [&str; 6] = [
    "allowed_domains",
    "authoritative_domains",
    "claims",
    "linking",
    "new_accounts",
    "tenants",
];
/// The most that the server's own client reads.
const MOST: usize = 256 * 1024;

/// All third parties that there are, each at its issuer's address.
#[derive(Default)]
pub(super) struct Outside {
    parties: Mutex<BTreeMap<String, Party>>,
    clock: OnceLock<Arc<ManualClock>>,
    asked: Mutex<Vec<Url>>,
}

struct Party {
    config: Config,
    liar: Liar,
}

impl Outside {
    /// Puts the third party of a connection there, an honest one.
    pub(super) fn add(&self, id: &str, table: &Value) {
        let mut table = table.as_object().unwrap().clone();
        table.retain(|key, _| !CORE.contains(&key.as_str()));
        let config = Config::from_table(table).unwrap();
        let liar = Liar::of(&config);
        let party = Party { config, liar };
        self.parties.lock().unwrap().insert(id.to_owned(), party);
    }

    pub(super) fn tell_time(&self, clock: Arc<ManualClock>) {
        assert!(self.clock.set(clock).is_ok(), "there is one time");
    }

    pub(super) fn config(&self, id: &str) -> Config {
        self.parties.lock().unwrap()[id].config.clone()
    }

    /// What a third party is from now on.
    pub(super) fn is(&self, id: &str, change: impl FnOnce(Liar) -> Liar) {
        let mut parties = self.parties.lock().unwrap();
        let party = parties.get_mut(id).unwrap();
        party.liar = change(Liar::of(&party.config));
    }

    /// Somebody signs in there: what comes back to the callback.
    pub(super) fn authorize(&self, id: &str, to: &Url, subject: &str) -> BTreeMap<String, Secret> {
        let now = self.clock.get().unwrap().now();
        let liar = self.parties.lock().unwrap()[id].liar.clone();
        liar.authorize(to, subject, now)
    }

    /// What was asked for since the last time.
    pub(super) fn asked(&self) -> Vec<Url> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Outbound for Outside {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        // Others come in between here, as they would.
        tokio::task::yield_now().await;
        let is_allowed = request.url.scheme() == "https" || request.reach == Reach::Loopback;
        assert!(is_allowed, "it asks {}", request.url);
        self.asked.lock().unwrap().push(request.url.clone());
        let nobody = |why| Error::new(ErrorKind::Unavailable, why);
        let now = self.clock.get().unwrap().now();
        let answer = {
            let parties = self.parties.lock().unwrap();
            let is_at = |party: &&Party| {
                let base = party.config.issuer().trim_end_matches('/');
                let rest = request.url.as_str().strip_prefix(base);
                rest.is_some_and(|rest| rest.starts_with('/'))
            };
            // One service may have several clients.
            let form = url::form_urlencoded::parse(&request.body.0);
            let form: BTreeMap<_, _> = form.into_owned().collect();
            let named = form.get("client_id");
            let is_theirs = |party: &&Party| named == Some(&party.config.client_id);
            let mut all = parties.values().filter(is_at);
            let first = all.clone().next();
            let party = all.find(is_theirs).or(first);
            let party = party.ok_or_else(|| nobody("there is no such host"))?;
            party.liar.clone().at(now).answer(&request)?
        };
        match answer.body.0.len() > MOST {
            true => Err(nobody("the answer is too large")),
            false => Ok(answer),
        }
    }
}
