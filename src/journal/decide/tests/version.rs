//! The promise of a version: a command that is based on another one than the present does nothing, and one that is
//! based on the present does what it would have done without.

use super::checks::{Picture, marks, picture};
use super::simulation::Simulation;
use crate::domain::conversation::IfVersion;
use crate::domain::member::Role;
use crate::journal::command::Command;
use crate::journal::commands::Action;
use crate::journal::decide::decide;
use crate::journal::wants::Wants;
use crate::kernel::Code;

impl Simulation {
    /// Checks the promise on copies of the batch, in which everything that the command wants is loaded.
    pub(super) fn check_version(&self, command: &Command) {
        let conditional = matches!(
            command.action,
            Action::Claim(_)
                | Action::Assign(_)
                | Action::Transfer(_)
                | Action::WithdrawTransfer(_)
                | Action::TakeOver(_)
                | Action::Release(_)
                | Action::Close(_)
                | Action::Reopen(_)
                | Action::Update(_)
        );
        if !conditional {
            return;
        }
        let based_on = |versions: Option<Vec<i64>>| {
            let mut set = self.set.clone();
            let result = decide(&mut set, &command.clone().based_on(versions.map(IfVersion)));
            (
                result.map(|reply| reply.rev).map_err(|error| error.code),
                marks(&set),
                picture(&self.store, &set),
            )
        };
        let before = picture(&self.store, &self.set);
        let same = |now: &Picture| *now == before;

        let (plain, plain_marks, after) = based_on(None);
        let (never, _, unchanged) = based_on(Some(Vec::new()));
        assert!(same(&unchanged), "{command:?} at another version changed something");
        match plain {
            // What holds already is answered whatever the version.
            Ok(_) if same(&after) => assert_eq!(never, plain, "{command:?}"),
            Ok(_) => assert_eq!(never, Err(Code::VersionMismatch), "{command:?}"),
            // Who may not do it at all learns nothing of a version; a wrong state may be told either way.
            Err(
                Code::InvalidTransition
                | Code::OpenConversationExists
                | Code::AgentFull
                | Code::AgentAbsent
                | Code::TransferLoop
                | Code::GroupEmpty
                | Code::OfferPending
                | Code::ReopenExpired,
            ) => {
                assert_eq!(never, Err(Code::VersionMismatch), "{command:?}");
            }
            Err(_) => assert_eq!(never, plain, "{command:?}"),
        }
        let named = Wants::of(&[command]).conversations;
        let present = named.first().and_then(|id| self.set.conversations.get(id)).map(|row| row.version);
        if let Some(present) = present.filter(|_| command.actor.role() != Some(Role::Customer)) {
            let (result, at_present, _) = based_on(Some(vec![present - 1, present]));
            assert_eq!((result, at_present), (plain, plain_marks), "{command:?} at the present version");
        }
    }
}
