use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{EndReason, Session, SessionEnd, SessionId, TenantId},
    secret::TokenHash,
    storage::{Page, SessionFilter, SessionRepository, SessionTouch},
};
use jiff::Timestamp;

use super::{
    Flaw,
    state::{State, View},
    taken,
    unit::MemoryUnit,
};

#[async_trait]
impl SessionRepository for MemoryUnit {
    async fn create(&mut self, session: &Session) -> Result<()> {
        self.write(|state, view| {
            let tenant = view.tenant()?;
            if session.tenant != tenant && !view.has(Flaw::LeaksTenants) {
                return Err(Error::invalid(
                    "tenant",
                    "a session made in a tenant belongs to it",
                ));
            }
            let key = (session.tenant, session.id);
            if state.sessions.contains_key(&key) && !view.has(Flaw::AcceptsDuplicates) {
                return Err(taken("session id"));
            }
            check_token(state, session, view)?;
            let stored = Session {
                started_at: view.time(session.started_at),
                last_active_at: view.time(session.last_active_at),
                expires_at: view.time(session.expires_at),
                ..session.clone()
            };
            state.sessions.insert((session.tenant, session.id), stored);
            Ok(())
        })
        .await
    }

    async fn by_id(&mut self, id: SessionId) -> Result<Option<Session>> {
        self.read(|state, view| {
            let key = view.key(&state.sessions, view.tenant()?, id);
            let session = key.and_then(|key| state.sessions.get(&key));
            Ok(session.filter(|session| is_shown(session, view)).cloned())
        })
        .await
    }

    async fn by_token(&mut self, token: &TokenHash) -> Result<Option<Session>> {
        self.read(|state, view| {
            view.platform()?;
            let mut sessions = state.sessions.values();
            let session = sessions.find(|session| session.token_hash == *token);
            Ok(session.filter(|session| is_shown(session, view)).cloned())
        })
        .await
    }

    async fn list(
        &mut self,
        filter: &SessionFilter,
        page: Page<SessionId>,
    ) -> Result<Vec<Session>> {
        self.read(|state, view| {
            let sessions = matching(state, view.tenant()?, filter, view);
            let sessions = sessions.map(|session| (session.id, session.clone()));
            Ok(view.page(sessions, page, |id, after| id > after))
        })
        .await
    }

    async fn count(&mut self, filter: &SessionFilter) -> Result<u64> {
        self.read(|state, view| Ok(matching(state, view.tenant()?, filter, view).count() as u64))
            .await
    }

    async fn end_all(&mut self, filter: &SessionFilter, end: SessionEnd) -> Result<u64> {
        self.write(|state, view| {
            let matching = matching(state, view.tenant()?, filter, view);
            let keys: Vec<_> = matching
                .map(|session| (session.tenant, session.id))
                .collect();
            let ended = keys
                .into_iter()
                .filter(|key| end_one(state, *key, end, view))
                .count();
            Ok(ended as u64)
        })
        .await
    }

    async fn end(&mut self, id: SessionId, end: SessionEnd) -> Result<bool> {
        self.write(|state, view| {
            let key = view.key(&state.sessions, view.tenant()?, id);
            Ok(match key {
                Some(key) => end_one(state, key, end, view),
                None => view.has(Flaw::IgnoresMissing),
            })
        })
        .await
    }

    async fn touch(&mut self, touches: &[SessionTouch]) -> Result<()> {
        self.write(|state, view| {
            view.platform()?;
            for touch in touches {
                let Some(key) = view.key(&state.sessions, touch.tenant, touch.id) else {
                    continue;
                };
                if let Some(session) = state.sessions.get_mut(&key)
                    && (session.ended.is_none() || view.has(Flaw::EndsAgain))
                    && (session.last_active_at < touch.at || view.has(Flaw::TouchesBackwards))
                {
                    session.last_active_at = touch.at;
                }
            }
            Ok(())
        })
        .await
    }

    async fn end_timed_out(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write(|state, view| {
            view.platform()?;
            let sessions = state.sessions.values_mut();
            let over = sessions.filter(|session| {
                session.ended.is_none()
                    && !view.has(Flaw::NeverExpires)
                    && (!session.is_valid_at(now) || view.has(Flaw::ExpiresEarly))
            });
            let mut ended = 0;
            for session in over.take(view.limit(limit)) {
                let at = if view.has(Flaw::EndsAtCleanUp) {
                    now
                } else {
                    session.ends_at()
                };
                session.ended = Some(SessionEnd {
                    at,
                    reason: EndReason::TimedOut,
                });
                ended += 1;
            }
            Ok(ended)
        })
        .await
    }
}

/// Stores a session over the one that is there.
pub(super) fn put(state: &mut State, session: Session, view: &View) -> Result<()> {
    check_token(state, &session, view)?;
    state.sessions.insert((session.tenant, session.id), session);
    Ok(())
}

fn is_shown(session: &Session, view: &View) -> bool {
    session.ended.is_none() || !view.has(Flaw::HidesExpired)
}

fn check_token(state: &State, session: &Session, view: &View) -> Result<()> {
    let own = (session.tenant, session.id);
    let mut others = state.sessions.iter().filter(|(key, _)| **key != own);
    let is_taken = others.any(|(_, other)| other.token_hash == session.token_hash);
    if is_taken && !view.has(Flaw::AcceptsDuplicates) {
        return Err(taken("session token"));
    }
    Ok(())
}

fn matching<'a>(
    state: &'a State,
    own: TenantId,
    filter: &SessionFilter,
    view: &View,
) -> impl DoubleEndedIterator<Item = &'a Session> {
    state.sessions.values().filter(move |session| {
        view.is_own(session.tenant, own)
            && (view.has(Flaw::IgnoresFilters)
                || (filter.user.is_none_or(|user| session.user == user)
                    && filter.valid_at.is_none_or(|now| session.is_valid_at(now))
                    && filter.except != Some(session.id)))
    })
}

/// Ends a session; answers whether it had not ended.
fn end_one(state: &mut State, key: (TenantId, SessionId), end: SessionEnd, view: &View) -> bool {
    match state.sessions.get_mut(&key) {
        Some(session) if session.ended.is_none() || view.has(Flaw::EndsAgain) => {
            session.ended = Some(end);
            true
        }
        _ => false,
    }
}
