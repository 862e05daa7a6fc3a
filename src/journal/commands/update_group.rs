//! Changing what a group is called and said to be for, and how what comes to it is served.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::audit::Act;
use crate::domain::group::Serving;
use crate::domain::permission::Operation;
use crate::domain::routing::RoutingStrategy;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{GroupId, Result, text};

/// Change a group's name, description or settings. Errors: `not_found`, `name_taken`.
#[derive(Debug, Clone)]
pub struct UpdateGroup {
    /// Which.
    pub group: GroupId,
    /// The new name, checked.
    pub name: Option<String>,
    /// The new description.
    pub description: Option<String>,
    /// How what waits for it finds its agents from now on; `Some(None)`: as the tenant says.
    pub routing_strategy: Option<Option<RoutingStrategy>>,
    /// Who serves what comes to it from now on. What waits for it already is docked by [`super::DockWaiting`].
    pub serving: Option<Serving>,
}

impl UpdateGroup {
    /// A change of this group that changes nothing yet.
    pub const fn of(group: GroupId) -> Self {
        Self { group, name: None, description: None, routing_strategy: None, serving: None }
    }
}

impl JournalCommand for UpdateGroup {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.groups.insert(self.group);
        if self.name.is_some() {
            // The group's room has the group's name.
            wants.rosters.insert(self.group);
            wants.named_groups.insert(actor.tenant());
        }
    }

    fn bytes(&self) -> usize {
        self.name.as_ref().map_or(0, String::len) + self.description.as_ref().map_or(0, String::len)
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.allow(Operation::ManageGroups)?;
        let row = context.group(self.group)?;
        let name = self.name.as_ref().filter(|name| **name != row.name);
        let description = self.description.as_ref().filter(|text| **text != row.description);
        if let Some(name) = name {
            context.require_free_name(name, Some(self.group))?;
        }
        let strategy = self.routing_strategy.filter(|strategy| *strategy != row.routing_strategy);
        let serving = self.serving.filter(|serving| *serving != row.serving);
        let settings = strategy.is_some() || serving.is_some();
        if name.is_some() || description.is_some() || settings {
            let (rev, now) = (context.rev(), context.set.now);
            let before = context.group(self.group)?.clone();
            let row = context.group_mut(self.group)?;
            if let Some(name) = name {
                row.name_key = Some(text::login_name(name));
                row.name.clone_from(name);
            }
            if let Some(description) = description {
                row.description.clone_from(description);
            }
            if let Some(strategy) = strategy {
                row.routing_strategy = strategy;
            }
            row.serving = serving.unwrap_or(row.serving);
            row.rev = rev;
            row.updated_at = now;
            let (room, act) = (row.room_id, Act::updated(&before, row));
            context.note(act);
            if let (Some(name), Some(room)) = (name, room) {
                context.rename_room(room, name)?;
            }
        }
        Ok(Reply { group: Some(self.group), ..Reply::default() })
    }
}
