//! Random steps of a simulation, and how often each of them comes.

use proptest::prelude::*;

use super::PEOPLE;
use super::attachments::AttachStep;
use super::ratings::RateStep;
use super::sla::SlaStep;
use super::step::Step;
use crate::domain::presence::Sighting;
use crate::domain::routing::RoutingStrategy;

/// One step.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let (who, conversation, seq, key) = (0..PEOPLE.len(), 0..8usize, -1..14i64, 0..6u8);
    let reply = prop_oneof![4 => Just(None), 1 => (0..9i64).prop_map(Some)];
    let maybe = prop_oneof![1 => Just(None), 1 => (-1..14i64).prop_map(Some)];
    let version = prop_oneof![2 => Just(None), 1 => (0..4i64).prop_map(Some)];
    let visitor = 4..7usize;
    let seen = prop_oneof![
        1 => Just(None),
        3 => Just(Some(Sighting::Live)),
        2 => (0..60_000i64).prop_map(|ago| Some(Sighting::Silent(ago))),
    ];
    let opened = (who.clone(), visitor.clone(), proptest::option::of(key.clone()));
    prop_oneof![
        3 => opened.prop_map(|(who, customer, key)| Step::Open { who, customer, key }),
        2 => (visitor.clone(), proptest::option::of(key.clone()))
            .prop_map(|(who, key)| Step::Open { who, customer: who, key }),
        9 => (who.clone(), conversation.clone(), key.clone(), 0..3u8, reply, maybe)
            .prop_map(|(who, conversation, key, text, reply, read)| Step::Send { who, conversation, key, text, reply, read }),
        2 => (who.clone(), conversation.clone(), key.clone()).prop_map(|(who, conversation, key)| Step::Note { who, conversation, key }),
        4 => (who.clone(), conversation.clone(), 0..12usize, key).prop_map(|(who, conversation, attachment, key)| {
            Step::Attach(AttachStep { who, conversation, attachment, key })
        }),
        3 => (who.clone(), conversation.clone(), seq.clone(), 0..3u8)
            .prop_map(|(who, conversation, seq, text)| Step::Edit { who, conversation, seq, text }),
        3 => (who.clone(), conversation.clone(), seq.clone())
            .prop_map(|(who, conversation, seq)| Step::Recall { who, conversation, seq }),
        4 => (who.clone(), conversation.clone()).prop_map(|(who, conversation)| Step::Claim { who, conversation }),
        3 => (0..2usize, conversation.clone(), who.clone())
            .prop_map(|(who, conversation, agent)| Step::Assign { who, conversation, agent }),
        3 => (who.clone(), conversation.clone(), who.clone())
            .prop_map(|(who, conversation, agent)| Step::Transfer { who, conversation, agent }),
        4 => (0..4usize, 0..6usize, 1..4usize)
            .prop_map(|(who, conversation, agent)| Step::OfferTransfer { who, conversation, agent }),
        1 => (0..4usize, 0..6usize).prop_map(|(who, conversation)| Step::Withdraw { who, conversation }),
        4 => (0..4usize, conversation.clone(), 0..4usize)
            .prop_map(|(who, conversation, group)| Step::TransferToGroup { who, conversation, group }),
        1 => (who.clone(), conversation.clone()).prop_map(|(who, conversation)| Step::TakeOver { who, conversation }),
        2 => (who.clone(), conversation.clone()).prop_map(|(who, conversation)| Step::Release { who, conversation }),
        2 => (who.clone(), conversation.clone()).prop_map(|(who, conversation)| Step::Close { who, conversation }),
        2 => (who.clone(), conversation.clone()).prop_map(|(who, conversation)| Step::Reopen { who, conversation }),
        2 => (who.clone(), conversation.clone(), who.clone())
            .prop_map(|(who, conversation, member)| Step::Add { who, conversation, member }),
        2 => (who.clone(), conversation.clone(), who.clone())
            .prop_map(|(who, conversation, member)| Step::Remove { who, conversation, member }),
        2 => (who.clone(), conversation.clone(), 0..6u8)
            .prop_map(|(who, conversation, what)| Step::Update { who, conversation, what }),
        5 => (who.clone(), conversation.clone(), seq.clone(), version)
            .prop_map(|(who, conversation, seq, version)| Step::Read { who, conversation, seq, version }),
        2 => (who.clone(), conversation.clone(), seq.clone())
            .prop_map(|(who, conversation, seq)| Step::MarkUnread { who, conversation, seq }),
        1 => (who.clone(), conversation, seq).prop_map(|(who, conversation, seq)| Step::Delivered { who, conversation, seq }),
        3 => (0..64usize).prop_map(|which| Step::Retry { which }),
        2 => (0..2usize, 0..3u8).prop_map(|(who, name)| Step::MakeGroup { who, name }),
        1 => (0..2usize, 0..4usize, 0..3u8).prop_map(|(who, group, name)| Step::NameGroup { who, group, name }),
        2 => (0..2usize, 0..4usize, proptest::option::weighted(0.7, 0..RoutingStrategy::ALL.len()))
            .prop_map(|(who, group, strategy)| Step::RouteGroup { who, group, strategy }),
        3 => (0..2usize, 0..4usize, proptest::bool::weighted(0.7))
            .prop_map(|(who, group, whole)| Step::Serving { who, group, whole }),
        3 => (0..4usize).prop_map(Step::DockWaiting),
        1 => (0..2usize, 0..4usize).prop_map(|(who, group)| Step::EndGroup { who, group }),
        5 => (0..4usize, 0..4usize, who.clone(), proptest::option::of(proptest::bool::ANY))
            .prop_map(|(who, group, member, manages)| Step::Place { who, group, member, manages }),
        2 => (0..4usize, 0..4usize, who.clone())
            .prop_map(|(who, group, member)| Step::Displace { who, group, member }),
        4 => (0..4usize, 0..8usize, proptest::option::weighted(0.8, 0..4usize))
            .prop_map(|(who, conversation, group)| Step::Group { who, conversation, group }),
        5 => (0..4usize, 0..8usize, 0..4usize)
            .prop_map(|(who, conversation, group)| Step::Dock { who, conversation, group }),
        3 => (0..4usize, 0..4usize).prop_map(|(group, member)| Step::Follow { group, member }),
        1 => (who.clone(), proptest::collection::vec(0..5usize, 0..3))
            .prop_map(|(who, members)| Step::Room { who, members }),
        2 => (who.clone(), who.clone()).prop_map(|(who, member)| Step::Direct { who, member }),
        1 => (visitor.clone(), visitor).prop_map(|(from, into)| Step::Merge { from, into }),
        1 => (who.clone(), 0..4usize).prop_map(|(who, what)| Step::Presence { who, what }),
        1 => (who.clone(), seen).prop_map(|(who, seen)| Step::Look { who, seen }),
        1 => who.clone().prop_map(|who| Step::Requeue { who }),
        2 => (2..4usize, 0..8usize, any::<bool>())
            .prop_map(|(who, conversation, accept)| Step::Answer { who, conversation, accept }),
        2 => (2..4usize).prop_map(|who| Step::Presence { who, what: 0 }),
        2 => (2..4usize).prop_map(|who| Step::Look { who, seen: Some(Sighting::Live) }),
        4 => (4..8usize, 0..8usize, 1..6i16)
            .prop_map(|(who, conversation, score)| Step::Rate(RateStep { who, conversation, score })),
        2 => (0..8usize, any::<bool>())
            .prop_map(|(conversation, is_late)| Step::Sla(SlaStep { conversation, is_late })),
        1 => (0..3usize).prop_map(|mode| Step::Routing { mode }),
        3 => Just(Step::Route),
        3 => Just(Step::Timers),
        3 => (0..8usize).prop_map(|conversation| Step::Suspect { conversation }),
        1 => (who, proptest::bool::weighted(0.8)).prop_map(|(who, on)| Step::Switch { who, on }),
        3 => Just(Step::Commit),
        1 => (0..10i64).prop_map(|minutes| Step::Wait { minutes }),
    ]
}
