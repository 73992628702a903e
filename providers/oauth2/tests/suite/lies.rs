//! Every lie, at every sort of connection that it can be told to.

use gatelodge_core::{
    ErrorKind,
    provider::{Step, Verified},
};
use gatelodge_provider_oauth2::Lie;

use super::world::{World, connections, proof};

/// Tells it, and says how that ends: the reason of the refusal, `fault` or `claimed`.
async fn told(lie: Lie) -> String {
    let mut ends = Vec::new();
    for provider in connections() {
        if !lie.concerns(provider.config()) {
            continue;
        }
        let world = World::alone();
        let turn = provider.rehearse(&world.context(), Some(lie)).await;
        assert!(world.asked.lock().unwrap().is_empty(), "nothing leaves");
        ends.push(match turn {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                "fault".to_owned()
            }
            Ok(turn) => match turn.step.clone() {
                Step::Refused { reason } => reason,
                Step::Barred { reason, .. } => format!("barred: {reason}"),
                _ => {
                    let (_, identity) = proof(Ok(turn));
                    let email = identity.claims.get("email");
                    let is_claimed = email.is_none_or(|claim| claim.verified == Verified::Claimed);
                    assert!(is_claimed, "{lie:?}: {email:?}");
                    "claimed".to_owned()
                }
            },
        });
    }
    ends.dedup();
    assert_eq!(ends.len(), 1, "{lie:?}: {ends:?}");
    ends.remove(0)
}

macro_rules! lies {
    ($($name:ident: $lie:ident => $end:literal,)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_eq!(told(Lie::$lie).await, $end);
            }
        )+

        #[test]
        fn every_lie_is_told() {
            assert_eq!(Lie::ALL, [$(Lie::$lie,)+]);
        }
    };
}

lies! {
    s26_a_callback_without_state_is_refused: NoState => "wrong_state",
    s26_an_empty_state_is_refused: EmptyState => "wrong_state",
    s26_the_state_of_another_sign_in_is_refused: OtherState => "wrong_state",
    s25_another_issuer_is_refused: OtherIssuer => "wrong_issuer",
    s25_no_issuer_is_refused_where_there_must_be_one: NoIssuer => "wrong_issuer",
    an_error_is_one_whatever_comes_with_it: ErrorWithCode => "access_denied",
    a_callback_without_code_is_refused: NoCode => "no_code",
    s25_a_sign_in_of_another_connection_is_refused: OtherConnection => "other_connection",
    s29_the_code_of_another_sign_in_is_refused: OtherCode => "grant_refused",
    s29_a_code_that_was_used_is_refused: UsedCode => "grant_refused",
    a_token_endpoint_that_refuses_is_believed: TokenRefused => "token_refused",
    an_error_with_the_status_of_success_is_one: TokenErrorAsSuccess => "grant_refused",
    a_token_endpoint_that_fails_is_a_fault: TokenFails => "fault",
    s46_a_token_endpoint_that_redirects_is_refused: TokenRedirects => "bad_token_response",
    a_page_is_no_token: TokenPage => "bad_token_response",
    a_form_is_no_token: TokenForm => "bad_token_response",
    s46_a_token_response_without_end_is_a_fault: TokenTooLarge => "fault",
    a_missing_token_is_none: TokenMissing => "bad_token_response",
    a_token_is_a_text: TokenNoText => "bad_token_response",
    an_empty_token_is_none: TokenEmpty => "bad_token_response",
    a_token_that_breaks_a_header_is_none: TokenBroken => "bad_token_response",
    a_token_of_another_type_is_none: TokenOtherType => "bad_token_response",
    a_token_without_a_type_is_none: TokenNoType => "bad_token_response",
    a_user_document_that_stays_shut_is_refused: UserRefused => "user_refused",
    s46_a_user_document_that_redirects_is_refused: UserRedirects => "user_refused",
    a_page_is_no_user: UserPage => "bad_user_response",
    a_list_is_no_user: UserList => "bad_user",
    s46_a_user_document_without_end_is_a_fault: UserTooLarge => "fault",
    a_user_without_an_id_is_nobody: IdMissing => "bad_user",
    null_is_no_id: IdNull => "bad_user",
    an_empty_text_is_no_id: IdEmpty => "bad_user",
    an_object_is_no_id: IdObject => "bad_user",
    a_flag_is_no_id: IdFlag => "bad_user",
    a_fraction_is_no_id: IdFraction => "bad_user",
    a_number_below_zero_is_no_id: IdNegative => "bad_user",
    an_id_of_another_type_is_none: IdOtherType => "bad_user",
    an_id_that_is_too_long_is_none: IdTooLong => "bad_user",
    s22_an_unverified_address_is_claimed: EmailUnverified => "claimed",
    s22_an_address_without_a_word_is_claimed: EmailSilent => "claimed",
    s22_a_text_verifies_no_address: EmailVerifiedByText => "claimed",
    s22_a_number_verifies_no_address: EmailVerifiedByNumber => "claimed",
    s22_only_the_primary_address_counts: EmailSecondary => "claimed",
    s22_an_address_is_a_text: EmailNoText => "bad_user",
    who_is_no_member_is_barred: NoMember => "barred: not_a_member",
    who_is_called_like_an_id_is_no_member: NamedLikeAnId => "barred: not_a_member",
    memberships_are_a_list: MembershipsNoList => "bad_organisations",
    memberships_that_are_not_told_are_refused: MembershipsRefused => "user_refused",
}

#[tokio::test]
async fn an_honest_service_is_believed() {
    for provider in connections() {
        let world = World::alone();
        let (_, identity) = proof(provider.rehearse(&world.context(), None).await);
        assert_eq!(identity.subject, "4711");
        assert_eq!(identity.connection, world.facts.provider);
    }
}
