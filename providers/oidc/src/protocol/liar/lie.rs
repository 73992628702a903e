//! The lies that can be told: every rule broken once.

use gatelodge_core::provider::Intent;

use crate::{
    Config,
    protocol::{IssuerRule, SubjectRule},
};

/// Makes the list: a name, and what the lie is, to be read after "the third party".
macro_rules! lies {
    ($($name:ident: $text:literal,)*) => {
        /// A lie of the [`Liar`](super::Liar)'s: one rule of OpenID Connect, or of the
        /// standards around it, that a third party breaks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Lie {
            $(#[doc = concat!("It ", $text, ".")] $name,)*
        }

        impl Lie {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What the lie is, to be read after "the third party".
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

lies! {
    // Who vouches, and for whom.
    ForeignIssuer: "says in the token that another issuer made it",
    IssuerWithSlash: "adds a slash to the issuer in the token",
    IssuerInClear: "writes the issuer in the token with `http`",
    TokenOfAnotherConnection: "hands on a token that another third party made",
    ForeignAudience: "hands on a token for another client",
    AudienceBeside: "names an audience in the token that nobody trusts, beside ours",
    AudienceWithoutParty: "names several audiences in the token and no authorized party",
    ForeignParty: "names another authorized party in the token",
    // The transaction.
    NoNonce: "leaves the nonce out of the token",
    ForeignNonce: "hands on a token that belongs to another sign-in",
    EmptyNonce: "empties the nonce in the token",
    CodeOfAnotherSignIn: "takes a code that belongs to another sign-in",
    // Times.
    Expired: "hands on a token that has expired",
    NotYetValid: "hands on a token that is not valid yet",
    IssuedLater: "hands on a token that is made in the future",
    IssuedBefore: "hands on a token that was made before the sign-in began",
    EndsBeforeIssue: "hands on a token that ends before it begins",
    NoAuthTime: "does not say when the person proved who they are, though asked",
    OldAuthTime: "does not ask the person to prove anew who they are",
    LaterAuthTime: "says that the person will prove who they are in the future",
    AuthTimeAsText: "writes the time of the proof as a text",
    // What is missing.
    NoIssuer: "leaves the issuer out of the token",
    NoSubject: "leaves the subject out of the token",
    NoAudience: "leaves the audience out of the token",
    NoExpiry: "leaves the end out of the token",
    NoIssueTime: "leaves the time at which it was made out of the token",
    NoIdToken: "gives no ID token",
    // What has the wrong type, or is there twice.
    IssuerAsList: "writes the issuer in the token as a list",
    IssuerAsNull: "writes the issuer in the token as `null`",
    AudienceAsNumber: "writes the audience in the token as a number",
    AudienceAsObject: "writes the audience in the token as an object",
    AudienceListWithNumber: "writes a number into the list of audiences in the token",
    EmptyAudience: "writes an empty list of audiences into the token",
    SubjectAsNumber: "writes the subject in the token as a number",
    EmptySubject: "writes an empty subject into the token",
    LongSubject: "writes a subject of more than 255 bytes into the token",
    ExpiryAsText: "writes the end of the token as a text",
    ExpiryAsNull: "writes the end of the token as `null`",
    ExpiryAsList: "writes the end of the token as a list",
    ExpiryAsFraction: "writes the end of the token as a fraction",
    ExpiryBeyondNumbers: "writes an end of the token that no number can hold",
    NegativeExpiry: "writes a negative end of the token",
    IssueTimeAsText: "writes the time at which the token was made as a text",
    NegativeIssueTime: "writes a negative time at which the token was made",
    NotBeforeAsText: "writes the beginning of the token as a text",
    NotBeforeAsNull: "writes the beginning of the token as `null`",
    NonceAsNumber: "writes the nonce in the token as a number",
    PartyAsList: "writes the authorized party in the token as a list",
    HashAsNumber: "writes the access token's hash as a number",
    SubjectTwice: "writes two subjects into the token",
    AudienceTwice: "writes two audiences into the token, one of them escaped",
    ClaimsAsList: "makes a token of a list",
    // Signatures and keys.
    AlgorithmNone: "does not sign the token and says so (`none`)",
    AlgorithmNoneInDisguise: "does not sign the token and says so in other letters (`NonE`)",
    NoAlgorithm: "names no algorithm",
    HmacWithPem: "signs the token with the public key (PEM) as a shared secret",
    HmacWithDer: "signs the token with the public key (DER) as a shared secret",
    HmacWithJwk: "signs the token with the public key (JWK) as a shared secret",
    HmacWithNothing: "signs the token with an empty shared secret",
    HmacWithClientSecret: "signs the token with the client's own secret",
    OtherAlgorithm: "signs the token by an algorithm that is not configured",
    UnknownKey: "names a key that is not published",
    NoKeyNamed: "names no key, though several are published",
    ForeignKey: "signs the token with a key of its own under the name of the published one",
    KeyForEncryption: "signs the token with a key that is published for encryption",
    KeyForAnotherAlgorithm: "signs the token with a key that is published for another algorithm",
    KeyNamedTwice: "publishes two keys under one name",
    KeyInHeader: "puts the key into the token's own header (`jwk`)",
    KeyAddressInHeader: "puts the address of keys into the token's own header (`jku`)",
    CertificateInHeader: "puts certificates into the token's own header (`x5c`, `x5u`)",
    CriticalExtension: "demands an extension in the token's header (`crit`)",
    PackedToken: "packs the token (`zip`)",
    AccessTokenForIdToken: "hands on an access token in place of an ID token",
    LogoutTokenForIdToken: "hands on a logout token in place of an ID token",
    NoSignature: "cuts the signature off",
    ChangedClaims: "changes the claims behind the signature",
    HeaderTwice: "names two algorithms in the token's header",
    HugeToken: "hands on a token of more than 16 KiB",
    NoToken: "hands on something that is no token",
    // Microsoft's tenants.
    TemplateIssuer: "leaves the place for the tenant's id in the issuer empty",
    OtherTenantsIssuer: "names one tenant and the issuer of another",
    NoTenant: "names no tenant",
    TenantWithoutShape: "names a tenant that is no GUID",
    OldIssuer: "hands on a token of version 1.0",
    PersonalKeyForTenant: "signs for a tenant with the key of personal accounts",
    NoObject: "does not say who in the tenant it is",
    // Organisations.
    ForeignOrganisation: "lets somebody of another organisation come",
    NoOrganisation: "does not say whose organisation somebody is of",
    // What comes beside the token.
    ForeignAccessToken: "gives an access token that does not belong to the ID token",
    UserinfoOfAnother: "says at userinfo what belongs to somebody else",
    UserinfoOfNobody: "does not say at userinfo whose claims they are",
    NotBearer: "gives tokens of another kind than `Bearer`",
    // The callback.
    CallbackOfAnother: "sends a callback of another third party (mix-up)",
    CallbackOfNobody: "leaves the issuer out of the callback, though it promises to name it",
    ErrorOfAnother: "sends an error of another third party",
    ForeignState: "sends a callback of another sign-in",
    NoState: "sends a callback without `state`",
    EmptyState: "sends a callback with an empty `state`",
    NoCode: "sends a callback without a code",
    EmptyCode: "sends a callback with an empty code",
    HugeCode: "sends a callback with a huge code",
    // Answers.
    OtherMetadataIssuer: "publishes the metadata of another issuer",
    MetadataIssuerWithSlash: "adds a slash to the issuer in its metadata",
    MetadataTwice: "names two issuers in its metadata",
    TokenEndpointInClear: "wants the code and the client's secret over `http`",
    KeysInClear: "publishes its keys over `http`",
    AuthorizationInClear: "wants the browser at an `http` address",
    HugeMetadata: "answers with metadata of more than 256 KiB",
    HugeKeys: "answers with keys of more than 256 KiB",
    HugeTokens: "answers with tokens of more than 256 KiB",
    SlowMetadata: "does not answer when asked for its metadata",
    SlowTokens: "does not answer when asked for tokens",
    RedirectingMetadata: "sends who asks for its metadata elsewhere",
    RedirectingKeys: "sends who asks for its keys elsewhere",
    RedirectingTokens: "sends who asks for tokens elsewhere",
    NoKeys: "publishes no keys",
}

impl Lie {
    /// Whether it can be told to a connection like this one at all.
    pub fn applies(self, config: &Config) -> bool {
        let is_microsoft = config.preset.issuer_rule == IssuerRule::Microsoft;
        match self {
            Self::NoNonce | Self::ForeignNonce | Self::EmptyNonce | Self::NonceAsNumber => {
                config.preset.nonce
            }
            Self::CodeOfAnotherSignIn => config.preset.nonce || config.preset.pkce,
            Self::NoAuthTime | Self::OldAuthTime | Self::LaterAuthTime | Self::AuthTimeAsText => {
                config.asks_max_age()
            }
            Self::TemplateIssuer | Self::OtherTenantsIssuer | Self::NoTenant => is_microsoft,
            Self::TenantWithoutShape | Self::OldIssuer => is_microsoft,
            Self::PersonalKeyForTenant => config.issuer.is_open(),
            Self::NoObject => config.preset.subject == SubjectRule::TidOid,
            Self::ForeignOrganisation | Self::NoOrganisation => !config.organisations.is_empty(),
            Self::UserinfoOfAnother | Self::UserinfoOfNobody => config.userinfo,
            Self::TokenEndpointInClear | Self::KeysInClear | Self::AuthorizationInClear => {
                !config.loopback
            }
            Self::HmacWithClientSecret => config.secret().is_some(),
            _ => true,
        }
    }

    /// What the sign-in has to be for that it shows in.
    pub fn intent(self) -> Intent {
        match self {
            Self::NoAuthTime | Self::OldAuthTime | Self::LaterAuthTime | Self::AuthTimeAsText => {
                Intent::Reprove
            }
            _ => Intent::SignIn,
        }
    }
}
