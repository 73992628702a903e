//! The wall: a third party that lies gets nobody in. Each lie is a test of its own.

use gatelodge_provider_oidc::{Config, Lie};
use serde_json::{Value, json};

use super::world::{World, generic, preset, table, with};

/// A connection to which almost every lie can be told.
fn open() -> Value {
    let more = json!({
        "organisations": ["looking-glass.example"], "organisation_claim": "organisation",
        "audiences": ["trusted-client"],
    });
    with(generic(), more)
}

/// One to Microsoft, of whichever tenant people are.
fn common() -> Value {
    preset("microsoft")
}

/// Why somebody is not let in to whom a lie is told.
async fn reason(keys: Value, lie: Lie) -> String {
    assert!(lie.applies(&Config::from_table(table(keys.clone())).unwrap()));
    let mut world = World::new(keys);
    world.facts.intent = lie.intent();
    // Without the lie they are.
    world.proof().await;
    world.pass(90_000);
    world.liar = world.liar.clone().telling(lie);
    world.reason().await
}

macro_rules! wall {
    ($($name:ident: $keys:ident, $lie:ident => $reason:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_eq!(reason($keys(), Lie::$lie).await, $reason);
            }
        )*

        /// No lie is without a test of its own.
        #[test]
        fn every_lie_is_told() {
            let told = [$(Lie::$lie),*];
            for lie in Lie::ALL {
                assert!(told.contains(lie), "{lie:?}");
            }
        }
    };
}

