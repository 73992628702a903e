use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Claim, ExternalIdentity, ProviderTable, Verified};
use crate::{
    Error, Result,
    model::{Email, NameKey, TenantName},
};

/// For whom a configured provider is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offering {
    /// The tenants whose people may use it, by name; `None`: all.
    pub tenants: Option<Vec<TenantName>>,
    /// What becomes of those who come by a third party.
    pub admission: Admission,
}

/// What becomes of those who come by a third party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// What becomes of somebody whom nobody here is linked to; `None`: as the
    /// tenant's registration says.
    pub new_accounts: Option<NewAccounts>,
    /// Whether such a person may sign in to an account that is there, to link it.
    pub linking: bool,
    /// The domains that a proven address must be in; empty: any, or none.
    pub allowed_domains: Vec<String>,
    /// The domains for which the third party speaks: what it verified there is
    /// as good as shown to us.
    pub authoritative_domains: Vec<String>,
    /// Which claims become which attributes.
    pub claims: ClaimMap,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            new_accounts: None,
            linking: true,
            allowed_domains: Vec::new(),
            authoritative_domains: Vec::new(),
            claims: ClaimMap::default(),
        }
    }
}

/// What becomes of somebody whom nobody here is linked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewAccounts {
    /// They have an account at once, if what it needs is known.
    Create,
    /// They are shown the account that would be made, and decide.
    Ask,
    /// They have none.
    Refuse,
}

/// Which claims become which attributes of a new account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimMap {
    /// The user name.
    pub user_name: String,
    /// The name to show.
    pub display_name: String,
    /// The e-mail address.
    pub email: String,
}

impl Default for ClaimMap {
    fn default() -> Self {
        Self {
            user_name: "preferred_username".to_owned(),
            display_name: "name".to_owned(),
            email: "email".to_owned(),
        }
    }
}

impl Offering {
    /// Takes its keys out of a provider's table. Those that are about third parties
    /// are errors where there is none.
    pub(super) fn take(table: &mut ProviderTable) -> Result<Taken> {
        let tenants: Option<Vec<String>> = take(table, "tenants")?;
        let tenants = tenants.map(|names| {
            let names = names.iter().map(|name| TenantName::new(name));
            names.collect::<Result<Vec<_>>>()
        });
        let tenants = tenants
            .transpose()
            .map_err(|error| Error::invalid("tenants", error.message()))?;
        let mut admission = Admission::default();
        let mut first = None;
        let mut note = |key: &'static str, is_set: bool| {
            if is_set && first.is_none() {
                first = Some(key);
            }
        };
        let new_accounts: Option<NewAccounts> = take(table, "new_accounts")?;
        note("new_accounts", new_accounts.is_some());
        admission.new_accounts = new_accounts;
        let linking: Option<bool> = take(table, "linking")?;
        note("linking", linking.is_some());
        admission.linking = linking.unwrap_or(true);
        for (key, place) in [
            ("allowed_domains", &mut admission.allowed_domains),
            (
                "authoritative_domains",
                &mut admission.authoritative_domains,
            ),
        ] {
            let domains: Option<Vec<String>> = take(table, key)?;
            note(key, domains.is_some());
            *place = domains
                .unwrap_or_default()
                .iter()
                .map(|text| domain(key, text))
                .collect::<Result<_>>()?;
        }
        let claims: Option<ClaimMap> = take(table, "claims")?;
        note("claims", claims.is_some());
        admission.claims = claims.unwrap_or_default();
        Ok(Taken {
            offering: Self { tenants, admission },
            of_third_parties: first,
        })
    }

    /// Whether a tenant's people may use it.
    pub fn includes(&self, tenant: &NameKey) -> bool {
        let named = self.tenants.as_ref();
        named.is_none_or(|names| names.iter().any(|name| name.key() == *tenant))
    }
}

/// What was in a table.
pub(super) struct Taken {
    pub(super) offering: Offering,
    /// The first key that is about third parties.
    pub(super) of_third_parties: Option<&'static str>,
}

fn take<T: DeserializeOwned>(table: &mut ProviderTable, key: &'static str) -> Result<Option<T>> {
    let Some(value) = table.remove(key) else {
        return Ok(None);
    };
    let read = serde_json::from_value(value);
    read.map(Some)
        .map_err(|error| Error::invalid(key, error.to_string()))
}

/// A domain, in the form in which those of addresses are compared.
fn domain(key: &'static str, text: &str) -> Result<String> {
    let found = domain_of(&format!("a@{text}"));
    let is_plain = !text.contains(['@', '*', ' ']);
    found.filter(|_| is_plain).ok_or_else(|| {
        let message = format!("expected a domain such as `example.org`, not `{text}`");
        Error::invalid(key, message)
    })
}

/// The domain of an address, without regard to case.
fn domain_of(address: &str) -> Option<String> {
    let address = Email::new(address).ok()?;
    let (_, domain) = address.as_str().rsplit_once('@')?;
    Some(NameKey::of(domain).as_str().to_owned())
}

