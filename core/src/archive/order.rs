//! Tenants in an order in which a master comes before what is below it.

use std::collections::BTreeMap;

use crate::model::TenantId;

/// Tenants and their masters.
pub(super) type Masters = BTreeMap<TenantId, Option<TenantId>>;

/// How many masters a tenant has among these. Masters in a circle, which no
/// backend should hold, end it too.
pub(super) fn depth(masters: &Masters, tenant: TenantId) -> usize {
    let above = |tenant: &TenantId| masters.get(tenant).copied().flatten();
    std::iter::successors(above(&tenant), above)
        .take_while(|master| masters.contains_key(master))
        .take(masters.len())
        .count()
}

/// All of them, masters first.
pub(super) fn masters_first(masters: &Masters) -> Vec<TenantId> {
    let mut tenants: Vec<_> = masters.keys().copied().collect();
    tenants.sort_by_cached_key(|tenant| (depth(masters, *tenant), *tenant));
    tenants
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn masters_come_first_and_circles_end() {
        let masters = |pairs: &[(u128, Option<u128>)]| -> Masters {
            let pairs = pairs.iter();
            pairs
                .map(|(of, master)| (id(*of), master.map(id)))
                .collect()
        };
        let chain = masters(&[(1, Some(2)), (2, Some(3)), (3, None), (4, Some(9))]);
        assert_eq!(masters_first(&chain), [3, 4, 2, 1].map(id));
        let circle = masters(&[(1, Some(2)), (2, Some(1)), (3, None)]);
        assert_eq!(masters_first(&circle), [3, 1, 2].map(id));
    }
}
