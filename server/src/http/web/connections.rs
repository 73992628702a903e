//! On one's own account: third parties, and which accounts there are linked.

use gatelodge_core::{provider::Description, service::LinkedIdentity};

use super::{problem::PageProblem, steps::mark, visit::Visit};
use crate::pages::views::{Link, MethodItem, SignInMethod};

/// A row for each third party by which the person can sign in, or could.
pub(super) async fn rows(visit: &Visit) -> Result<Vec<SignInMethod>, PageProblem> {
    let accounts = visit.platform().accounts();
    let linked = accounts.identities(visit.caller()).await?;
    let offered = accounts.connections(visit.caller()).await?;
    let mut rows = Vec::new();
    for configured in visit.platform().providers().providers() {
        let own: Vec<_> = linked
            .iter()
            .filter(|identity| identity.connection == configured.id)
            .collect();
        let can_link = offered.iter().any(|offer| offer.id == configured.id);
        if !own.is_empty() || can_link {
            let description = &configured.description;
            let link = visit.at(&format!("/account/connections/{}/link", configured.id));
            rows.push(row(visit, description, &own, can_link.then_some(link))?);
        }
    }
    Ok(rows)
}

fn row(
    visit: &Visit,
    description: &Description,
    own: &[&LinkedIdentity],
    link: Option<String>,
) -> Result<SignInMethod, PageProblem> {
    let detail = match own {
        [] => visit.t("account.connection.none")?,
        [one] => named(visit, one)?,
        several => {
            let count = several.len().to_string();
            visit.tv("account.connection.many", &[("count", &count)])?
        }
    };
    let key = match own.is_empty() {
        true => "account.connection.link",
        false => "account.connection.link_another",
    };
    let mut actions = Vec::new();
    if let Some(link) = link {
        actions.push(Link::new(link, visit.t(key)?));
    }
    let items = own.iter().map(|identity| item(visit, identity));
    let mut items = items.collect::<Result<Vec<_>, _>>()?;
    // The only one is named in the row itself.
    if items.len() == 1 {
        actions.extend(items.pop().map(|only| only.remove));
    }
    Ok(SignInMethod {
        mark: mark(&description.mark),
        label: description.label.clone(),
        detail: Some(detail),
        enabled: !own.is_empty(),
        actions,
        items,
    })
}

fn item(visit: &Visit, identity: &LinkedIdentity) -> Result<MethodItem, PageProblem> {
    let href = visit.at(&format!("/account/factors/{}/remove", identity.id));
    Ok(MethodItem {
        label: named(visit, identity)?,
        remove: Link::new(href, visit.t("account.connection.unlink")?),
    })
}

fn named(visit: &Visit, identity: &LinkedIdentity) -> Result<String, PageProblem> {
    let time = visit.time(identity.linked_at)?;
    let values = [("name", identity.name.as_str()), ("when", &time.text)];
    visit.tv("account.connection.one", &values)
}
