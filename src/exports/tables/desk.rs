//! What is exported of accounts, conversations and the desk.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{Exported, Line, exported};
use crate::exports::form::Form;
use crate::exports::scope::{ATTACHMENTS, CONVERSATIONS, MEMBERS, Parent, STORED_FILES};

exported! { DESK:
    tenant "tenant" by(id id) { id slug name status settings rev created_at updated_at } without { bans_version }
    member "member" by(id id) person(MEMBERS) {
        id role login_name nickname avatar email email_verified mobile mobile_verified external_id parent_id tags skills
        max_accept status locale service_account last_login_at last_login_ip last_seen expires_at merged_into created_at
        updated_at deleted_at
    } without { tenant_id password_hash login_fail_count locked_until rev }
    auth_session "session" by(member_id id) of Member {
        id member_id device user_agent ip created_at last_used_at expires_at revoked_at revoke_reason
    } without {
        tenant_id generation refresh_parent refresh_current refresh_siblings rotated_at rev
    }
    identity_key "identity_key" by(id id) { id kid created_at revoked_at } without { tenant_id sealed_secret }
    api_key "api_key" by(id id) {
        id member_id name prefix operations networks expires_at last_used_at last_used_ip created_by created_at updated_at
        revoked_at revoked_by
    } without { tenant_id secret_hash }
    chat_group "group" by(id id) {
        id name description room_id routing_strategy serving created_at updated_at deleted_at
    } without { tenant_id name_key rev }
    group_member "group_member" by(group_id member_id) of Group {
        group_id member_id member_type created_at left_at
    } without { tenant_id rev }
    agent_status "presence" by(member_id member_id) of Member {
        member_id status reason since last_seen last_assigned_at
    } without { tenant_id current_accept rev connected idle_since misses }
    presence_change "presence_change" by(id id) {
        id member_id at status effective_status reason
    } without { tenant_id }
    business_hours "business_hours" by(id id) {
        id name time_zone weekly exceptions created_at updated_at
    } without { tenant_id }
    business_hours_group "business_hours_group" by(group_id group_id) {
        group_id business_hours_id
    } without { tenant_id }
    canned_reply "canned_reply" by(id id) {
        id scope scope_id shortcut title text use_count created_by created_at updated_at
    } without { tenant_id }
    saved_filter "saved_filter" by(id id) {
        id owner_id name shared filter created_at updated_at
    } without { tenant_id }
    sla_policy "sla_policy" by(id id) {
        id name position group_ids priorities first_response_seconds next_response_seconds resolution_seconds
        warn_before_seconds hours created_at updated_at
    } without { tenant_id }
    ban "ban" by(id id) person("id IN ({bans})") {
        id kind value reason expires_at created_by created_at updated_at
    } without { tenant_id }
    conversation "conversation" by(id id) person(CONVERSATIONS) {
        id kind parent_id backstage_id customer_id agent_id group_id status priority subject tags seq msg_count recall_count
        customer_read_seq staff_read_seq customer_delivered_seq staff_delivered_seq created_at updated_at last_at assigned_at
        closed_at close_reason merged_into_id waiting_since
    } without { tenant_id rev last_rev version open_key queue_key }
    attribute "attribute" by(id id) {
        id target key title kind choices visible_to_customer created_at updated_at deleted_at
    } without { tenant_id }
    conversation_attribute "conversation_attribute" by(conversation_id attribute_id) of Conversation {
        conversation_id attribute_id text_value number_value boolean_value date_value updated_at
    } without { tenant_id }
    customer_attribute "customer_attribute" by(member_id attribute_id) of Member {
        member_id attribute_id text_value number_value boolean_value date_value updated_at
    } without { tenant_id }
    conversation_member "participant" by(conversation_id member_id) of Conversation {
        conversation_id member_id member_type active joined_seq left_seq read_seq delivered_seq note_read_seq last_sent_seq
        group_id created_at
    } without { tenant_id read_ver last_rev rev }
    conversation_needs "conversation_needs" by(conversation_id conversation_id) of Conversation {
        conversation_id required_skills preferred_skills last_agent_id
    } without { tenant_id }
    message_revision "message_revision" by(conversation_id revision) of Conversation {
        conversation_id seq revision kind content replaced_by replaced_at
    } without { tenant_id }
    assignment "assignment" by(conversation_id id) of Conversation {
        id conversation_id agent_id from_agent_id reason note assigned_by started_at ended_at end_reason msg_count
    } without { tenant_id }
    offer "offer" by(conversation_id id) of Conversation {
        id conversation_id agent_id from_agent_id offered_by state reason note offered_at expires_at ended_at
    } without { tenant_id rev }
    transfer "transfer" by(conversation_id id) of Conversation {
        id conversation_id from_agent_id to_agent_id from_group_id to_group_id reason note transferred_by at msg_count
    } without { tenant_id }
    rating "rating" by(conversation_id close_seq) of Conversation {
        id conversation_id close_seq agent_id group_id score comment rated_at changed_at
    } without { tenant_id }
    sla_clock "sla_clock" by(conversation_id started_seq) of Conversation {
        conversation_id metric policy_id state started_seq started_at due_at warned_at breached_at ended_at
    } without { tenant_id warn_at next_at }
    attachment "attachment" by(id id) person(ATTACHMENTS) {
        id uploader_id name size state stored_file_id media_type width height has_thumbnail conversation_id seq created_at
        updated_at
    } without { tenant_id sweep_at }
    stored_file "stored_file" by(id id) person(STORED_FILES) {
        id state sha256 size media_type width height thumbnail_type created_at
    } without { tenant_id sweep_at }
    audit_event "audit_event" by(id id)
        person("actor_id IN ({members}) OR (target_type = 'member' AND target_id IN ({members}))") {
        id actor_id actor_name api_key_id action target_type target_id facts_before facts_after ip request_id created_at
    } without { tenant_id }
    erasure "erasure" by(id id) person("member_id IN ({members})") {
        id member_id state requested_by requested_at finished_at receipt
    } without { tenant_id }
    export "export_record" by(id id) person("member_id IN ({members})") {
        id member_id state requested_by requested_at started_at finished_at expires_at failure
    } without {
        tenant_id open_key rev place counts line_count byte_count attempts lease_owner lease_until fence sweep_at
    }
}
