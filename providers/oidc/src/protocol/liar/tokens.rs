//! The ID tokens of the liar's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::{Liar, Lie, grant::Grant, pairs};
use crate::protocol::{IssuerRule, algorithm_names, half_hash, of_tenant};

/// The tenant at Microsoft whose people come.
pub(super) const TENANT: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";
/// Another one.
pub(super) const OTHER_TENANT: &str = "a1b2c3d4-0000-4000-8000-00000000cafe";
/// The name of the published key.
pub(super) const KID: &str = "key-1";

impl Liar {
    /// The ID token for a grant.
    pub(super) fn id_token(&self, grant: &Grant, access_token: &str) -> Option<String> {
        match self.lie {
            Some(Lie::NoIdToken) => return None,
            Some(Lie::NoToken) => return Some("no.token".to_owned()),
            _ => {}
        }
        let mut claims = self.claims(grant, access_token);
        self.bend(&mut claims, grant.at);
        let payload = URL_SAFE_NO_PAD.encode(self.written(&claims));
        let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(self.header()));
        let signature = URL_SAFE_NO_PAD.encode(self.signature(signed.as_bytes())?);
        Some(match self.lie {
            Some(Lie::ChangedClaims) => {
                claims.insert("sub".to_owned(), "somebody-else".into());
                let payload = URL_SAFE_NO_PAD.encode(self.written(&claims));
                format!(
                    "{}.{payload}.{signature}",
                    URL_SAFE_NO_PAD.encode(self.header())
                )
            }
            _ => format!("{signed}.{signature}"),
        })
    }

    /// What the claims are when nobody lies.
    fn claims(&self, grant: &Grant, access_token: &str) -> Map<String, Value> {
        let config = &self.config;
        let issuer = self.token_issuer();
        let hash = config
            .algorithms
            .first()
            .map(|one| half_hash(*one, access_token));
        let mut claims = Map::from_iter([
            ("iss".to_owned(), issuer.into()),
            ("sub".to_owned(), grant.subject.clone().into()),
            ("aud".to_owned(), config.client_id.clone().into()),
            ("exp".to_owned(), (grant.at + 3_600).into()),
            ("iat".to_owned(), grant.at.into()),
            ("auth_time".to_owned(), grant.at.into()),
            ("at_hash".to_owned(), hash.into()),
        ]);
        if config.preset.nonce {
            claims.insert("nonce".to_owned(), grant.nonce.clone().into());
        }
        if config.preset.issuer_rule == IssuerRule::Microsoft {
            claims.insert("tid".to_owned(), self.tenant().into());
            claims.insert("oid".to_owned(), object_id(&grant.subject).into());
            claims.insert("ver".to_owned(), "2.0".into());
        }
        claims.extend(self.person(&grant.subject));
        claims
    }

    /// What is said of somebody.
    pub(super) fn person(&self, subject: &str) -> Map<String, Value> {
        let mut person = Map::from_iter([
            ("name".to_owned(), format!("Somebody {subject}").into()),
            (
                "email".to_owned(),
                format!("{subject}@people.example").into(),
            ),
            ("email_verified".to_owned(), true.into()),
        ]);
        let claim = self.config.organisation_claim.as_ref();
        if let Some((claim, name)) = claim.zip(self.config.organisations.first()) {
            person.insert(claim.clone(), name.clone().into());
        }
        for (name, value) in &self.said {
            person.insert(name.clone(), value.clone());
        }
        if let (Some(Lie::NoOrganisation | Lie::ForeignOrganisation), Some(claim)) =
            (self.lie, claim)
        {
            person.remove(claim);
        }
        person.retain(|_, value| !value.is_null());
        person
    }

    /// The issuer that tokens name.
    pub(super) fn token_issuer(&self) -> String {
        match self.config.issuer.is_open() {
            true => of_tenant(&self.tenant()),
            false => self.config.published_issuer().to_owned(),
        }
    }

    /// The tenant at Microsoft.
    fn tenant(&self) -> String {
        let rest = self.config.published_issuer().rsplit('/').nth(1);
        let own = rest.filter(|_| !self.config.issuer.is_open());
        let allowed = self.config.organisations.first().map(String::as_str);
        own.or(allowed).unwrap_or(TENANT).to_owned()
    }

    /// Tells the lie, if it is one about claims.
    fn bend(&self, claims: &mut Map<String, Value>, at: i64) {
        let Some((name, value)) = self.lie.and_then(|lie| self.bent(lie, at)) else {
            return;
        };
        if let Some(Lie::TemplateIssuer | Lie::TenantWithoutShape) = self.lie {
            let tid = if self.lie == Some(Lie::TemplateIssuer) {
                "{tenantid}"
            } else {
                "common"
            };
            claims.insert("tid".to_owned(), tid.into());
        }
        // The other audience is all that is wrong.
        if self.lie == Some(Lie::AudienceBeside) {
            claims.insert("azp".to_owned(), self.config.client_id.clone().into());
        }
        match value {
            Value::Null if self.lie.is_some_and(leaves_out) => claims.remove(name),
            value => claims.insert(name.to_owned(), value),
        };
    }

    fn bent(&self, lie: Lie, at: i64) -> Option<(&'static str, Value)> {
        let client = self.config.client_id.as_str();
        let issuer = self.token_issuer();
        Some(match lie {
            Lie::ForeignIssuer | Lie::TokenOfAnotherConnection => {
                ("iss", "https://evil.example".into())
            }
            Lie::IssuerWithSlash => ("iss", format!("{issuer}/").into()),
            Lie::IssuerInClear => ("iss", issuer.replacen("http", "ftp", 1).into()),
            Lie::IssuerAsList => ("iss", json!([issuer])),
            Lie::ForeignAudience => ("aud", "another-client".into()),
            Lie::AudienceBeside => ("aud", json!([client, "another-client"])),
            Lie::AudienceWithoutParty => ("aud", json!([client, client])),
            Lie::AudienceAsNumber => ("aud", 7.into()),
            Lie::AudienceAsObject => ("aud", json!({"0": client})),
            Lie::AudienceListWithNumber => ("aud", json!([client, 7])),
            Lie::EmptyAudience => ("aud", json!([])),
            Lie::ForeignParty => ("azp", "another-client".into()),
            Lie::PartyAsList => ("azp", json!([client])),
            Lie::ForeignNonce => ("nonce", "of-another-sign-in".into()),
            Lie::EmptyNonce => ("nonce", "".into()),
            Lie::NonceAsNumber => ("nonce", 7.into()),
            Lie::SubjectAsNumber => ("sub", 7.into()),
            Lie::EmptySubject => ("sub", "".into()),
            Lie::LongSubject => ("sub", "x".repeat(256).into()),
            Lie::HashAsNumber => ("at_hash", 7.into()),
            Lie::HugeToken => ("padding", "x".repeat(16 * 1024).into()),
            Lie::TemplateIssuer => ("iss", of_tenant("{tenantid}").into()),
            Lie::OtherTenantsIssuer => ("tid", OTHER_TENANT.into()),
            Lie::TenantWithoutShape => ("iss", of_tenant("common").into()),
            Lie::OldIssuer => (
                "iss",
                format!("https://sts.windows.net/{}/", self.tenant()).into(),
            ),
            Lie::ForeignOrganisation => return self.elsewhere(),
            Lie::NoOrganisation if self.config.preset.issuer_rule == IssuerRule::Microsoft => {
                ("tid", Value::Null)
            }
            Lie::NoOrganisation => return None,
            _ => return bent_time(lie, at).or_else(|| left_out(lie)),
        })
    }

    /// An organisation that may not come. Where the tenant's id is a part of the issuer,
    /// both are another's.
    fn elsewhere(&self) -> Option<(&'static str, Value)> {
        match self.config.issuer.is_open() {
            true => Some(("iss", of_tenant(OTHER_TENANT).into())),
            false => None,
        }
    }

    /// The claims as a text, in which a lie may stand that no value can hold.
    fn written(&self, claims: &Map<String, Value>) -> String {
        let mut claims = claims.clone();
        let claim = self
            .config
            .organisation_claim
            .as_deref()
            .unwrap_or_default();
        match self.lie {
            Some(Lie::ForeignOrganisation) => {
                let other = match self.config.issuer.is_open() {
                    true => OTHER_TENANT,
                    false => "elsewhere.example",
                };
                claims.insert(claim.to_owned(), other.into());
            }
            Some(Lie::NoOrganisation) => {
                claims.remove(claim);
            }
            _ => {}
        }
        let text = Value::Object(claims.clone()).to_string();
        let more = |beginning: &str| text.replacen('{', beginning, 1);
        match self.lie {
            Some(Lie::SubjectTwice) => more("{\"sub\":\"somebody-else\","),
            Some(Lie::AudienceTwice) => more("{\"\\u0061ud\":\"another-client\","),
            Some(Lie::ClaimsAsList) => format!("[{text}]"),
            Some(Lie::ExpiryBeyondNumbers) => {
                let end = claims.get("exp").map(Value::to_string).unwrap_or_default();
                text.replacen(&format!("\"exp\":{end}"), "\"exp\":1e400", 1)
            }
            _ => text,
        }
    }

    fn header(&self) -> String {
        let algorithm = self.algorithm();
        let mut header = Map::from_iter([
            ("alg".to_owned(), algorithm.into()),
            ("kid".to_owned(), self.kid().into()),
            ("typ".to_owned(), "JWT".into()),
        ]);
        let mut set = |name: &str, value: Value| header.insert(name.to_owned(), value);
        match self.lie {
            Some(Lie::UnknownKey | Lie::TokenOfAnotherConnection) => set("kid", "key-2".into()),
            Some(Lie::NoKeyNamed) => set("kid", Value::Null),
            Some(Lie::NoAlgorithm) => set("alg", Value::Null),
            Some(Lie::KeyInHeader) => set("jwk", self.foreign_jwk()),
            Some(Lie::KeyAddressInHeader) => set("jku", "https://evil.example/keys".into()),
            Some(Lie::CertificateInHeader) => {
                set("x5u", "https://evil.example/keys".into());
                set("x5c", json!(["MIIB"]))
            }
            Some(Lie::CriticalExtension) => set("crit", json!(["exp"])),
            Some(Lie::PackedToken) => set("zip", "DEF".into()),
            Some(Lie::AccessTokenForIdToken) => set("typ", "at+jwt".into()),
            Some(Lie::LogoutTokenForIdToken) => set("typ", "logout+jwt".into()),
            _ => None,
        };
        header.retain(|_, value| !value.is_null());
        let text = Value::Object(header).to_string();
        match self.lie {
            Some(Lie::HeaderTwice) => text.replacen('{', "{\"alg\":\"none\",", 1),
            _ => text,
        }
    }

    /// The algorithm that a token names.
    fn algorithm(&self) -> String {
        match self.lie {
            Some(Lie::AlgorithmNone) => "none".to_owned(),
            Some(Lie::AlgorithmNoneInDisguise) => "NonE".to_owned(),
            Some(
                Lie::HmacWithPem
                | Lie::HmacWithDer
                | Lie::HmacWithJwk
                | Lie::HmacWithNothing
                | Lie::HmacWithClientSecret,
            ) => "HS256".to_owned(),
            Some(Lie::OtherAlgorithm) => self.other_algorithm().to_owned(),
            _ => self.honest_algorithm(),
        }
    }

    /// One that is not configured; where all are, one that nobody knows.
    fn other_algorithm(&self) -> &'static str {
        let configured = |name: &str| {
            let algorithm = crate::protocol::algorithm(name);
            algorithm.is_some_and(|one| self.config.algorithms.contains(&one))
        };
        algorithm_names()
            .find(|name| !configured(name))
            .unwrap_or("ES512")
    }

    fn signature(&self, message: &[u8]) -> Option<Vec<u8>> {
        let honest = self.honest_algorithm();
        let own = pairs::pair(&honest, !self.rotated)?;
        let secret = self.config.secret();
        Some(match self.lie {
            Some(Lie::AlgorithmNone | Lie::AlgorithmNoneInDisguise | Lie::NoSignature) => {
                Vec::new()
            }
            Some(Lie::HmacWithPem) => pairs::hmac(own.pem().as_bytes(), message),
            Some(Lie::HmacWithDer) => pairs::hmac(&own.der, message),
            Some(Lie::HmacWithJwk) => pairs::hmac(self.jwk().to_string().as_bytes(), message),
            Some(Lie::HmacWithNothing) => pairs::hmac(b"", message),
            Some(Lie::HmacWithClientSecret) => {
                pairs::hmac(secret.unwrap_or_default().expose().as_bytes(), message)
            }
            Some(
                Lie::ForeignKey
                | Lie::KeyInHeader
                | Lie::KeyAddressInHeader
                | Lie::CertificateInHeader
                | Lie::TokenOfAnotherConnection,
            ) => pairs::pair(&honest, false)?.sign(&honest, message)?,
            Some(Lie::OtherAlgorithm) => own.sign(self.other_algorithm(), message)?,
            _ => own.sign(&honest, message)?,
        })
    }
}

