//! Who may vouch: one issuer to the byte, or, for Microsoft, that of the tenant which a
//! token names.

use super::{preset::IssuerRule, token::Refusal};

/// Where Microsoft's tenants are.
pub(crate) const MICROSOFT: &str = "https://login.microsoftonline.com/";
/// The tenant of personal Microsoft accounts.
pub(crate) const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// What stands for a tenant's id.
const PLACE: &str = "{tenantid}";

/// The issuer of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    /// As configured: where its metadata are.
    pub(crate) configured: String,
    /// As its metadata have to say.
    pub(crate) published: String,
    /// What else stands for it in tokens.
    aliases: Vec<String>,
    whose: Whose,
}

/// Whom it vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Its own people.
    Own,
    /// Microsoft's accounts of every kind.
    Common,
    /// Microsoft's accounts of organisations.
    Organizations,
    /// One of Microsoft's tenants.
    Tenant,
}

impl Issuer {
    /// The issuer that is configured; `None` for a Microsoft address that is none.
    pub(crate) fn new(configured: &str, aliases: &[String], rule: IssuerRule) -> Option<Self> {
        let (published, whose) = match rule {
            IssuerRule::Exact => (configured.to_owned(), Whose::Own),
            IssuerRule::Microsoft => {
                let rest = configured.strip_prefix(MICROSOFT)?;
                match rest.strip_suffix("/v2.0")? {
                    "common" => (of_tenant(PLACE), Whose::Common),
                    "organizations" => (of_tenant(PLACE), Whose::Organizations),
                    "consumers" => (of_tenant(PERSONAL), Whose::Tenant),
                    tenant if is_guid(tenant) => (configured.to_owned(), Whose::Tenant),
                    _ => return None,
                }
            }
        };
        Some(Self {
            configured: configured.to_owned(),
            published,
            aliases: aliases.to_vec(),
            whose,
        })
    }

    /// Whether people of any tenant of Microsoft's come.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.whose, Whose::Common | Whose::Organizations)
    }

    /// Whether a token's `iss` stands for it, to the byte.
    pub(crate) fn check(&self, iss: &str, tid: Option<&str>) -> Result<(), Refusal> {
        let is_right = match self.whose {
            Whose::Own => iss == self.published || self.aliases.iter().any(|alias| alias == iss),
            Whose::Tenant => iss == self.published && tid.is_some_and(|tid| iss == of_tenant(tid)),
            Whose::Common | Whose::Organizations => tid.is_some_and(|tid| {
                let is_outside = self.whose == Whose::Organizations && tid == PERSONAL;
                is_guid(tid) && !is_outside && iss == of_tenant(tid)
            }),
        };
        match is_right {
            true => Ok(()),
            false => Err(Refusal::Issuer),
        }
    }

    /// Whether a key may have signed for that issuer. Microsoft's keys say for whom they
    /// are: for every tenant, or for one. Personal accounts have keys of their own.
    pub(crate) fn may_sign(&self, key: Option<&str>, iss: &str, tid: Option<&str>) -> bool {
        match (self.whose, key) {
            (Whose::Own, _) | (_, None) => true,
            (_, Some(key)) => key == iss || tid.is_some_and(|tid| key.replace(PLACE, tid) == iss),
        }
    }

    /// Whether the callback may name that issuer (RFC 9207 section 2.4). For all tenants
    /// it is known only with the token whose it is: then the two have to be one.
    pub(crate) fn may_call_back(&self, iss: &str) -> bool {
        match self.is_open() {
            true => {
                let rest = iss.strip_prefix(MICROSOFT);
                let tenant = rest.and_then(|rest| rest.strip_suffix("/v2.0"));
                tenant.is_some_and(is_guid)
            }
            false => iss == self.published,
        }
    }

    /// What accounts are filed under: one name for one issuer.
    pub(crate) fn canonical<'i>(&'i self, iss: &'i str) -> &'i str {
        match self.whose {
            Whose::Own => &self.published,
            _ => iss,
        }
    }
}

/// The issuer of one of Microsoft's tenants.
pub(crate) fn of_tenant(tid: &str) -> String {
    format!("{MICROSOFT}{tid}/v2.0")
}

/// Whether it is a GUID as Microsoft writes them: in lower case, with hyphens.
pub(crate) fn is_guid(text: &str) -> bool {
    let is_place = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| match is_place(at) {
                true => byte == b'-',
                false => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111a-2222-3333-4444-555555555555";

    fn microsoft(path: &str) -> Issuer {
        let configured = format!("{MICROSOFT}{path}/v2.0");
        Issuer::new(&configured, &[], IssuerRule::Microsoft).unwrap()
    }

    #[test]
    fn a_template_is_filled_with_the_tenant_of_the_token_and_nothing_else() {
        let common = microsoft("common");
        assert!(common.check(&of_tenant(ONE), Some(ONE)).is_ok());
        assert!(common.check(&of_tenant(PERSONAL), Some(PERSONAL)).is_ok());
        for (iss, tid) in [
            (of_tenant(ONE), None),
            (of_tenant(ONE), Some(PERSONAL)),
            (of_tenant(PLACE), Some(PLACE)),
            (of_tenant("common"), Some("common")),
            (of_tenant("x/../y"), Some("x/../y")),
            (of_tenant(&ONE.to_uppercase()), Some(ONE)),
            (format!("https://sts.windows.net/{ONE}/"), Some(ONE)),
        ] {
            assert!(common.check(&iss, tid).is_err(), "{iss} {tid:?}");
        }
        let organizations = microsoft("organizations");
        assert!(
            organizations
                .check(&of_tenant(PERSONAL), Some(PERSONAL))
                .is_err()
        );
        let one = microsoft(ONE);
        assert!(one.check(&of_tenant(ONE), Some(ONE)).is_ok());
        assert!(one.check(&of_tenant(PERSONAL), Some(PERSONAL)).is_err());
        assert!(one.check(&of_tenant(ONE), None).is_err());
        assert_eq!(microsoft("consumers").published, of_tenant(PERSONAL));
        for path in ["", "contoso.onmicrosoft.com", "common/x"] {
            let configured = format!("{MICROSOFT}{path}/v2.0");
            assert!(Issuer::new(&configured, &[], IssuerRule::Microsoft).is_none());
        }
    }

    #[test]
    fn a_key_of_personal_accounts_signs_for_those_only() {
        let common = microsoft("common");
        let may = |key: &str, tid: &str| {
            common.may_sign(Some(&of_tenant(key)), &of_tenant(tid), Some(tid))
        };
        assert!(may(PLACE, ONE) && may(PERSONAL, PERSONAL) && may(ONE, ONE));
        assert!(!may(PERSONAL, ONE) && !may(ONE, PERSONAL));
    }

    #[test]
    fn two_names_of_one_issuer_are_one() {
        let aliases = ["accounts.google.com".to_owned()];
        let google = "https://accounts.google.com";
        let issuer = Issuer::new(google, &aliases, IssuerRule::Exact).unwrap();
        for iss in [google, "accounts.google.com"] {
            assert!(issuer.check(iss, None).is_ok());
            assert_eq!(issuer.canonical(iss), google);
        }
        for iss in [
            "http://accounts.google.com",
            "https://accounts.google.com/",
            "",
        ] {
            assert!(issuer.check(iss, None).is_err(), "{iss}");
        }
        assert!(issuer.may_call_back(google) && !issuer.may_call_back("accounts.google.com"));
    }
}
