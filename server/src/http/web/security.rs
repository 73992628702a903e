//! How well one's own account is protected, in a few lines.

use gatelodge_core::{
    model::SecondFactorRule,
    service::{OwnRule, SignInMethod as Set},
};

use super::{account::address, problem::PageProblem, visit::Visit};
use crate::pages::views::{Link, SecurityRow, SecurityState};

/// So few left of what is used up are worth a warning.
const FEW: u32 = 3;

/// What protects the account, and what is missing.
pub(super) async fn overview(
    visit: &Visit,
    methods: &[Set],
    (sessions, devices): (usize, usize),
) -> Result<Vec<SecurityRow>, PageProblem> {
    let accounts = visit.platform().accounts();
    let rule = accounts.second_factor_rule(visit.caller()).await?;
    let mut rows = Vec::new();
    for method in methods.iter().filter(|method| !method.only_confirms) {
        rows.extend(first_way(visit, method)?);
    }
    let confirms: Vec<_> = methods.iter().filter(|m| m.only_confirms).collect();
    rows.extend(second_factor(visit, &confirms, rule)?);
    let is_on = confirms.iter().any(|m| !m.backup && is_set_up(m));
    for backup in confirms.iter().filter(|m| m.backup) {
        if is_on || is_set_up(backup) {
            rows.push(spare(visit, backup)?);
        }
    }
    rows.push(signed_in(visit, sessions, devices)?);
    Ok(rows)
}

fn is_set_up(method: &Set) -> bool {
    !method.credentials.is_empty()
}

/// What a sign-in starts with, and since when it is what it is.
fn first_way(visit: &Visit, method: &Set) -> Result<Option<SecurityRow>, PageProblem> {
    let Some(newest) = method.credentials.iter().map(|c| c.created_at).max() else {
        return Ok(None);
    };
    let when = visit.time(newest)?;
    let href = address(visit, &method.provider);
    Ok(Some(SecurityRow {
        symbol: "key",
        title: method.label.clone(),
        detail: visit.tv("account.security.since", &[("when", when.text.as_str())])?,
        state: SecurityState::Good,
        badge: None,
        action: Some(Link::new(href, visit.t("account.method.change")?)),
    }))
}

fn second_factor(
    visit: &Visit,
    confirms: &[&Set],
    rule: OwnRule,
) -> Result<Option<SecurityRow>, PageProblem> {
    let set_up = confirms.iter().filter(|m| !m.backup && is_set_up(m));
    let labels: Vec<_> = set_up.map(|method| method.label.as_str()).collect();
    let text = |part: &str| visit.t(&format!("account.security.factor.{part}"));
    let row = |detail, state, badge| SecurityRow {
        symbol: "lock",
        title: String::new(),
        detail,
        state,
        badge: Some(badge),
        action: None,
    };
    let required = rule.rule == SecondFactorRule::Required;
    let row = match (labels.is_empty(), rule.due) {
        (false, _) => {
            let detail = labels.join(&visit.t("account.security.factor.and")?);
            row(detail, SecurityState::Good, text("on")?)
        }
        // Not to be set up here, so that there is nothing to say of it.
        (true, _) if confirms.iter().all(|method| method.backup) => return Ok(None),
        (true, Some(due)) => {
            let when = visit.time(due)?;
            let values = [("when", when.text.as_str())];
            let detail = visit.tv("account.security.factor.due", &values)?;
            row(detail, SecurityState::Care, text("off")?)
        }
        (true, None) if required => row(text("required")?, SecurityState::Care, text("off")?),
        (true, None) => row(text("none")?, SecurityState::Plain, text("off")?),
    };
    let set_up = match labels.is_empty() {
        true => Some(Link::new("#methods", visit.t("account.method.set_up")?)),
        false => None,
    };
    Ok(Some(SecurityRow {
        title: text("title")?,
        action: set_up,
        ..row
    }))
}

/// What stands in for a second factor that is lost, and whether enough of it is left.
fn spare(visit: &Visit, method: &Set) -> Result<SecurityRow, PageProblem> {
    let text = |part: &str| visit.t(&format!("account.security.spare.{part}"));
    let left = method.credentials.iter().filter_map(|c| c.left);
    let left = left.reduce(u32::saturating_add);
    let runs_out = left.is_some_and(|left| left < FEW);
    let state = match is_set_up(method) {
        true if !runs_out => SecurityState::Good,
        true | false => SecurityState::Care,
    };
    let detail = match (is_set_up(method), left) {
        (false, _) => text("none")?,
        (true, None) => text("set_up")?,
        (true, Some(left)) => {
            let key = match runs_out {
                true => "account.security.spare.few",
                false => "account.security.spare.left",
            };
            visit.tv(key, &[("count", left.to_string().as_str())])?
        }
    };
    let action = match (is_set_up(method), runs_out) {
        (false, _) => Some(text("make")?),
        (true, true) => Some(text("renew")?),
        (true, false) => None,
    };
    let href = address(visit, &method.provider);
    Ok(SecurityRow {
        symbol: "mail",
        title: method.label.clone(),
        detail,
        state,
        badge: match runs_out {
            true => Some(text("running_out")?),
            false => None,
        },
        action: action.map(|label| Link::new(href, label)),
    })
}

/// Where somebody is signed in.
fn signed_in(visit: &Visit, sessions: usize, devices: usize) -> Result<SecurityRow, PageProblem> {
    let count = |key: &str, count: usize| {
        let count = count.to_string();
        visit.tv(key, &[("count", count.as_str())])
    };
    let mut detail = count("account.security.sessions", sessions)?;
    if devices > 0 {
        detail.push_str(&visit.t("account.and")?);
        detail.push_str(&count("account.security.devices", devices)?);
    }
    let review = visit.t("account.security.review")?;
    Ok(SecurityRow {
        symbol: "desktop",
        title: visit.t("account.security.signed_in")?,
        detail,
        state: SecurityState::Plain,
        badge: None,
        action: (sessions > 1 || devices > 0).then(|| Link::new("#sessions", review)),
    })
}
