//! Groups and reasons are found in what stands behind a conversation, and who offers it by who serves it.

use super::*;
use crate::replay::judge_desk::tests::{BEHIND, FIRST, LI, ORDERS, RETURNS, WU, honest, log, notice, remark};

fn moved(rev: i64, from: Option<Id>, to: Option<Id>) -> Fact {
    Fact { groups: Some((from, to)), ..notice(rev, "group_changed", None) }
}

#[test]
fn what_one_command_says_counts_for_all_of_it() {
    let mut evidence = honest();
    log(&mut evidence, FIRST).insert(3, notice(7, "released", Some(WU)));
    log(&mut evidence, BEHIND).extend([moved(7, Some(ORDERS), Some(RETURNS)), remark(7, "group_transfer")]);
    let steps = steps(&evidence, &evidence.desks[0]);
    let of_first: Vec<_> = steps.iter().filter(|step| step.conversation == FIRST).collect();
    assert_eq!((of_first[0].event, of_first[0].group), (Event::Waits, Some(ORDERS)), "the group before");
    let freed = of_first.iter().find(|step| step.rev == 7).map(|step| (step.event, step.group));
    assert_eq!(freed, Some((Event::Freed(Some(WU), Some("group_transfer")), Some(RETURNS))));
    assert_eq!(groups_of(&steps)[&FIRST], [Some(ORDERS), Some(RETURNS)]);
}

#[test]
fn who_offers_is_who_serves_or_routing() {
    let mut evidence = honest();
    log(&mut evidence, BEHIND).extend([
        notice(6, "offered", Some(LI)),
        notice(7, "declined", Some(LI)),
        notice(7, "offer_withdrawn", Some(LI)),
    ]);
    let steps = steps(&evidence, &evidence.desks[0]);
    let offers = steps.iter().filter(|step| step.conversation == FIRST).filter_map(|step| match step.event {
        Event::Offered(_, by) | Event::Declined(_, by) => Some(by),
        _ => None,
    });
    let expected = [Offerer::Routing, Offerer::Routing, Offerer::Routing, Offerer::Agent, Offerer::Agent];
    assert_eq!(offers.collect::<Vec<_>>(), expected);
}
