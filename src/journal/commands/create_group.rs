//! Making a group.

use super::JournalCommand;
use crate::domain::actor::Principal;
use crate::domain::audit::Act;
use crate::domain::group::{GROUPS_MAX, GroupRow, Serving};
use crate::domain::permission::Operation;
use crate::domain::routing::RoutingStrategy;
use crate::journal::command::Reply;
use crate::journal::decide::CommandContext;
use crate::journal::wants::Wants;
use crate::kernel::{Code, Error, GroupId, Result, text};

/// Make a group of the staff, without members. Errors: `name_taken`, `limit_reached`.
#[derive(Debug, Clone)]
pub struct CreateGroup {
    /// Its name, checked; unique among the living groups of the tenant, whatever the case of its letters.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// How what waits for it finds its agents; `None`: as the tenant says.
    pub routing_strategy: Option<RoutingStrategy>,
    /// Who serves what comes to it.
    pub serving: Serving,
}

impl CreateGroup {
    /// A group of this name without anything of its own.
    pub const fn named(name: String) -> Self {
        Self { name, description: String::new(), routing_strategy: None, serving: Serving::Agent }
    }
}

impl JournalCommand for CreateGroup {
    fn wants(&self, actor: &Principal, wants: &mut Wants) {
        wants.named_groups.insert(actor.tenant());
    }

    fn bytes(&self) -> usize {
        self.name.len() + self.description.len()
    }

    fn decide(&self, context: &mut CommandContext<'_>) -> Result<Reply> {
        context.allow(Operation::ManageGroups)?;
        context.require_free_name(&self.name, None)?;
        if context.living_groups().count() >= GROUPS_MAX {
            return Err(Error::new(Code::LimitReached, format!("at most {GROUPS_MAX} groups")));
        }
        let id = GroupId(context.set.ids.next()?);
        let (rev, now, tenant_id) = (context.rev(), context.set.now, context.tenant);
        let row = GroupRow {
            id,
            tenant_id,
            name: self.name.clone(),
            name_key: Some(text::login_name(&self.name)),
            description: self.description.clone(),
            room_id: None,
            rev,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            routing_strategy: self.routing_strategy,
            serving: self.serving,
        };
        context.note(Act::created(&row));
        context.set.groups.create(id, row);
        Ok(Reply { group: Some(id), created: true, ..Reply::default() })
    }
}
