//! What is changed on a user's page.

use gatelodge_core::{
    Error,
    model::{DisplayName, Email, Grant, MustChange, RecordId, User, UserName, UserStatus},
    provider::{Delivery, LinkPurpose, LinkRequest},
    service::UserPatch,
};

use super::{
    lock,
    user::{GRANTS, LINK, NAMES, REQUIRE, Subject, page},
};
use crate::http::{
    problem::{Code, Problem},
    web::{
        account::{named_device, named_session},
        forms::Rejected,
        visit::{Answer, Visit, see_other},
    },
};

/// Names and e-mail address.
pub(super) async fn update(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let version = visit.fields.version()?;
    match store_names(&visit, &subject, version).await {
        Ok(_) => done(&visit, &subject, "saved"),
        Err(error) => {
            let taken = visit.t("form.user_taken")?;
            let rejected = Rejected::from(error)?.taken("user_name", taken);
            page(&visit, &subject, Some((NAMES, rejected))).await
        }
    }
}

async fn store_names(
    visit: &Visit,
    subject: &Subject,
    version: Option<i64>,
) -> Result<User, Error> {
    let text = |name: &str| visit.fields.text(name).unwrap_or_default();
    let patch = UserPatch {
        user_name: Some(UserName::new(text("user_name"))?),
        display_name: Some(DisplayName::new(text("display_name"))?),
        email: Some(visit.fields.filled("email").map(Email::new).transpose()?),
        status: None,
    };
    let place = (subject.tenant.id, subject.user.id);
    let users = visit.platform().users();
    users.update(visit.caller(), place, version, patch).await
}

/// Lets the user choose a new password at the next sign-in.
pub(super) async fn require_change(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let place = (subject.tenant.id, subject.user.id);
    let version = visit.fields.version()?;
    let named = visit.fields.text("must_change").and_then(MustChange::parse);
    let Some(reason) = named else {
        let rejected = Rejected::about("must_change", visit.t("field.missing")?);
        return page(&visit, &subject, Some((REQUIRE, rejected))).await;
    };
    let users = visit.platform().users();
    let required = users.require_change(visit.caller(), place, version, reason);
    match required.await {
        // Whoever ended the own session has to sign in to see more.
        Ok(_) => done(&visit, &subject, "change_required"),
        Err(error) => {
            let rejected = Rejected::from(error)?;
            page(&visit, &subject, Some((REQUIRE, rejected))).await
        }
    }
}

pub(super) async fn activate(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let patch = UserPatch {
        status: Some(UserStatus::Active),
        ..UserPatch::default()
    };
    let place = (subject.tenant.id, subject.user.id);
    let version = visit.fields.version()?;
    let users = visit.platform().users();
    match users.update(visit.caller(), place, version, patch).await {
        Ok(_) => done(&visit, &subject, "activated"),
        Err(error) => {
            let rejected = Rejected::from(error)?;
            page(&visit, &subject, Some(("activate", rejected))).await
        }
    }
}

pub(super) async fn lock(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let place = (subject.tenant.id, subject.user.id);
    let locked = match lock::asked(&visit) {
        Ok(lock) => {
            let users = visit.platform().users();
            let locked = users.lock(visit.caller(), place, lock).await;
            locked.map_err(Rejected::from)
        }
        Err(rejected) => Err(Ok(rejected)),
    };
    match locked {
        Ok(_) => done(&visit, &subject, "locked"),
        Err(rejected) => page(&visit, &subject, Some((lock::CARD, rejected?))).await,
    }
}

pub(super) async fn unlock(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let users = visit.platform().users();
    let (tenant, user) = (subject.tenant.id, subject.user.id);
    users.unlock(visit.caller(), tenant, user).await?;
    done(&visit, &subject, "unlocked")
}

/// Gives what is ticked and takes what is not, among the grants on the form.
pub(super) async fn grants(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let place = (subject.tenant.id, subject.user.id);
    for grant in Grant::ALL {
        let given = visit.fields.ticked(grant.as_str());
        if given == subject.grants.contains(&grant) || !(given || subject.may_grant(&visit, grant))
        {
            continue;
        }
        let users = visit.platform().users();
        if let Err(error) = users.set_grant(visit.caller(), place, grant, given).await {
            let rejected = Rejected::from(error)?;
            let present = Subject::find(&visit).await?;
            return page(&visit, &present, Some((GRANTS, rejected))).await;
        }
    }
    done(&visit, &subject, "grants_changed")
}

pub(super) async fn remove_factor(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let named = visit.fields.text("id").unwrap_or_default().parse();
    let factor: RecordId = named.map_err(|_| Problem::new(Code::NotFound))?;
    let place = (subject.tenant.id, subject.user.id);
    let users = visit.platform().users();
    users.remove_factor(visit.caller(), place, factor).await?;
    done(&visit, &subject, "factor_removed")
}

pub(super) async fn forget_device(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let device = named_device(&visit)?;
    let place = (subject.tenant.id, subject.user.id);
    let users = visit.platform().users();
    users.end_device(visit.caller(), place, device).await?;
    done(&visit, &subject, "device_forgotten")
}

/// Mails an invitation, or a way to a new password.
pub(super) async fn send_link(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let purpose = visit.fields.text("purpose").and_then(LinkPurpose::parse);
    let request = LinkRequest {
        purpose: purpose.ok_or_else(|| Problem::new(Code::InvalidRequest))?,
        page: None,
        delivery: Delivery::Mail,
    };
    let place = (subject.tenant.id, subject.user.id);
    let users = visit.platform().users();
    match users.make_link(visit.caller(), place, request).await {
        Ok(_) => done(&visit, &subject, "link_sent"),
        Err(error) => {
            let rejected = Rejected::from(error)?;
            page(&visit, &subject, Some((LINK, rejected))).await
        }
    }
}

pub(super) async fn end_session(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let id = named_session(&visit)?;
    let sessions = visit.platform().sessions();
    sessions.end(visit.caller(), subject.tenant.id, id).await?;
    done(&visit, &subject, "session_ended")
}

pub(super) async fn end_all_sessions(visit: Visit) -> Answer {
    let subject = Subject::find(&visit).await?;
    let sessions = visit.platform().sessions();
    let (tenant, user) = (subject.tenant.id, subject.user.id);
    sessions.end_of_user(visit.caller(), tenant, user).await?;
    done(&visit, &subject, "sessions_ended")
}

pub(super) fn done(visit: &Visit, subject: &Subject, notice: &str) -> Answer {
    let path = format!("{}?notice={notice}", subject.path);
    Ok(see_other(&visit.at(&path)))
}
