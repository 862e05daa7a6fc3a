//! The limits of what clients send, as keywords of JSON Schema. Owns which field has which limit in the documents; the
//! numbers are the constants that the checks obey. Bounds in bytes stand in `x-max-bytes`, since JSON Schema counts
//! characters.
//!
//! To add a field of a request: give it a line in [`of`]. A test fails while a text, list or number has no bound.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schemas::INPUT;
use crate::centre::accounts::check::{LIMIT_COUNT_MAX, LIMIT_SECONDS_MAX};
use crate::centre::retries::api::{CURSOR_MAX, LIMIT_MAX as RETRIES_MAX, STATES_MAX};
use crate::conversations::service::{NOTE_MAX, SUBJECT_MAX, TAG_MAX, TAGS_MAX};
use crate::domain::api_key::{API_KEY_NAME_MAX, API_KEY_NETWORKS_MAX};
use crate::domain::attachment::{ATTACHMENT_LIMIT_MAX, DURATION_MAX, FILE_NAME_MAX};
use crate::domain::attribute::{
    ATTRIBUTE_KEY_MAX, ATTRIBUTE_KEY_PATTERN, ATTRIBUTE_TITLE_MAX, ATTRIBUTES_MAX, CHOICE_MAX, CHOICES_MAX,
};
use crate::domain::ban::{BAN_REASON_MAX, BAN_VALUE_MAX};
use crate::domain::business_hours::{EXCEPTIONS_MAX, HOURS_NAME_MAX, INTERVALS_MAX};
use crate::domain::canned_reply::{CANNED_TEXT_MAX, SHORTCUT_MAX, TITLE_MAX as CANNED_TITLE_MAX};
use crate::domain::centre::account::{
    AES_KEY_LEN, APP_ID_MAX, CALLBACK_TOKEN_MAX, FROM_NAME_MAX, HOST_MAX, KEY_ID_MAX,
    NAME_MAX as CENTRE_NAME_MAX, OFFICIAL_APP_ID_MAX, PASSWORD_MAX, REGION_MAX, SECRET_KEY_MAX, SECRET_MAX,
    SIGN_NAME_MAX, URL_MAX as CHANNEL_URL_MAX, USERNAME_MAX,
};
use crate::domain::centre::binding::{LIFE_MAX, LIFE_MIN};
use crate::domain::centre::digest::{DIGEST_EVENTS_MAX, DIGEST_EVENTS_MIN, DIGEST_SECONDS_MAX};
use crate::domain::centre::event::{BATCH_MAX, PAYLOAD_MAX};
use crate::domain::centre::fallback::{FALLBACK_AFTER_MAX, FALLBACK_AFTER_MIN, FallbackTrigger};
use crate::domain::centre::mailbox::MAILBOX_MAX;
use crate::domain::centre::notification::{AT_ONCE as NOTIFICATIONS_AT_ONCE, LINK_MAX};
use crate::domain::centre::recipient::{OPENID_MAX, RECIPIENTS_OF_RULE_MAX, TIME_ZONE_MAX};
use crate::domain::centre::rule::{
    CONDITIONS_MAX, DEDUPE_KEY_MAX, DEDUPE_MAX, DELAY_MAX, PATH_MAX, TTL_MAX, VALUE_MAX, WAITING_MAX,
};
use crate::domain::centre::schedule::CRON_MAX;
use crate::domain::centre::template::{
    DATA_MAX, EMAIL_MAX, FIELD_NAME_MAX, FIELDS_MAX, LIBRARY_ID_MAX, LINK_MAX as WECHAT_LINK_MAX,
    OPENED_PATH_MAX, SAMPLE_MAX, SMS_CODE_MAX, SMS_PARAMS_MAX, TEXT_MAX as ROBOT_TEXT_MAX,
    TITLE_MAX as ROBOT_TITLE_MAX, TRANSLATIONS_MAX, TYPE_MAX, VARIABLE_NAME_MAX, VARIABLES_MAX,
    WECHAT_TEMPLATE_ID_MAX,
};
use crate::domain::centre::throttle::{THROTTLE_COUNT_MAX, THROTTLE_SECONDS_MAX};
use crate::domain::content::{
    BUTTON_LABEL_MAX, BUTTON_VALUE_MAX, BUTTONS_MAX, CARD_TEXT_MAX, CARD_TITLE_MAX, CUSTOM_MAX, TEXT_MAX,
    URL_MAX, URL_MIN,
};
use crate::domain::conversation::Priority;
use crate::domain::filter::{FILTER_CONDITIONS_MAX, FILTER_FIELD_MAX};
use crate::domain::group::{DESCRIPTION_MAX, GROUP_NAME_MAX, GROUPS_MAX};
use crate::domain::operation::Operation;
use crate::domain::presence::REASON_MAX;
use crate::domain::rating::{COMMENT_MAX, SCORE_MAX, SCORE_MIN};
use crate::domain::saved_filter::SAVED_FILTER_NAME_MAX;
use crate::domain::sla::{SLA_NAME_MAX, SLA_POSITION_MAX, SLA_TARGET_MAX};
use crate::gateway::protocol::limits::{COLLECTED, HELLO_CONVERSATIONS, PULL_ENTRIES, SYNC_ROWS, WATCHES};
use crate::gateway::protocol::limits::{STREAM_BYTES, STREAM_STATES};
use crate::groups::dock::DOCKED_MAX;
use crate::journal::decide::MEMBERS_MAX;
use crate::kernel::text::{KEY_MAX, LOCALE_MAX};
use crate::members::profile::{
    AVATAR_MAX, LABEL_MAX, LABELS_MAX, MAX_ACCEPT_MAX, MOBILE_MAX, NAME_MAX, NICKNAME_MAX,
};
use crate::tenants::bot::{SILENCE_MAX_SECONDS, SILENCE_MIN_SECONDS};
use crate::tenants::routing::{
    MISSES_MAX, OFFER_MAX_SECONDS, OFFER_MIN_SECONDS, QUEUE_MAX, RELAX_MAX_SECONDS,
};
use crate::tenants::service::{
    GRACE_MAX_SECONDS, NAME_MAX as TENANT_NAME_MAX, REQUEUE_MAX_SECONDS, RETENTION_MAX_DAYS,
    TRANSFER_LIMIT_MAX, WINDOW_MAX_SECONDS,
};
use crate::tenants::timers::{RATING_MAX_SECONDS, REOPEN_MAX_SECONDS, TIMER_MAX_SECONDS, TIMER_MIN_SECONDS};

