//! Every test that uses the product from outside, in one binary: it links once and starts each database server
//! once. `harness` says how a test is written; each other module is named after the room or promise it tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod harness;

mod absence;
mod account_changes;
mod api_keys;
mod api_keys_forged;
mod assignee;
mod attachments;
mod attachments_uploads;
mod attendance;
mod attributes;
mod audit;
mod audit_acts;
mod auth;
mod bans;
mod bans_enforced;
mod bans_lost;
mod bot_sockets;
mod bots;
mod business_hours;
mod canaries;
mod canned_replies;
mod capacity;
mod centre;
mod cleaning;
mod clocks;
mod command_line;
mod command_line_safety;
mod connections;
mod container_files;
mod conversations;
mod crash;
mod crowd;
mod differential;
mod disk;
mod docking;
mod documents;
mod documents_typescript;
mod erasure;
mod erasure_deaths;
mod erasure_left;
mod errors;
mod examples;
mod exports;
mod exports_content;
mod exports_deaths;
mod exports_ended;
mod exports_oracle;
mod fail_points;
mod faults;
mod feed;
mod flood;
mod followers;
mod frozen_database;
mod group_closed;
mod group_docks;
mod group_names;
mod group_routing;
mod group_serving;
mod group_sight;
mod groups;
mod hub;
mod identities;
#[cfg(feature = "mysql")]
mod import;
#[cfg(feature = "mysql")]
mod import_runs;
mod inbox_rows;
mod intake;
mod journal;
mod journal_lanes;
mod lag;
mod lockout;
mod members;
mod merge_race;
mod merging;
mod messages;
mod migrations;
mod opening;
mod operations;
mod passwords;
mod permissions;
mod portal;
mod presence;
mod queue_order;
mod queue_places;
mod ratings;
mod reading;
mod refresh;
mod reopening;
mod repeats;
mod reports;
mod reports_deaths;
mod reports_judge;
mod reports_oracle;
mod reports_play;
mod retention;
mod revocation;
mod rooms;
mod routing;
mod routing_hours;
mod routing_offers;
mod routing_stress;
mod saved_filters;
mod saved_filters_property;
mod saved_filters_search;
mod search;
mod search_deaths;
mod search_limits;
mod search_objects;
mod sla;
mod sla_deaths;
mod sla_oracle;
mod soak;
mod socket_access;
mod socket_drain;
mod socket_frames;
mod socket_resume;
mod socket_talk;
mod socket_transport;
mod sync_inbox;
mod tenancy;
mod tenants;
mod tidy;
mod tidy_guards;
mod tidy_layers;
mod tidy_paths;
mod timer_looks;
mod timers;
mod transfer;
mod transfer_groups;
mod transfer_offers;
mod unread;
mod versions;
mod visitors;
