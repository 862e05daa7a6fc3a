//! The rules of routing, by example and as properties.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_000_000;

fn settings(strategy: RoutingStrategy) -> RoutingSettings {
    RoutingSettings { strategy, ..RoutingSettings::default() }
}

fn agent(id: i64) -> Candidate {
    Candidate {
        member: MemberId(id),
        usable: true,
        status: PresenceStatus::Online,
        current: 0,
        max: 2,
        sight: Sight::whole(),
        skills: Vec::new(),
        last_assigned_at: None,
        idle_since: None,
        has_offer: false,
    }
}

fn waiting(id: i64) -> Waiting {
    let needs = Needs::default();
    let (conversation, since) = (ConversationId(id), NOW - 10_000);
    Waiting { conversation, since, group: None, strategy: None, needs, passed_over: Vec::new() }
}

fn skills(labels: &[&str]) -> Vec<Skill> {
    labels.iter().map(|label| label.parse().unwrap()).collect()
}

fn chosen(settings: &RoutingSettings, waiting: &Waiting, candidates: &[Candidate]) -> Option<i64> {
    choose(settings, NOW, waiting, candidates).0.map(|index| candidates[index].member.0)
}

#[test]
fn each_strategy_has_its_order() {
    let mut agents = [agent(1), agent(2), agent(3)];
    (agents[0].last_assigned_at, agents[0].idle_since) = (Some(30), Some(10));
    (agents[1].last_assigned_at, agents[1].idle_since) = (Some(10), Some(30));
    (agents[2].last_assigned_at, agents[2].idle_since) = (Some(20), Some(20));
    (agents[0].current, agents[0].max) = (5, 10);
    (agents[1].current, agents[1].max) = (1, 2);
    (agents[2].current, agents[2].max) = (1, 3);
    let by = |strategy| chosen(&settings(strategy), &waiting(9), &agents);
    assert_eq!(by(RoutingStrategy::RoundRobin), Some(2));
    assert_eq!(by(RoutingStrategy::LeastLoaded), Some(3));
    assert_eq!(by(RoutingStrategy::LongestIdle), Some(1));
    assert_eq!(by(RoutingStrategy::Manual), None);
}

/// A group's own strategy counts for what waits for it, and only for that: in either direction.
#[test]
fn a_group_may_have_a_strategy_of_its_own() {
    let mut agents = [agent(1), agent(2)];
    (agents[0].current, agents[0].max) = (1, 10);
    agents[1].last_assigned_at = Some(30);
    let of = |strategy| Waiting { strategy, ..waiting(9) };
    let manual = settings(RoutingStrategy::Manual);
    assert_eq!(chosen(&manual, &of(None), &agents), None);
    assert_eq!(chosen(&manual, &of(Some(RoutingStrategy::RoundRobin)), &agents), Some(1));
    assert_eq!(chosen(&manual, &of(Some(RoutingStrategy::LeastLoaded)), &agents), Some(2));
    let automatic = settings(RoutingStrategy::LeastLoaded);
    assert_eq!(chosen(&automatic, &of(Some(RoutingStrategy::Manual)), &agents), None);
    assert_eq!(chosen(&automatic, &of(Some(RoutingStrategy::RoundRobin)), &agents), Some(1));
    // Who comes first and is claimed keeps nobody back who comes later.
    let queue = [of(Some(RoutingStrategy::Manual)), Waiting { conversation: ConversationId(10), ..of(None) }];
    let given = plan(&automatic, NOW, &queue, &mut agents, 9).choices;
    assert_eq!(given.iter().map(|choice| choice.conversation.0).collect::<Vec<_>>(), [10]);
}

#[test]
fn the_last_agent_comes_first_unless_it_is_absent_or_full() {
    let settings = settings(RoutingStrategy::RoundRobin);
    let mut agents = [agent(1), agent(2)];
    agents[1].last_assigned_at = Some(5);
    let mut one = waiting(9);
    one.needs.last_agent = Some(MemberId(2));
    assert_eq!(chosen(&settings, &one, &agents), Some(2));
    assert_eq!(chosen(&RoutingSettings { last_agent_first: false, ..settings }, &one, &agents), Some(1));
    for status in [PresenceStatus::Away, PresenceStatus::Busy, PresenceStatus::Offline] {
        agents[1].status = status;
        assert_eq!(chosen(&settings, &one, &agents), Some(1), "{status}");
    }
    (agents[1].status, agents[1].current) = (PresenceStatus::Online, 2);
    assert_eq!(chosen(&settings, &one, &agents), Some(1));
}

#[test]
fn skills_are_required_preferred_and_relaxed() {
    let mut settings = settings(RoutingStrategy::RoundRobin);
    let mut agents = [agent(1), agent(2), agent(3)];
    agents[1].skills = skills(&["de:2", "billing"]);
    agents[2].skills = skills(&["DE:4"]);
    let mut one = waiting(9);
    one.needs.required = skills(&["de:3"]);
    assert_eq!(chosen(&settings, &one, &agents), Some(3), "names know no case, levels count");
    one.needs.required = skills(&["de:5"]);
    assert_eq!(chosen(&settings, &one, &agents), None);
    settings.relax_after_seconds = Some(11);
    assert_eq!(chosen(&settings, &one, &agents), None);
    settings.relax_after_seconds = Some(10);
    let (index, verdicts) = choose(&settings, NOW, &one, &agents);
    assert_eq!((index, verdicts[2].relaxed), (Some(2), true), "who comes nearest is chosen");
    one.needs = Needs { preferred: skills(&["billing", "de"]), ..Needs::default() };
    assert_eq!(chosen(&settings, &one, &agents), Some(2));
    for (label, name, level) in [("a:b", "a:b", 1), ("a:0", "a:0", 1), ("a:9", "a", 9), (":3", ":3", 1)] {
        assert_eq!(label.parse::<Skill>(), Ok(Skill { name: name.to_owned(), level }));
    }
}

