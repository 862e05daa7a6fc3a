//! What is exported of the message centre and of notifications.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{Exported, Line, exported};
use crate::exports::form::Form;
use crate::exports::scope::{OF_SENDS, Parent, SENDS};

const OF_IDS: &str = "person_id IN ({ids})";
const OF_CUSTOMER: &str = "customer_id IN ({members})";

exported! { CENTRE:
    channel_account "channel_account" by(id id) {
        id name provider status host limit_count limit_seconds fail_streak paused_until pause_reason created_at updated_at
        deleted_at
    } without { tenant_id sealed_config }
    message_template "message_template" by(id id) {
        id name channel content variables version changed locale translations created_at updated_at deleted_at
    } without { tenant_id }
    message_template_version "message_template_version" by(template_id version) of Template {
        template_id version content variables locale translations created_at
    } without { tenant_id }
    message_rule "message_rule" by(id id) {
        id title key template_id account_id status priority conditions recipients delay_seconds ttl_seconds dedupe_seconds
        dedupe_key quiet_hours fallback_template_id fallback_account_id fallback_on fallback_after_seconds throttle_count
        throttle_seconds throttle_by waiting_seconds schedule schedule_next_at digest created_at updated_at deleted_at
    } without { tenant_id }
    message_recipient "message_recipient" by(id id) person("id IN ({ids})") {
        id member_id name phone email time_zone quiet_from quiet_until status locale created_at updated_at deleted_at
    } without { tenant_id }
    message_identity "message_identity" by(id id) person(OF_IDS) {
        id account_id person_id openid created_at updated_at
    } without { tenant_id }
    message_binding "message_binding" by(id id) person(OF_IDS) {
        id account_id person_id created_by status created_at expires_at scanned_at bound_at refused_at
    } without { tenant_id scene_hash url }
    message_opt_out "message_opt_out" by(id id) person(OF_IDS) {
        id person_id channel priority source created_at
    } without { tenant_id }
    message_suppression "message_suppression" by(id id) person("id IN ({suppressions})") {
        id channel address reason code created_at
    } without { tenant_id }
    message_event "message_event" by(id id) person(OF_CUSTOMER) {
        id key payload customer_id agent_id rule_id created_by created_at expanded_at decisions
    } without { tenant_id origin }
    message_digest "message_digest" by(id id) person(OF_CUSTOMER) {
        id rule_id customer_id agent_id event_count bytes created_at due_at
    } without { tenant_id hash }
    message_digest_event "message_digest_event" by(digest_id event_id)
        person("event_id IN (SELECT told.id FROM message_event told WHERE told.tenant_id = {tenant} AND told.customer_id IN ({members}))") {
        digest_id event_id
    } without { tenant_id }
    message_send "message_send" by(id id) person(SENDS) {
        id event_id step rule_id template_id template_version account_id priority status reason body attempts may_duplicate
        next_at expires_at last_code last_error recipient_type recipient_id address provider_message_id fallback_of locale
        created_at updated_at sent_at
    } without { tenant_id number slowed lease_owner lease_until }
    message_attempt "message_attempt" by(send_id number) of Send {
        send_id number account_id phase outcome http_status code message started_at ended_at
    } without { tenant_id }
    message_fallback "message_fallback" by(send_id send_id) of Send {
        send_id template_id template_version account_id triggers after_seconds quiet_hours ttl_seconds body fault due_at locale
    } without { tenant_id }
    message_receipt "message_receipt" by(id id) person(OF_SENDS) {
        id account_id provider_message_id send_id status code message received_at applied_at
    } without { tenant_id dedupe }
    notification "notification" by(id id) person("member_id IN ({members}) OR send_id IN (SELECT sent.id FROM message_send sent \
        JOIN message_event told ON told.id = sent.event_id WHERE sent.tenant_id = {tenant} AND told.customer_id IN ({members}))") {
        id member_id send_id title body link data created_at read_at
    } without { tenant_id rev }
}
