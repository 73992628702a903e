//! The start: on to the account, or to the sign-in page.

use super::visit::{Answer, Visit, see_other};

pub(super) async fn home(visit: Visit) -> Answer {
    let path = match visit.requester.session {
        Some(_) => "/account",
        None => "/sign-in",
    };
    Ok(see_other(&visit.at(path)))
}
