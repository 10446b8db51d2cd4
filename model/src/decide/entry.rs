//! All that applying one log entry does, around the command's own changes: conditions, charges, events, and the record
//! of its result.

use super::{Context, dispatch, events};
use crate::{
    Actor, Change, Charge, Credential, Envelope, Expect, Key, Operation, Outcome, Quota, QuotaId, Rejection, Revision,
    State, Timestamp,
};

/// How long the answer to a client's command is kept for a retry of it.
const RESULTS_KEPT_MICROS: u64 = 10 * 60 * 1_000_000;
/// How long if the client gave an idempotency key, and may come back with it.
const PROMISES_KEPT_MICROS: u64 = 24 * 60 * 60 * 1_000_000;
/// How many answers are kept at most, so that a burst of writes cannot fill the memory.
const RESULTS_KEPT: usize = 16_384;
/// How many old answers one entry sweeps out at most, so that no entry pays for all that came before it.
const SWEEP: usize = 4;

/// All that applying one log entry does. An operation that was applied before answers what it answered then, and
/// changes nothing; but not to somebody who may not ask any more.
pub fn entry_changes(
    state: &State,
    revision: Revision,
    envelope: &Envelope,
) -> (Vec<Change>, Result<Outcome, Rejection>) {
    let asked = &envelope.submission;
    let cx = Context::new(state, revision, envelope);
    if let Err(rejection) = require_warrant(&cx) {
        // Not recorded: judged anew, the same request may succeed.
        return (Vec::new(), Err(rejection));
    }
    if let Some(before) = state.operation(asked.operation) {
        let result = if before.fingerprint == asked.fingerprint {
            before.result.clone()
        } else {
            Err(Rejection::IdempotencyKeyReused)
        };
        return (Vec::new(), result);
    }
    let charged = match asked.charge.map(|charge| spend(&cx, charge)).transpose() {
        Ok(charged) => charged.flatten(),
        // Not recorded: the same request may succeed later.
        Err(throttled) => return (Vec::new(), Err(throttled)),
    };
    let (mut changes, result) = match require_expected(&cx).and_then(|()| dispatch(&cx)) {
        Ok(decision) => (decision.changes, Ok(decision.outcome)),
        Err(rejection) => (Vec::new(), Err(rejection)),
    };
    changes.extend(events::of(&cx, &changes, result.is_ok()));
    changes.extend(charged);
    // The cluster's own commands are guarded by what they were made from; recording them would only cost memory.
    if asked.actor.account().is_some() {
        changes.push(record(&cx, result.clone()).into());
        changes.extend(expired(state, cx.now).map(|it| Change::Delete(Key::Operation(it.id))));
    }
    (changes, result)
}

/// One more use of an allowance; `None` for the cluster itself, which has none.
fn spend(cx: &Context<'_>, charge: Charge) -> Result<Option<Change>, Rejection> {
    let Some(account) = cx.actor().account() else {
        return Ok(None);
    };
    let id = QuotaId {
        account,
        kind: charge.kind,
    };
    let unused = Quota::unused(id);
    let quota = cx.state.quota(id).unwrap_or(&unused);
    match quota.wait(charge.limit, cx.now) {
        Some(seconds) => Err(Rejection::Throttled { seconds }),
        None => Ok(Some(quota.charged(cx.now).into())),
    }
}

/// Who asks is who was judged, and may do what was permitted then.
fn require_warrant(cx: &Context<'_>) -> Result<(), Rejection> {
    let Actor::Warranted(id, warrant) = cx.actor() else {
        return Ok(());
    };
    let owner = match warrant.credential {
        Credential::Key(key) => cx.state.api_key(key).map(|it| it.account),
        Credential::Session(session) => cx.state.session(session).map(|it| it.account),
    };
    let account = cx.state.account(id).filter(|it| owner == Some(it.id));
    if account.is_some_and(|it| it.revision == warrant.account) {
        Ok(())
    } else {
        Err(Rejection::Unwarranted)
    }
}

/// What the client has seen is still so, and what went into the command.
fn require_expected(cx: &Context<'_>) -> Result<(), Rejection> {
    let source = match cx.actor() {
        Actor::Warranted(_, warrant) => warrant.source,
        Actor::System | Actor::Account(_) => None,
    };
    if has_moved_on(cx.state, cx.envelope.submission.expect) {
        Err(Rejection::PreconditionFailed)
    } else if has_moved_on(cx.state, source) {
        Err(Rejection::Stale)
    } else {
        Ok(())
    }
}

/// What is gone is for the command itself to tell.
fn has_moved_on(state: &State, expect: Option<Expect>) -> bool {
    let moved = |it: Expect| state.revision_of(it.key).is_some_and(|now| now != it.revision);
    expect.is_some_and(moved)
}

fn record(cx: &Context<'_>, result: Result<Outcome, Rejection>) -> Operation {
    let asked = &cx.envelope.submission;
    let kept = if asked.fingerprint.is_some() {
        PROMISES_KEPT_MICROS
    } else {
        RESULTS_KEPT_MICROS
    };
    Operation {
        id: asked.operation,
        at: cx.now,
        expires_at: Timestamp(cx.now.0.saturating_add(kept)),
        revision: cx.revision,
        fingerprint: asked.fingerprint,
        result,
    }
}

fn expired(state: &State, now: Timestamp) -> impl Iterator<Item = &Operation> {
    let surplus = (state.operation_count() + 1).saturating_sub(RESULTS_KEPT);
    state
        .operations_by_end()
        .enumerate()
        .take(SWEEP)
        .take_while(move |(n, it)| *n < surplus || it.expires_at < now)
        .map(|(_, it)| it)
}