/// What a lie about times is.
fn bent_time(lie: Lie, at: i64) -> Option<(&'static str, Value)> {
    Some(match lie {
        Lie::Expired => ("exp", (at - 61).into()),
        Lie::NotYetValid => ("nbf", (at + 120).into()),
        Lie::IssuedLater => ("iat", (at + 120).into()),
        Lie::IssuedBefore => ("iat", (at - 3_600).into()),
        Lie::EndsBeforeIssue => ("exp", (at - 1).into()),
        Lie::OldAuthTime => ("auth_time", (at - 3_600).into()),
        Lie::LaterAuthTime => ("auth_time", (at + 3_600).into()),
        Lie::AuthTimeAsText => ("auth_time", at.to_string().into()),
        Lie::ExpiryAsText => ("exp", (at + 3_600).to_string().into()),
        Lie::ExpiryAsList => ("exp", json!([at + 3_600])),
        Lie::ExpiryAsFraction => ("exp", json!(4_000_000_000.5)),
        Lie::NegativeExpiry => ("exp", (-1).into()),
        Lie::IssueTimeAsText => ("iat", at.to_string().into()),
        Lie::NegativeIssueTime => ("iat", (-1).into()),
        Lie::NotBeforeAsText => ("nbf", at.to_string().into()),
        Lie::NotBeforeAsNull => ("nbf", Value::Null),
        Lie::ExpiryAsNull => ("exp", Value::Null),
        _ => return None,
    })
}

/// What a lie leaves out.
fn left_out(lie: Lie) -> Option<(&'static str, Value)> {
    let name = match lie {
        Lie::NoIssuer | Lie::IssuerAsNull => "iss",
        Lie::NoSubject => "sub",
        Lie::NoAudience => "aud",
        Lie::NoExpiry => "exp",
        Lie::NoIssueTime => "iat",
        Lie::NoNonce => "nonce",
        Lie::NoAuthTime => "auth_time",
        Lie::NoTenant => "tid",
        Lie::NoObject => "oid",
        _ => return None,
    };
    Some((name, Value::Null))
}

/// Whether the lie is that a claim is not there, and not that it is `null`.
fn leaves_out(lie: Lie) -> bool {
    !matches!(
        lie,
        Lie::IssuerAsNull | Lie::ExpiryAsNull | Lie::NotBeforeAsNull
    )
}

/// Somebody's id at Microsoft, made of their subject.
pub(super) fn object_id(subject: &str) -> String {
    let bytes = subject.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(1_099_511_628_211)
            .wrapping_add(u64::from(byte))
    });
    format!("00000000-0000-4000-8000-{:012x}", bytes & 0xffff_ffff_ffff)
}