impl Admission {
    /// The address of somebody who comes, and how far it is proven.
    pub(crate) fn email(&self, claims: &BTreeMap<String, Claim>) -> Option<(Email, Verified)> {
        let claim = claims.get(&self.claims.email)?;
        let email = Email::new(claim.value.trim()).ok()?;
        let speaks = domain_of(email.as_str())
            .is_some_and(|domain| self.authoritative_domains.contains(&domain));
        let verified = match claim.verified {
            Verified::Provider if speaks => Verified::DomainOwner,
            other => other,
        };
        Some((email, verified))
    }

    /// Whether somebody may come in at all, by the domain of a proven address.
    pub(crate) fn admits(&self, identity: &ExternalIdentity) -> bool {
        if self.allowed_domains.is_empty() {
            return true;
        }
        self.email(&identity.claims)
            .filter(|(_, verified)| *verified >= Verified::Provider)
            .and_then(|(email, _)| domain_of(email.as_str()))
            .is_some_and(|domain| self.allowed_domains.contains(&domain))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(value: serde_json::Value) -> ProviderTable {
        value.as_object().unwrap().clone()
    }

    fn identity(email: &str, verified: Verified) -> ExternalIdentity {
        let claim = Claim {
            value: email.to_owned(),
            verified,
        };
        ExternalIdentity {
            connection: crate::model::ProviderId::new("google").unwrap(),
            issuer: "https://issuer.example".to_owned(),
            subject: "1".to_owned(),
            claims: [("email".to_owned(), claim)].into(),
        }
    }

    #[test]
    fn its_keys_are_taken_and_the_others_stay() {
        let mut whole = table(json!({
            "tenants": ["acme"], "new_accounts": "create", "linking": false,
            "allowed_domains": ["Example.org"], "claims": {"user_name": "upn"}, "issuer": "x",
        }));
        let taken = Offering::take(&mut whole).unwrap();
        assert_eq!(whole.keys().collect::<Vec<_>>(), ["issuer"]);
        assert_eq!(taken.of_third_parties, Some("new_accounts"));
        let Offering { tenants, admission } = taken.offering;
        assert_eq!(tenants.unwrap().len(), 1);
        assert_eq!(admission.new_accounts, Some(NewAccounts::Create));
        assert!(!admission.linking);
        assert_eq!(admission.allowed_domains, ["example.org"]);
        assert_eq!(admission.claims.user_name, "upn");
        assert_eq!(admission.claims.email, "email");
    }

    #[test]
    fn a_wrong_key_is_named() {
        for (value, key) in [
            (json!({"tenants": "acme"}), "tenants"),
            (json!({"tenants": [""]}), "tenants"),
            (json!({"new_accounts": "maybe"}), "new_accounts"),
            (json!({"linking": 1}), "linking"),
            (
                json!({"allowed_domains": ["*.example.org"]}),
                "allowed_domains",
            ),
            (
                json!({"allowed_domains": ["a@example.org"]}),
                "allowed_domains",
            ),
            (
                json!({"authoritative_domains": [""]}),
                "authoritative_domains",
            ),
            (json!({"claims": {"colour": "x"}}), "claims"),
        ] {
            let error = Offering::take(&mut table(value)).err().unwrap();
            assert_eq!(error.field(), Some(key), "{error}");
        }
    }

    #[test]
    fn only_a_proven_address_in_an_allowed_domain_is_admitted() {
        let admission = Admission {
            allowed_domains: vec!["example.org".to_owned()],
            ..Admission::default()
        };
        let admits = |email, verified| admission.admits(&identity(email, verified));
        assert!(admits("ada@EXAMPLE.org", Verified::Provider));
        assert!(!admits("ada@example.org", Verified::Claimed));
        assert!(!admits("ada@sub.example.org", Verified::DomainOwner));
        assert!(!admits(
            "ada@example.org.evil.example",
            Verified::DomainOwner
        ));
        assert!(!admits("example.org", Verified::DomainOwner));
        let any = Admission::default();
        assert!(any.admits(&identity("", Verified::Claimed)));
    }

    #[test]
    fn a_third_party_speaks_for_its_own_domains_only() {
        let admission = Admission {
            authoritative_domains: vec!["example.org".to_owned()],
            ..Admission::default()
        };
        let proven = |email, verified| {
            let found = admission.email(&identity(email, verified).claims);
            found.map(|(_, verified)| verified)
        };
        let (claimed, provider) = (Verified::Claimed, Verified::Provider);
        assert_eq!(
            proven("a@example.org", provider),
            Some(Verified::DomainOwner)
        );
        assert_eq!(proven("a@example.com", provider), Some(provider));
        assert_eq!(proven("a@example.org", claimed), Some(claimed));
        assert_eq!(proven("no address", provider), None);
    }
}