/// Longest token, cursor or other text of the server's own that comes back.
const OPAQUE_MAX: usize = 8_192;

fn text(least: usize, most: usize) -> Value {
    match least {
        0 => json!({"maxLength": most}),
        least => json!({"minLength": least, "maxLength": most}),
    }
}

fn key() -> Value {
    json!({"minLength": 1, "maxLength": KEY_MAX, "pattern": "^[A-Za-z0-9._:-]+$"})
}

fn url() -> Value {
    json!({"minLength": URL_MIN, "maxLength": URL_MAX, "format": "uri"})
}

fn range(least: i64, most: i64) -> Value {
    json!({"minimum": least, "maximum": most})
}

fn list(most: usize, item: Value) -> Value {
    match item.is_null() {
        true => json!({"maxItems": most}),
        false => json!({"maxItems": most, "items": item}),
    }
}

/// The limits of this field in this schema; `None` when nothing bounds it.
pub fn of(schema: &str, field: &str) -> Option<Value> {
    Some(match (schema, field) {
        (_, "client_msg_id" | "device" | "kid" | "slug" | "tenant") => key(),
        ("CustomContent", "type") => key(),
        ("TextContent", "text") => {
            json!({"minLength": 1, "maxLength": TEXT_MAX, "x-max-bytes": TEXT_MAX})
        }
        ("MessageStream", "text") => json!({"maxLength": STREAM_BYTES, "x-max-bytes": STREAM_BYTES}),
        ("MessageStream", "n") => range(1, STREAM_STATES),
        ("CreateApiKey" | "UpdateApiKey", "name") => text(1, API_KEY_NAME_MAX),
        ("CreateApiKey" | "UpdateApiKey", "operations") => {
            json!({"minItems": 1, "maxItems": Operation::ALL.len()})
        }
        ("CreateApiKey" | "UpdateApiKey", "networks") => list(API_KEY_NETWORKS_MAX, text(1, 64)),
        ("CreateAttachment", "name") => text(1, FILE_NAME_MAX),
        ("CreateAttachment", "size") => range(1, ATTACHMENT_LIMIT_MAX),
        ("AttachmentReference", "duration_ms") => range(1, DURATION_MAX),
        ("CardContent", "title") => text(1, CARD_TITLE_MAX),
        ("CardContent", "text") => text(0, CARD_TEXT_MAX),
        ("CardContent", "buttons") => list(BUTTONS_MAX, Value::Null),
        ("CardContent" | "CardButton", "image_url" | "url") => url(),
        ("CardButton", "label") => text(1, BUTTON_LABEL_MAX),
        ("CardButton", "value") => text(1, BUTTON_VALUE_MAX),
        ("CustomContent", "data") => json!({"x-max-bytes": CUSTOM_MAX}),
        ("CreateChannelAccount" | "UpdateChannelAccount", "url") => text(1, CHANNEL_URL_MAX),
        ("CreateChannelAccount" | "UpdateChannelAccount", "secret") => text(0, SECRET_MAX),
        ("AliyunSmsSettings", "access_key_id") | ("TencentSmsSettings", "secret_id") => text(1, KEY_ID_MAX),
        ("AliyunSmsSettings", "access_key_secret") | ("TencentSmsSettings", "secret_key") => {
            text(0, SECRET_KEY_MAX)
        }
        ("AliyunSmsSettings" | "TencentSmsSettings", "sign_name") => text(0, SIGN_NAME_MAX),
        ("TencentSmsSettings", "sdk_app_id") => text(1, APP_ID_MAX),
        ("TencentSmsSettings", "region") => text(0, REGION_MAX),
        ("TwilioSmsSettings", "account_sid") => text(34, 34),
        ("TwilioSmsSettings", "auth_token") => text(0, SECRET_KEY_MAX),
        ("TwilioSmsSettings", "from") => text(0, 32),
        ("TwilioSmsSettings", "messaging_service_sid") => text(0, 34),
        ("WechatSettings", "app_id") => text(1, OFFICIAL_APP_ID_MAX),
        ("WechatSettings", "app_secret") => text(0, SECRET_KEY_MAX),
        ("WechatSettings", "callback_token") => text(0, CALLBACK_TOKEN_MAX),
        ("WechatSettings", "encoding_aes_key") => text(0, AES_KEY_LEN),
        ("SmtpSettings", "host") => text(1, HOST_MAX),
        ("SmtpSettings", "port") => range(1, 65_535),
        ("SmtpSettings", "username") => text(0, USERNAME_MAX),
        ("SmtpSettings", "password") => text(0, PASSWORD_MAX),
        ("SmtpSettings", "from_address" | "reply_to") => text(1, MAILBOX_MAX),
        ("SmtpSettings", "from_name") => text(0, FROM_NAME_MAX),
        ("CreateMessageSuppression", "address") => text(1, MAILBOX_MAX),
        ("RetryMessageSends", "status") => list(STATES_MAX, Value::Null),
        ("RetryMessageSends", "limit") => range(1, i64::from(RETRIES_MAX)),
        ("RetryMessageSends" | "ReplayMessageRule", "cursor") => text(1, CURSOR_MAX),
        ("ReplayMessageRule", "limit") => range(1, i64::from(RETRIES_MAX)),
        ("AccountLimit", "count") => range(1, LIMIT_COUNT_MAX),
        ("AccountLimit", "seconds") => range(1, LIMIT_SECONDS_MAX),
        (
            "CreateChannelAccount"
            | "UpdateChannelAccount"
            | "CreateMessageRecipient"
            | "UpdateMessageRecipient"
            | "CreateMessageTemplate"
            | "UpdateMessageTemplate",
            "name",
        ) => text(1, CENTRE_NAME_MAX),
        ("CreateMessageRule" | "UpdateMessageRule", "title") => text(1, CENTRE_NAME_MAX),
        ("CreateMessageTemplate" | "UpdateMessageTemplate", "variables") => list(VARIABLES_MAX, Value::Null),
        ("Variable", "name") => {
            json!({"minLength": 1, "maxLength": VARIABLE_NAME_MAX, "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
        }
        ("Variable", "sample") => json!({"x-max-bytes": SAMPLE_MAX}),
        ("WebhookContent", "type") => text(1, TYPE_MAX),
        ("WebhookContent", "data") => json!({"x-max-bytes": DATA_MAX}),
        ("RobotContent", "title") => text(0, ROBOT_TITLE_MAX),
        ("RobotContent", "text") => text(1, ROBOT_TEXT_MAX),
        // An object, not an address.
        ("CreateMessageTemplate" | "UpdateMessageTemplate" | "MessageTranslation", "email") => return None,
        ("CreateMessageTemplate" | "UpdateMessageTemplate", "translations") => {
            list(TRANSLATIONS_MAX, Value::Null)
        }
        ("MessageTranslation", "locale") => text(1, LOCALE_MAX),
        ("EmailContent", "subject") => text(1, ROBOT_TITLE_MAX),
        ("EmailContent", "text" | "html") => text(0, EMAIL_MAX),
        ("SmsContent", "text") => text(0, ROBOT_TEXT_MAX),
        ("InAppContent", "title") => text(1, ROBOT_TITLE_MAX),
        ("InAppContent", "body") => text(0, ROBOT_TEXT_MAX),
        ("InAppContent", "link") => text(0, LINK_MAX),
        ("InAppContent", "data") => json!({"x-max-bytes": DATA_MAX}),
        ("ReadNotifications", "ids") => json!({"minItems": 1, "maxItems": NOTIFICATIONS_AT_ONCE}),
        ("SmsContent", "code") => text(1, SMS_CODE_MAX),
        ("SmsContent", "params") => list(SMS_PARAMS_MAX, Value::Null),
        ("SmsParameter", "name") => text(1, SMS_CODE_MAX),
        ("SmsParameter", "value") => text(0, ROBOT_TITLE_MAX),
        ("WechatContent", "template_id") => text(1, WECHAT_TEMPLATE_ID_MAX),
        ("WechatContent", "template_id_short") => text(1, LIBRARY_ID_MAX),
        ("WechatContent", "data") => json!({"minItems": 1, "maxItems": FIELDS_MAX}),
        ("WechatContent", "url") => text(0, WECHAT_LINK_MAX),
        ("WechatField", "name") => text(1, FIELD_NAME_MAX),
        ("WechatField", "value") => text(0, ROBOT_TITLE_MAX),
        ("WechatField", "color") => json!({"pattern": "^#[0-9A-Fa-f]{6}$"}),
        ("WechatMiniProgram", "app_id") => text(1, FIELD_NAME_MAX),
        ("WechatMiniProgram", "page_path") => text(0, OPENED_PATH_MAX),
        ("CreateMessageIdentity", "openid") => text(1, OPENID_MAX),
        ("CreateMessageRecipient" | "UpdateMessageRecipient", "phone") => text(0, MOBILE_MAX),
        ("CreateMessageRecipient" | "UpdateMessageRecipient", "time_zone") => text(1, TIME_ZONE_MAX),
        ("QuietHours", "from" | "until") => json!({"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
        ("CreateMessageRule" | "UpdateMessageRule", "recipients") => {
            list(RECIPIENTS_OF_RULE_MAX, Value::Null)
        }
        ("CreateMessageEvent" | "CreateMessageIdentity" | "CreateMessageBinding", "customer_external_id") => {
            text(1, NAME_MAX)
        }
        ("CreateMessageBinding", "expires_in_seconds") => range(LIFE_MIN, LIFE_MAX),
        ("Condition", "path") => json!({"maxLength": PATH_MAX, "pattern": "^(/.*)?$"}),
        ("Condition", "value") => json!({"x-max-bytes": VALUE_MAX}),
        ("CreateMessageRule" | "UpdateMessageRule", "conditions") => list(CONDITIONS_MAX, Value::Null),
        ("CreateMessageRule" | "UpdateMessageRule", "delay_seconds") => range(0, DELAY_MAX),
        ("CreateMessageRule" | "UpdateMessageRule", "ttl_seconds") => range(0, TTL_MAX),
        ("CreateMessageRule" | "UpdateMessageRule", "dedupe_seconds") => range(0, DEDUPE_MAX),
        ("CreateMessageRule" | "UpdateMessageRule", "waiting_seconds") => range(1, WAITING_MAX),
        ("RuleSchedule", "cron") => text(1, CRON_MAX),
        ("RuleSchedule", "time_zone") => text(1, TIME_ZONE_MAX),
        ("RateConversation", "score") => range(SCORE_MIN.into(), SCORE_MAX.into()),
        ("RateConversation", "comment") => text(0, COMMENT_MAX),
        ("CreateBusinessHours" | "UpdateBusinessHours", "name") => text(1, HOURS_NAME_MAX),
        ("CreateBusinessHours" | "UpdateBusinessHours", "time_zone") => text(1, TIME_ZONE_MAX),
        ("CreateBusinessHours" | "UpdateBusinessHours", "weekly") => list(7 * INTERVALS_MAX, Value::Null),
        ("CreateBusinessHours" | "UpdateBusinessHours", "exceptions") => list(EXCEPTIONS_MAX, Value::Null),
        ("CreateBusinessHours" | "UpdateBusinessHours", "group_ids") => list(GROUPS_MAX, Value::Null),
        ("WeeklyHours" | "HoursInterval", "from") => json!({"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
        ("WeeklyHours" | "HoursInterval", "until") => {
            json!({"pattern": "^([0-3][0-9]|4[0-7]):[0-5][0-9]$|^48:00$"})
        }
        ("ExceptionalHours", "from_date" | "until_date") => {
            json!({"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
        }
        ("ExceptionalHours", "name") => text(0, HOURS_NAME_MAX),
        ("ExceptionalHours", "intervals") => list(INTERVALS_MAX, Value::Null),
        ("CreateSlaPolicy" | "UpdateSlaPolicy", "name") => text(1, SLA_NAME_MAX),
        ("CreateSlaPolicy" | "UpdateSlaPolicy", "position") => range(0, SLA_POSITION_MAX),
        ("CreateSlaPolicy" | "UpdateSlaPolicy", "group_ids") => list(GROUPS_MAX, Value::Null),
        ("CreateSlaPolicy" | "UpdateSlaPolicy", "priorities") => list(Priority::ALL.len(), Value::Null),
        (
            "CreateSlaPolicy" | "UpdateSlaPolicy",
            "first_response_seconds" | "next_response_seconds" | "resolution_seconds" | "warn_before_seconds",
        ) => range(1, SLA_TARGET_MAX),
        ("CreateAttribute", "key") => {
            json!({"minLength": 1, "maxLength": ATTRIBUTE_KEY_MAX, "pattern": ATTRIBUTE_KEY_PATTERN})
        }
        ("CreateAttribute" | "UpdateAttribute", "title") => text(1, ATTRIBUTE_TITLE_MAX),
        ("CreateAttribute" | "UpdateAttribute", "choices") => list(CHOICES_MAX, text(1, CHOICE_MAX)),
        (_, "attributes") => json!({"maxProperties": ATTRIBUTES_MAX}),
        ("CreateSavedFilter" | "UpdateSavedFilter", "name") => text(1, SAVED_FILTER_NAME_MAX),
        ("ConversationFilter", "all" | "any") => json!({"minItems": 1, "maxItems": FILTER_CONDITIONS_MAX}),
        ("ConversationFilter", "field") => text(1, FILTER_FIELD_MAX),
        ("FilterConversations", "limit") => range(1, i64::from(crate::http::page::MAX_LIMIT)),
        ("CreateBan", "value") => text(1, BAN_VALUE_MAX),
        ("CreateBan" | "UpdateBan", "reason") => text(0, BAN_REASON_MAX),
        ("CreateCannedReply" | "UpdateCannedReply", "shortcut") => text(1, SHORTCUT_MAX),
        ("CreateCannedReply" | "UpdateCannedReply", "title") => text(1, CANNED_TITLE_MAX),
        ("CreateCannedReply" | "UpdateCannedReply", "text") => text(1, CANNED_TEXT_MAX),
        ("RuleDigest", "seconds") => range(1, DIGEST_SECONDS_MAX),
        ("RuleDigest", "max") => range(DIGEST_EVENTS_MIN, DIGEST_EVENTS_MAX),
        ("RuleDigest", "key") => text(0, DEDUPE_KEY_MAX),
        ("RuleThrottle", "count") => range(1, THROTTLE_COUNT_MAX),
        ("RuleThrottle", "seconds") => range(1, THROTTLE_SECONDS_MAX),
        ("RuleFallback", "on") => list(FallbackTrigger::ALL.len(), Value::Null),
        ("RuleFallback", "after_seconds") => range(FALLBACK_AFTER_MIN, FALLBACK_AFTER_MAX),
        ("CreateMessageRule" | "UpdateMessageRule", "dedupe_key") => text(0, DEDUPE_KEY_MAX),
        (
            "CreateMessageRule" | "UpdateMessageRule" | "SimulateMessageRules" | "CreateMessageEvent",
            "key",
        ) => key(),
        ("TestMessageTemplate", "address") => text(1, MAILBOX_MAX),
        ("TestMessageTemplate", "version") => json!({"minimum": 1}),
        ("CreateMessageEvent", "payload") => json!({"x-max-bytes": PAYLOAD_MAX}),
        ("CreateMessageEvents", "events") => json!({"minItems": 1, "maxItems": BATCH_MAX}),
        ("CreateTenant" | "UpdateTenant", "name") => text(0, TENANT_NAME_MAX),
        ("UpdateBotSettings", "silence_seconds") => range(SILENCE_MIN_SECONDS, SILENCE_MAX_SECONDS),
        ("UpdateTenantSettings", "edit_window_seconds" | "recall_window_seconds") => {
            range(0, WINDOW_MAX_SECONDS)
        }
        ("UpdateTenantSettings", "reopen_window_seconds") => range(0, REOPEN_MAX_SECONDS),
        ("UpdateTenantSettings", "retention_days") => range(1, RETENTION_MAX_DAYS),
        ("UpdateTenantSettings", "rating_window_seconds") => range(0, RATING_MAX_SECONDS),
        (
            "UpdateTimerSettings",
            "customer_reminder_seconds" | "agent_reminder_seconds" | "auto_close_seconds",
        ) => range(TIMER_MIN_SECONDS, TIMER_MAX_SECONDS),
        ("CreateGroup" | "UpdateGroup", "name") => text(1, GROUP_NAME_MAX),
        ("CreateGroup" | "UpdateGroup", "description") => text(0, DESCRIPTION_MAX),
        ("UpdateTenantSettings", "transfer_limit") => range(0, TRANSFER_LIMIT_MAX),
        ("UpdateTenantSettings", "presence_grace_seconds") => range(0, GRACE_MAX_SECONDS),
        ("UpdateTenantSettings", "disconnect_requeue_seconds" | "away_requeue_seconds") => {
            range(0, REQUEUE_MAX_SECONDS)
        }
        ("UpdateConversation", "tags") => list(TAGS_MAX, text(1, TAG_MAX)),
        ("UpdateRoutingSettings", "relax_after_seconds") => range(0, RELAX_MAX_SECONDS),
        ("UpdateRoutingSettings", "offer_seconds") => range(OFFER_MIN_SECONDS, OFFER_MAX_SECONDS),
        ("UpdateRoutingSettings", "misses_until_away") => range(0, MISSES_MAX),
        ("UpdateQueueSettings", "limit") => range(0, QUEUE_MAX),
        (_, "tags" | "skills" | "required_skills" | "preferred_skills") => {
            list(LABELS_MAX, text(1, LABEL_MAX))
        }
        (_, "subject") => text(0, SUBJECT_MAX),
        (_, "note") => text(0, NOTE_MAX),
        ("DockConversations", "conversation_ids") => {
            json!({"minItems": 1, "maxItems": DOCKED_MAX})
        }
        ("MakeRoom", "member_ids") => list(MEMBERS_MAX, Value::Null),
        ("SetPresence", "reason") => text(0, REASON_MAX),
        ("UpdateMember", "nickname") => text(1, NICKNAME_MAX),
        (_, "nickname") => text(0, NICKNAME_MAX),
        (_, "avatar") => text(0, AVATAR_MAX),
        (_, "email") => text(0, NAME_MAX),
        (_, "mobile") => text(0, MOBILE_MAX),
        (_, "locale") => text(0, LOCALE_MAX),
        (_, "login_name" | "external_id") => text(1, NAME_MAX),
        ("Login", "name") => text(0, OPAQUE_MAX),
        (_, "max_accept") => range(0, i64::from(MAX_ACCEPT_MAX)),
        ("Pull", "limit") => range(1, PULL_ENTRIES),
        ("Sync", "limit") => range(1, SYNC_ROWS),
        ("Hello", "conversations") => list(HELLO_CONVERSATIONS, Value::Null),
        ("Watch", "conversations") => list(WATCHES, Value::Null),
        ("Ping", "delivered") => list(COLLECTED, Value::Null),
        ("Ping", "nonce") => json!({"maxLength": KEY_MAX, "x-max-bytes": KEY_MAX}),
        (_, "token" | "identity_token" | "refresh_token" | "cursor" | "epoch") => text(0, OPAQUE_MAX),
        (_, "seq" | "after_seq" | "read_seq" | "reply_to_seq" | "read_ver" | "version") => {
            json!({"minimum": 0})
        }
        _ => return None,
    })
}

/// Puts the limits into those of the schemas that say what is sent.
pub fn add(schemas: &mut Map<String, Value>, written: &BTreeSet<String>) {
    for (name, schema) in schemas.iter_mut().filter(|(name, _)| written.contains(*name)) {
        let name = name.strip_suffix(INPUT).unwrap_or(name);
        let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else { continue };
        for (field, value) in fields {
            if let Some(limits) = of(name, field) {
                merge(value, &limits);
            }
        }
    }
}

fn merge(schema: &mut Value, limits: &Value) {
    let (Some(schema), Some(limits)) = (schema.as_object_mut(), limits.as_object()) else { return };
    for (keyword, value) in limits {
        match keyword == "items" {
            true => merge(schema.entry(keyword).or_insert_with(|| json!({})), value),
            false => {
                schema.insert(keyword.clone(), value.clone());
            }
        }
    }
}

/// The texts, lists and numbers of these schemas that nothing bounds, as `Schema.field`.
pub fn unbounded(schemas: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, schema) in schemas {
        for (field, value) in schema["properties"].as_object().into_iter().flatten() {
            let types = match &value["type"] {
                Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                other => other.as_str().into_iter().collect::<Vec<_>>(),
            };
            let has = |keywords: &[&str]| keywords.iter().any(|keyword| value.get(keyword).is_some());
            let open = types.iter().any(|kind| match *kind {
                "string" => !has(&["maxLength", "enum", "const", "format", "pattern"]),
                "array" => !has(&["maxItems"]),
                "integer" | "number" => !has(&["minimum", "maximum"]),
                _ => false,
            });
            if open {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    found
}
