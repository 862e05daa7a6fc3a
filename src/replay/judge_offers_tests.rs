//! Every way to break an offer is fabricated once and must be found.

use crate::replay::client::fact::Fact;
use crate::replay::evidence::{Evidence, Receiver};
use crate::replay::history::Action;
use crate::replay::judge_desk::tests::{
    BEHIND, FIRST, LI, SECOND, WU, assignment, conversation, judged, log, notice,
};

#[test]
fn offers_are_answered_once_and_by_whom_they_were_made_to() {
    let twice = |evidence: &mut Evidence| log(evidence, BEHIND).push(notice(4, "declined", Some(LI)));
    assert_eq!(judged(twice), ["P6"]);
    let late = |evidence: &mut Evidence| log(evidence, BEHIND).push(notice(7, "offer_missed", Some(LI)));
    assert_eq!(judged(late), ["P6"]);
    let other = |evidence: &mut Evidence| log(evidence, BEHIND)[2].about = Some(WU);
    assert_eq!(judged(other), ["P6"]);
    let early = |evidence: &mut Evidence| {
        log(evidence, BEHIND)[1].kind = "offer_missed".into();
        evidence.done.retain(|done| done.action != Action::Declined);
    };
    assert_eq!(judged(early), ["P6"], "its time was not over");
    let stale = |evidence: &mut Evidence| log(evidence, FIRST)[1].at = 5_004;
    assert_eq!(judged(stale), ["P6"], "its time was over");
}

/// Li offers the first conversation to Wu at rev 5, and Wu takes it at rev 6 by its own hand.
fn asked(evidence: &mut Evidence) {
    log(evidence, FIRST)[2].sender = Some(WU);
    log(evidence, BEHIND).push(notice(5, "offered", Some(WU)));
}

#[test]
fn what_an_agent_offers_is_accepted_while_it_holds() {
    assert_eq!(judged(asked), Vec::<&str>::new());
    let unasked = |evidence: &mut Evidence| log(evidence, FIRST)[2].sender = Some(WU);
    assert_eq!(judged(unasked), ["P6"], "nobody asked");
    let withdrawn = |evidence: &mut Evidence| {
        asked(evidence);
        log(evidence, BEHIND).push(Fact { sender: Some(LI), ..notice(5, "offer_withdrawn", Some(WU)) });
    };
    assert_eq!(judged(withdrawn), ["P6"], "it was taken back");
    let declined = |evidence: &mut Evidence| {
        asked(evidence);
        log(evidence, BEHIND).push(notice(5, "declined", Some(WU)));
    };
    assert_eq!(judged(declined), ["P6"], "it was declined");
    let late = |evidence: &mut Evidence| {
        asked(evidence);
        log(evidence, FIRST)[2].at = 5_005;
    };
    assert_eq!(judged(late), ["P6"], "its time was over");
    let given_back = |evidence: &mut Evidence| {
        asked(evidence);
        log(evidence, FIRST).insert(2, notice(6, "released", Some(LI)));
        let first = conversation(evidence, FIRST);
        first.assignments[0].ended = Some("release".to_owned());
        first.assignments[1].from = None;
        first.transfers = vec![(None, Receiver::Agent(WU))];
    };
    assert_eq!(judged(given_back), ["P6"], "who asked did not have it any more");
}

#[test]
fn one_is_asked_at_a_time_and_only_about_what_an_agent_has() {
    let two = |evidence: &mut Evidence| {
        asked(evidence);
        log(evidence, BEHIND).insert(3, notice(5, "offered", Some(99)));
    };
    assert_eq!(judged(two), ["P6"]);
    let closed = |evidence: &mut Evidence| log(evidence, BEHIND).push(notice(9, "offered", Some(LI)));
    assert_eq!(judged(closed), ["P6"]);
    let nothing =
        |evidence: &mut Evidence| log(evidence, BEHIND).push(notice(7, "offer_withdrawn", Some(LI)));
    assert_eq!(judged(nothing), ["P6"], "nothing was offered");
    let stranger = |evidence: &mut Evidence| {
        let entries = [
            notice(6, "offered", Some(LI)),
            Fact { sender: Some(LI), ..notice(7, "offer_withdrawn", Some(LI)) },
        ];
        log(evidence, BEHIND).extend(entries);
    };
    assert_eq!(judged(stranger), ["P6"], "Wu had asked");
}

#[test]
fn what_went_another_way_may_be_told_to_be_withdrawn_once() {
    let pushed = |evidence: &mut Evidence, times: usize| {
        // Li asks Wu, and hands it over before Wu answers.
        log(evidence, BEHIND).push(notice(5, "offered", Some(WU)));
        let told = |_| notice(9, "offer_withdrawn", Some(WU));
        log(evidence, BEHIND).extend((0..times).map(told));
    };
    assert_eq!(judged(|evidence| pushed(evidence, 0)), Vec::<&str>::new());
    assert_eq!(judged(|evidence| pushed(evidence, 1)), Vec::<&str>::new());
    assert_eq!(judged(|evidence| pushed(evidence, 2)), ["P6"]);
}

#[test]
fn without_offers_of_routing_a_colleague_has_a_minute() {
    let missed = |evidence: &mut Evidence, at: i64| {
        let desk = &mut evidence.desks[0];
        desk.offer_seconds = None;
        desk.told.clear();
        evidence.done.clear();
        log(evidence, BEHIND).clear();
        let first = conversation(evidence, FIRST);
        first.assignments[0] = assignment(LI, "routing", None, Some("reassign"));
        conversation(evidence, SECOND).backstage = Some(39);
        let missed = Fact { at, ..notice(10, "offer_missed", Some(LI)) };
        log(evidence, 39).extend([notice(9, "offered", Some(LI)), missed]);
    };
    assert_eq!(judged(|evidence| missed(evidence, 60_009)), Vec::<&str>::new());
    assert_eq!(judged(|evidence| missed(evidence, 60_008)), ["P6"]);
}