#[test]
fn a_group_serves_its_own_conversations() {
    use crate::domain::member::Role;
    let settings = settings(RoutingStrategy::RoundRobin);
    let mut agents = [agent(1), agent(2)];
    agents[0].sight = Sight::of(Role::Agent, [GroupId(7)]);
    agents[1].sight = Sight::of(Role::Agent, [GroupId(8)]);
    let of = |group| Waiting { group, ..waiting(9) };
    assert_eq!(chosen(&settings, &of(Some(GroupId(8))), &agents), Some(2));
    assert_eq!(chosen(&settings, &of(Some(GroupId(9))), &agents), None);
    assert_eq!(chosen(&settings, &of(None), &agents), Some(1), "no group's is everybody's");
}

#[test]
fn who_refused_is_asked_again_when_all_have() {
    let settings = RoutingSettings { offer_seconds: Some(20), ..settings(RoutingStrategy::RoundRobin) };
    let mut agents = [agent(1), agent(2)];
    let mut one = waiting(9);
    one.passed_over = vec![(MemberId(1), NOW - 30_000)];
    assert_eq!(chosen(&settings, &one, &agents), Some(2));
    one.passed_over.push((MemberId(2), NOW - 5_000));
    assert_eq!(chosen(&settings, &one, &agents), Some(1), "its refusal is older than an offer lasts");
    one.passed_over.push((MemberId(1), NOW - 1_000));
    assert_eq!(chosen(&settings, &one, &agents), None);
    agents[0].status = PresenceStatus::Away;
    one.passed_over = vec![(MemberId(1), NOW - 30_000), (MemberId(2), NOW - 30_000)];
    assert_eq!(chosen(&settings, &one, &agents), Some(2));
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let labels = proptest::collection::vec(prop_oneof!["a", "a:3", "b", "b:2"], 0..3);
    let status = proptest::sample::select(PresenceStatus::ALL);
    (any::<bool>(), status, 0..4_i64, 0..4_i64, labels, any::<Option<u8>>(), any::<bool>()).prop_map(
        |(usable, status, current, max, labels, last, has_offer)| Candidate {
            usable,
            status,
            current,
            max,
            skills: Skill::list(&labels),
            last_assigned_at: last.map(i64::from),
            idle_since: last.map(|at| 255 - i64::from(at)),
            has_offer,
            ..agent(0)
        },
    )
}

fn room() -> impl Strategy<Value = Waiting> {
    let labels = || proptest::collection::vec(prop_oneof!["a", "a:3", "b", "c"], 0..2);
    let passed = proptest::collection::vec((0..6_i64, 0..60_i64), 0..4);
    let strategy = proptest::option::weighted(0.3, proptest::sample::select(RoutingStrategy::ALL));
    let parts = (labels(), labels(), 0..60_i64, passed, strategy);
    parts.prop_map(|(required, preferred, seconds, passed, strategy)| Waiting {
        strategy,
        since: NOW - seconds * 1_000,
        needs: Needs {
            required: Skill::list(&required),
            preferred: Skill::list(&preferred),
            last_agent: None,
        },
        passed_over: passed.into_iter().map(|(who, ago)| (MemberId(who), NOW - ago * 1_000)).collect(),
        ..waiting(0)
    })
}

proptest! {
    /// P6 for the plan: nobody gets more than it accepts or what it does not fit, nothing is given twice, and what is
    /// left over fits nobody who is left.
    #[test]
    fn a_plan_is_just_and_leaves_nothing_that_fits(
        mut agents in proptest::collection::vec(candidate(), 0..6),
        mut queue in proptest::collection::vec(room(), 0..12),
        strategy in proptest::sample::select(RoutingStrategy::ALL),
        relax_after_seconds in proptest::option::of(0..60_i64),
        offer_seconds in proptest::option::of(1..60_i64),
    ) {
        (0..).zip(&mut agents).for_each(|(id, agent)| agent.member = MemberId(id));
        (0..).zip(&mut queue).for_each(|(id, waiting)| waiting.conversation = ConversationId(id));
        let settings = RoutingSettings { relax_after_seconds, offer_seconds, ..settings(strategy) };
        let before = agents.clone();
        let plan = plan(&settings, NOW, &queue, &mut agents, 100);
        let mut given = std::collections::BTreeSet::new();
        for choice in &plan.choices {
            prop_assert!(given.insert(choice.conversation));
            let was = before.iter().find(|one| one.member == choice.agent).unwrap();
            prop_assert!(was.usable && was.status == PresenceStatus::Online && !was.has_offer);
        }
        for (was, is) in before.iter().zip(&agents) {
            prop_assert!(is.current <= is.max.max(was.current));
            let got = plan.choices.iter().filter(|choice| choice.agent == is.member).count();
            prop_assert!(offer_seconds.is_none() || got <= 1);
        }
        for waiting in queue.iter().filter(|waiting| !given.contains(&waiting.conversation)) {
            prop_assert_eq!(choose(&settings, NOW, waiting, &agents).0, None);
        }
        // The same snapshot gives the same plan.
        prop_assert_eq!(plan, super::plan(&settings, NOW, &queue, &mut before.clone(), 100));
    }
}
