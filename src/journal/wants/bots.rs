//! What is loaded for bots: the tenants' own, those that answer what is loaded, and what is asked when one of the staff takes
//! a conversation from one. No I/O. Nothing is asked where no bot is.

use std::collections::BTreeSet;

use super::{Source, Wants, listed};
use crate::journal::command::Command;
use crate::journal::working_set::WorkingSet;
use crate::kernel::{MemberId, Result};

/// Loads it, and adds to the wants what follows from a bot that answers.
pub(super) fn load(
    source: &mut dyn Source,
    set: &mut WorkingSet,
    wants: &mut Wants,
    commands: &[&Command],
) -> Result<()> {
    let mut bots: BTreeSet<MemberId> = set.conversations.values().filter_map(|row| row.bot()).collect();
    if wants.bots {
        bots.extend(set.tenants.values().filter_map(|tenant| tenant.settings.bot.member_id));
    }
    // A bot that begins to answer in this batch may lose the conversation in the same one.
    if !bots.is_empty() {
        wants.agents.extend(commands.iter().filter_map(|command| command.actor.member()));
        wants.restarts = true;
        wants.groups_of_conversations = true;
    }
    bots.retain(|bot| !set.members.contains(bot));
    if !bots.is_empty() {
        for facts in source.members(&listed(&bots))? {
            set.members.load(facts.id, facts);
        }
    }
    Ok(())
}