wall! {
    s25_a_token_of_another_issuer_is_refused: open, ForeignIssuer => "wrong_issuer";
    s25_an_issuer_with_a_slash_is_another_one: open, IssuerWithSlash => "wrong_issuer";
    s25_an_issuer_by_another_scheme_is_another_one: open, IssuerInClear => "wrong_issuer";
    s25_a_token_of_another_connection_is_refused: open, TokenOfAnotherConnection => "unknown_key";
    s25_a_token_for_another_client_is_refused: open, ForeignAudience => "wrong_audience";
    s25_an_audience_that_nobody_trusts_is_refused: open, AudienceBeside => "wrong_audience";
    s25_several_audiences_without_a_party_are_refused: open, AudienceWithoutParty => "wrong_authorized_party";
    s25_another_authorized_party_is_refused: open, ForeignParty => "wrong_authorized_party";

    s26_a_token_without_the_nonce_is_refused: open, NoNonce => "wrong_nonce";
    s26_a_token_of_another_sign_in_is_refused: open, ForeignNonce => "wrong_nonce";
    s26_an_empty_nonce_is_refused: open, EmptyNonce => "wrong_nonce";
    s26_a_code_of_another_sign_in_is_refused: open, CodeOfAnotherSignIn => "wrong_nonce";

    s06_an_expired_token_is_refused: open, Expired => "expired_token";
    a_token_that_is_not_valid_yet_is_refused: open, NotYetValid => "token_not_yet_valid";
    a_token_from_the_future_is_refused: open, IssuedLater => "token_not_yet_valid";
    s26_a_token_from_before_the_sign_in_is_refused: open, IssuedBefore => "token_issued_too_early";
    a_token_that_ends_before_it_begins_is_refused: open, EndsBeforeIssue => "expired_token";
    who_has_to_prove_anew_needs_the_time_of_it: open, NoAuthTime => "authentication_too_old";
    who_has_to_prove_anew_does_so: open, OldAuthTime => "authentication_too_old";
    a_proof_from_the_future_is_refused: open, LaterAuthTime => "authentication_too_old";
    s32_a_time_of_the_proof_as_text_is_refused: open, AuthTimeAsText => "wrong_claims";

    a_token_without_issuer_is_refused: open, NoIssuer => "wrong_claims";
    a_token_without_subject_is_refused: open, NoSubject => "wrong_claims";
    a_token_without_audience_is_refused: open, NoAudience => "wrong_claims";
    a_token_without_an_end_is_refused: open, NoExpiry => "wrong_claims";
    a_token_without_a_time_of_issue_is_refused: open, NoIssueTime => "wrong_claims";
    an_answer_without_id_token_is_refused: open, NoIdToken => "no_id_token";

    s32_an_issuer_as_list_is_refused: open, IssuerAsList => "wrong_claims";
    s32_an_issuer_as_null_is_refused: open, IssuerAsNull => "wrong_claims";
    s32_an_audience_as_number_is_refused: open, AudienceAsNumber => "wrong_claims";
    s32_an_audience_as_object_is_refused: open, AudienceAsObject => "wrong_claims";
    s32_an_audience_with_a_number_is_refused: open, AudienceListWithNumber => "wrong_claims";
    s32_an_empty_audience_is_refused: open, EmptyAudience => "wrong_audience";
    s32_a_subject_as_number_is_refused: open, SubjectAsNumber => "wrong_claims";
    s32_an_empty_subject_is_refused: open, EmptySubject => "wrong_claims";
    s32_a_long_subject_is_refused: open, LongSubject => "wrong_claims";
    s32_an_end_as_text_is_refused: open, ExpiryAsText => "wrong_claims";
    s32_an_end_as_null_is_refused: open, ExpiryAsNull => "wrong_claims";
    s32_an_end_as_list_is_refused: open, ExpiryAsList => "wrong_claims";
    s32_an_end_as_fraction_is_refused: open, ExpiryAsFraction => "wrong_claims";
    s32_an_end_beyond_numbers_is_refused: open, ExpiryBeyondNumbers => "wrong_claims";
    s32_a_negative_end_is_refused: open, NegativeExpiry => "wrong_claims";
    s32_a_time_of_issue_as_text_is_refused: open, IssueTimeAsText => "wrong_claims";
    s32_a_negative_time_of_issue_is_refused: open, NegativeIssueTime => "wrong_claims";
    s32_a_beginning_as_text_is_refused: open, NotBeforeAsText => "wrong_claims";
    s32_a_beginning_as_null_is_refused: open, NotBeforeAsNull => "wrong_claims";
    s32_a_nonce_as_number_is_refused: open, NonceAsNumber => "wrong_claims";
    s32_a_party_as_list_is_refused: open, PartyAsList => "wrong_claims";
    s32_a_hash_as_number_is_refused: open, HashAsNumber => "wrong_claims";
    s32_two_subjects_are_refused: open, SubjectTwice => "wrong_claims";
    s32_two_audiences_are_refused: open, AudienceTwice => "wrong_claims";
    s32_claims_as_list_are_refused: open, ClaimsAsList => "wrong_claims";

    s31_an_unsigned_token_is_refused: open, AlgorithmNone => "wrong_algorithm";
    s31_an_unsigned_token_in_disguise_is_refused: open, AlgorithmNoneInDisguise => "wrong_algorithm";
    s31_a_token_without_algorithm_is_refused: open, NoAlgorithm => "malformed_token";
    s31_the_public_key_as_pem_is_no_secret: open, HmacWithPem => "wrong_algorithm";
    s31_the_public_key_as_der_is_no_secret: open, HmacWithDer => "wrong_algorithm";
    s31_the_public_key_as_jwk_is_no_secret: open, HmacWithJwk => "wrong_algorithm";
    s31_an_empty_secret_is_none: open, HmacWithNothing => "wrong_algorithm";
    s31_the_clients_secret_signs_nothing: open, HmacWithClientSecret => "wrong_algorithm";
    s31_an_algorithm_that_is_not_configured_is_refused: open, OtherAlgorithm => "wrong_algorithm";
    s31_a_key_that_is_not_published_is_refused: open, UnknownKey => "unknown_key";
    s31_a_token_that_names_none_of_several_keys_is_refused: open, NoKeyNamed => "unfit_key";
    s31_a_foreign_key_of_the_same_name_is_refused: open, ForeignKey => "wrong_signature";
    s31_a_key_for_encryption_signs_nothing: open, KeyForEncryption => "unfit_key";
    s31_a_key_for_another_algorithm_signs_nothing: open, KeyForAnotherAlgorithm => "unfit_key";
    s31_two_keys_of_one_name_are_none: open, KeyNamedTwice => "unfit_key";
    s31_a_key_in_the_header_is_not_taken: open, KeyInHeader => "wrong_signature";
    s31_keys_at_an_address_in_the_header_are_not_fetched: open, KeyAddressInHeader => "wrong_signature";
    s31_certificates_in_the_header_are_not_taken: open, CertificateInHeader => "wrong_signature";
    s31_a_critical_extension_is_refused: open, CriticalExtension => "critical_header";
    s31_a_packed_token_is_refused: open, PackedToken => "critical_header";
    s05_an_access_token_is_no_id_token: open, AccessTokenForIdToken => "wrong_token_type";
    s05_a_logout_token_is_no_id_token: open, LogoutTokenForIdToken => "wrong_token_type";
    s31_a_token_without_signature_is_refused: open, NoSignature => "wrong_signature";
    s31_claims_that_were_changed_are_refused: open, ChangedClaims => "wrong_signature";
    s31_two_algorithms_are_refused: open, HeaderTwice => "malformed_token";
    a_huge_token_is_refused: open, HugeToken => "token_too_long";
    what_is_no_token_is_refused: open, NoToken => "malformed_token";

    s25_a_template_is_no_issuer: common, TemplateIssuer => "wrong_issuer";
    s25_another_tenants_issuer_is_refused: common, OtherTenantsIssuer => "wrong_issuer";
    s25_a_token_without_tenant_is_refused: common, NoTenant => "wrong_issuer";
    s25_a_tenant_that_is_no_guid_is_refused: common, TenantWithoutShape => "wrong_issuer";
    s25_a_token_of_version_1_is_refused: common, OldIssuer => "wrong_issuer";
    s25_the_key_of_personal_accounts_signs_for_no_tenant: common, PersonalKeyForTenant => "key_of_another_issuer";
    somebody_without_an_object_id_is_nobody: common, NoObject => "no_lasting_subject";

    s25_another_organisations_people_are_barred: open, ForeignOrganisation => "wrong_organisation";
    s25_people_without_organisation_are_barred: open, NoOrganisation => "wrong_organisation";

    s25_an_access_token_beside_another_id_token_is_refused: open, ForeignAccessToken => "wrong_access_token";
    s25_userinfo_of_somebody_else_is_refused: open, UserinfoOfAnother => "wrong_subject";
    s25_userinfo_of_nobody_is_refused: open, UserinfoOfNobody => "wrong_subject";
    tokens_of_another_kind_are_not_taken: open, NotBearer =>
        "error: the third party's token endpoint cannot be used: its answer holds no tokens";

    s25_a_callback_of_another_third_party_is_refused: open, CallbackOfAnother => "wrong_issuer";
    s25_a_callback_without_the_promised_issuer_is_refused: open, CallbackOfNobody => "missing_issuer";
    s25_an_error_of_another_third_party_is_refused_as_such: open, ErrorOfAnother => "wrong_issuer";
    s26_a_foreign_state_is_refused: open, ForeignState => "wrong_state";
    s26_a_callback_without_state_is_refused: open, NoState => "wrong_state";
    s26_an_empty_state_is_refused: open, EmptyState => "wrong_state";
    a_callback_without_code_is_refused: open, NoCode => "no_code";
    an_empty_code_is_refused: open, EmptyCode => "no_code";
    a_huge_code_is_refused: open, HugeCode => "wrong_code";

    s25_metadata_of_another_issuer_are_not_taken: open, OtherMetadataIssuer =>
        "error: the third party's metadata cannot be used: the issuer in it is \
         \"https://evil.example\", and not `https://issuer.example/realm`, byte for byte";
    s25_a_slash_more_in_the_metadata_is_another_issuer: open, MetadataIssuerWithSlash =>
        "error: the third party's metadata cannot be used: the issuer in it is \
         \"https://issuer.example/realm/\", and not `https://issuer.example/realm`, byte for byte";
    two_issuers_in_the_metadata_are_not_taken: open, MetadataTwice =>
        "error: the third party's metadata cannot be used: it is no JSON object with distinct names";
    s46_a_token_endpoint_in_clear_is_not_asked: open, TokenEndpointInClear =>
        "error: the third party's metadata cannot be used: `token_endpoint`: its address is not `https`";
    s46_keys_in_clear_are_not_asked_for: open, KeysInClear =>
        "error: the third party's metadata cannot be used: `jwks_uri`: its address is not `https`";
    s46_a_browser_is_not_sent_in_clear: open, AuthorizationInClear =>
        "error: the third party's metadata cannot be used: `authorization_endpoint`: its address is \
         not `https`";
    s46_huge_metadata_are_not_read: open, HugeMetadata =>
        "error: the third party's metadata cannot be used: it is larger than 256 KiB";
    s46_huge_keys_are_not_read: open, HugeKeys =>
        "error: the third party's keys cannot be used: it is larger than 256 KiB";
    s46_huge_tokens_are_not_read: open, HugeTokens =>
        "error: the third party's token endpoint cannot be used: it is larger than 256 KiB";
    s46_metadata_that_do_not_come_are_an_error: open, SlowMetadata =>
        "error: the third party's metadata cannot be used: there is no answer";
    s46_tokens_that_do_not_come_are_an_error: open, SlowTokens =>
        "error: the third party's token endpoint cannot be used: there is no answer";
    s46_metadata_elsewhere_are_not_fetched: open, RedirectingMetadata =>
        "error: the third party's metadata cannot be used: the answer has status 302, not 200";
    s46_keys_elsewhere_are_not_fetched: open, RedirectingKeys =>
        "error: the third party's keys cannot be used: the answer has status 302, not 200";
    s46_tokens_elsewhere_are_not_fetched: open, RedirectingTokens =>
        "error: the third party's token endpoint cannot be used: its answer holds no tokens";
    nothing_is_signed_without_keys: open, NoKeys => "unknown_key";
}

