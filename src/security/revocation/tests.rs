//! What a process has learned of ended access, against what comes late, twice or out of order.

use super::*;
use crate::domain::actor::Origin;
use crate::domain::operation::OperationSet;

fn actor(role: Role) -> Actor {
    Actor {
        tenant: TenantId(1),
        member: MemberId(2),
        role,
        session: SessionId(3),
        origin: Origin::default(),
        operations: OperationSet::ALL,
    }
}

fn member(role: Role, status: MemberStatus) -> AccessNotice {
    let change = AccessState::Member {
        member: MemberId(2),
        role,
        status,
        deleted: false,
        merged_into: None,
        expires_at: None,
    };
    AccessNotice { rev: 1, change }
}

#[test]
fn each_kind_of_notice_shuts_its_door() {
    let revocations = Revocations::new(900_000);
    let now = Millis(1_000_000);
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_000_000)), None);
    revocations.notice(TenantId(1), &[member(Role::Supervisor, MemberStatus::Enabled)], now);
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_000_000)), Some(DenyReason::RoleChanged));
    assert_eq!(revocations.barred(&actor(Role::Supervisor), Millis(1_000_000)), None);
    let session = AccessState::SessionRevoked {
        member: MemberId(2),
        session: SessionId(3),
        reason: "revoked".to_owned(),
    };
    revocations.notice(TenantId(1), &[AccessNotice { rev: 2, change: session }], now);
    assert_eq!(
        revocations.barred(&actor(Role::Supervisor), Millis(1_000_000)),
        Some(DenyReason::SessionRevoked)
    );
    revocations.notice(TenantId(1), &[member(Role::Supervisor, MemberStatus::Disabled)], now);
    assert_eq!(
        revocations.barred(&actor(Role::Supervisor), Millis(1_000_000)),
        Some(DenyReason::AccountDisabled)
    );
    let suspend = AccessNotice { rev: 3, change: AccessState::Tenant { suspended: true } };
    revocations.notice(TenantId(1), &[suspend], now);
    assert_eq!(
        revocations.barred(&actor(Role::Supervisor), Millis(1_000_000)),
        Some(DenyReason::TenantSuspended)
    );
}

#[test]
fn an_account_ends_at_its_end() {
    let revocations = Revocations::new(900_000);
    let change = AccessState::Member {
        member: MemberId(2),
        role: Role::Agent,
        status: MemberStatus::Enabled,
        deleted: false,
        merged_into: None,
        expires_at: Some(1_010_000),
    };
    revocations.notice(TenantId(1), &[AccessNotice { rev: 1, change }], Millis(1_000_000));
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_009_999)), None);
    let over = revocations.barred(&actor(Role::Agent), Millis(1_010_000));
    assert_eq!(over, Some(DenyReason::AccountDisabled));
}

#[test]
fn a_look_that_began_before_a_notice_does_not_undo_it() {
    let revocations = Revocations::new(900_000);
    let now = Millis(1_000_000);
    let look = revocations.look(now);
    let suspend = AccessNotice { rev: 3, change: AccessState::Tenant { suspended: true } };
    revocations.notice(TenantId(1), &[suspend], now);
    revocations.apply(&look, Found::default());
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_000_000)), Some(DenyReason::TenantSuspended));
    revocations.apply(&revocations.look(now), Found::default());
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_000_000)), None);
}

#[test]
fn what_concerns_expired_tokens_only_is_forgotten() {
    let revocations = Revocations::new(900_000);
    let found = Found { sessions: vec![SessionId(3)], ..Found::default() };
    revocations.apply(&revocations.look(Millis(900_000)), found);
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_000_000)), Some(DenyReason::SessionRevoked));
    revocations.apply(&revocations.look(Millis(1_800_000)), Found::default());
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_000_000)), Some(DenyReason::SessionRevoked));
    revocations.apply(&revocations.look(Millis(1_800_001)), Found::default());
    assert_eq!(revocations.barred(&actor(Role::Agent), Millis(1_000_000)), None);
}