/// v5.0.0-10.1.2, v5.0.0-10.2.2, v5.0.0-10.5.1, v5.0.0-10.5.3, v5.0.0-10.5.4: whichever
/// service it is, no lie that can be told to its connection lets anybody in.
#[tokio::test]
async fn s25_no_lie_gets_through_whichever_service_it_is() {
    let apple = json!({"client_auth": "post"});
    let several = json!({"organisations": ["a1b2c3d4-0000-4000-8000-0000000000aa"]});
    let tenant = json!({
        "issuer": "https://login.microsoftonline.com/a1b2c3d4-0000-4000-8000-0000000000aa/v2.0",
    });
    for keys in [
        generic(),
        open(),
        with(
            generic(),
            json!({"client_auth": "none", "client_secret": null}),
        ),
        with(
            preset("google"),
            json!({"organisations": ["looking-glass.example"]}),
        ),
        preset("gitlab"),
        preset("linkedin"),
        with(preset("apple"), apple),
        common(),
        with(common(), several),
        with(common(), tenant),
    ] {
        let keys = Value::Object(
            table(keys)
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect(),
        );
        let config = Config::from_table(table(keys.clone())).unwrap();
        World::new(keys.clone()).proof().await;
        let mut told = 0;
        for lie in Lie::ALL.iter().filter(|lie| lie.applies(&config)) {
            let mut world = World::new(keys.clone());
            world.facts.intent = lie.intent();
            world.liar = world.liar.clone().telling(*lie);
            // It panics when somebody is proven.
            world.reason().await;
            told += 1;
        }
        assert!(told > 90, "{told} lies are told to {keys}");
    }
}
