//! The tables that can be imported: by which columns each is known, and what becomes of every one. The import reads the columns
//! that stand here and no others, the README shows the same list, and a test holds it against the designs' own SQL.

/// A table of another system.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its key: a whole number.
    pub key: &'static str,
    /// The column that names the merchant, where many share the table.
    pub merchant: Option<&'static str>,
    /// Its columns, each with what becomes of it.
    pub columns: &'static [(&'static str, &'static str)],
    /// The columns without which it is another table of the same name.
    pub needs: &'static [&'static str],
}

macro_rules! tables {
    ($($table:ident $name:literal $key:literal $merchant:expr, needs [$($need:literal)+] {
        $($column:literal => $becomes:literal;)+
    })+) => {
        $(
            #[doc = concat!("`", $name, "`.")]
            pub const $table: Table = Table {
                name: $name,
                key: $key,
                merchant: $merchant,
                columns: &[$(($column, $becomes),)+],
                needs: &[$($need),+],
            };
        )+

        /// All of them, in the order in which they are imported.
        pub const TABLES: &[&Table] = &[$(&$table),+];
    };
}

tables! {
    MEMBER "member" "id" None, needs ["id" "name" "nickname"] {
        "id" => "an account of the role `agent`; the id is new";
        "name" => "`member.login_name`; one that is taken gets the source and its id behind it";
        "password" => "`member.password_hash`: MD5 is checked once, at the first sign-in, and replaced by bcrypt";
        "nickname" => "`member.nickname`";
        "created_at" => "`member.created_at`";
        "updated_at" => "`member.updated_at`";
        "avator" => "`member.avatar`, when it is an https address";
        "online_status" => "nothing: presence begins as offline";
        "status" => "`member.status`: 0 `enabled`, 1 `disabled`";
        "email" => "`member.email`";
        "tel" => "`member.mobile`";
        "uuid" => "nothing: other tables name the account by it";
    }
    USERS "users" "id" None, needs ["id" "username" "role"] {
        "id" => "an account; of a customer `member.external_id`";
        "username" => "`member.login_name` and `member.nickname`";
        "password_hash" => "`member.password_hash`: bcrypt as it is, MD5 until the first sign-in";
        "role" => "`member.role`: `customer`, `agent`, `admin`";
        "email" => "`member.email`";
        "created_at" => "`member.created_at`";
    }
    CUSTOMER_SERVICE "customer_service" "id" Some("tenant_id"), needs ["id" "tenant_id" "username" "role_type"] {
        "id" => "an account; the id is new";
        "tenant_id" => "the merchant: one is imported into one tenant";
        "pid" => "`member.parent_id`, when the role is at most the parent's";
        "username" => "`member.login_name`";
        "password" => "`member.password_hash`: bcrypt as it is, MD5 until the first sign-in";
        "salt" => "part of an MD5 hash, before or behind the password";
        "nickname" => "`member.nickname`";
        "avatar" => "`member.avatar`, when it is an https address";
        "email" => "`member.email`";
        "mobile" => "`member.mobile`";
        "role_type" => "`member.role`: 1 `agent`, 2 `supervisor`, 3 `admin`";
        "skill_groups" => "`member.skills`";
        "tags" => "`member.tags`";
        "max_accept" => "`member.max_accept`";
        "current_accept" => "nothing: it is counted";
        "online_status" => "nothing: presence begins as offline";
        "status" => "`member.status`: 0 `disabled`, 1 `enabled`";
        "login_fail_count" => "nothing: it begins at 0";
        "lock_time" => "`member.locked_until`, when it is still to come";
        "last_login_time" => "`member.last_login_at`";
        "last_login_ip" => "`member.last_login_ip`";
        "expire_time" => "`member.expires_at`";
        "created_at" => "`member.created_at`";
        "updated_at" => "`member.updated_at`";
        "deleted_at" => "`member.deleted_at`: the account signs nobody in, and what it wrote has its name";
    }
    AGENT_STATUS "agent_status" "agent_id" None, needs ["agent_id" "last_seen"] {
        "agent_id" => "which of `users`";
        "status" => "nothing: presence begins as offline";
        "last_seen" => "`member.last_seen`";
    }
    CHAT_GROUP "chat_group" "id" Some("ent_id"), needs ["id" "member_id" "uuid" "group_name"] {
        "id" => "nothing: a chat has one row for each of its members";
        "ent_id" => "the merchant: one is imported into one tenant";
        "member_id" => "`conversation_member.member_id`; who is no `member` is a customer with it as `external_id`";
        "group_name" => "`conversation.subject`";
        "uuid" => "a closed support conversation when one customer is in it, a room of the staff when none is";
        "member_type" => "`conversation_member.member_type`: 1 `manager`, 2 `member`";
        "unread" => "nothing: history counts as read";
        "created_at" => "`conversation.created_at`: the earliest";
    }
    GROUP_MEMBER "group_member" "id" Some("ent_id"), needs ["id" "member_id" "group_id"] {
        "id" => "nothing";
        "ent_id" => "the merchant";
        "member_id" => "`conversation_member.member_id`";
        "member_name" => "`member.nickname` of a customer";
        "member_avatar" => "`member.avatar` of a customer";
        "group_id" => "the chat, by its `uuid`";
        "member_type" => "`conversation_member.member_type`";
        "created_at" => "nothing";
    }
    GROUP_MESSAGE "group_message" "id" Some("ent_id"), needs ["id" "sender" "group_id" "message_content"] {
        "id" => "`group_message.client_msg_id`: `import:group_message:ID`; its order is that of the log";
        "ent_id" => "the merchant";
        "sender" => "`group_message.sender_id`";
        "sender_name" => "`group_message.sender_name`";
        "sender_avatar" => "`group_message.sender_avatar`";
        "group_id" => "`group_message.conversation_id`";
        "message_type" => "`group_message.message_type`: 1 a message (`text`), 2 a notice (`imported`)";
        "message_content" => "`group_message.content`; what is longer than 16,384 bytes becomes several messages";
        "created_at" => "`group_message.created_at`";
    }
    CONVERSATIONS "conversations" "id" None, needs ["id" "customer_id" "status"] {
        "id" => "a support conversation; the id is new";
        "customer_id" => "`conversation.customer_id`";
        "agent_id" => "`conversation.agent_id`";
        "status" => "`conversation.status`: `open` waits from now on, `pending` while its agent can serve it, else `open`; of one customer the first stays open and others are `closed`";
        "created_at" => "`conversation.created_at`";
        "updated_at" => "`conversation.closed_at` of a closed one";
    }
    MESSAGES "messages" "id" None, needs ["id" "conversation_id" "sender_id" "content"] {
        "id" => "`group_message.client_msg_id`: `import:messages:ID`; its order is that of the log";
        "conversation_id" => "`group_message.conversation_id`";
        "sender_id" => "`group_message.sender_id`";
        "content" => "`group_message.content`; what is longer than 16,384 bytes becomes several messages";
        "is_read" => "`conversation_member.read_seq` of the others: up to the first unread one";
        "created_at" => "`group_message.created_at`";
    }
    MESSAGE_INFO "message_info" "id" Some("tenant_id"), needs ["id" "name" "type" "content"] {
        "id" => "a published template; the id is new";
        "name" => "`message_template.name`";
        "type" => "`message_template.channel`: 1 `wechat`, 2 `sms`, 3 `in_app`";
        "tenant_id" => "the merchant";
        "template_id_short" => "`wechat.template_id_short`";
        "template_id" => "`wechat.template_id`; of SMS `sms.code`";
        "content" => "the fields of `wechat` and `sms` by name, of `in_app` the text";
        "conf" => "`message_template.variables`: a field that it names is filled by the payload's field of that name";
        "ctm" => "`message_template.created_at`";
        "utm" => "`message_template.updated_at`";
    }
    MESSAGE_WORK_USER "message_work_user" "id" Some("tenant_id"), needs ["id" "name" "phone" "openid"] {
        "id" => "a message recipient; the id is new";
        "tenant_id" => "the merchant";
        "name" => "`message_recipient.name`";
        "phone" => "`message_recipient.phone`, with its country";
        "openid" => "`message_identity.openid` at the tenant's first channel account of WeChat; without one it is left out";
        "key" => "nothing: QR codes are made anew";
        "status" => "`message_recipient.status`: 1 `active`, 0 `disabled`";
        "ctm" => "`message_recipient.created_at`";
    }
    MESSAGE_RULE "message_rule" "id" Some("tenant_id"), needs ["id" "key" "info_id" "to_user"] {
        "id" => "a rule at the tenant's first channel account of its channel; without one it is refused";
        "title" => "`message_rule.title`";
        "key" => "`message_rule.key`";
        "tenant_id" => "the merchant";
        "info_id" => "`message_rule.template_id`";
        "to_user" => "`message_rule.recipients`: 1 the customer, 2 the recipient of `work_id`";
        "work_id" => "`message_rule.recipients`";
        "status" => "`message_rule.status`: 1 `active`, 0 `disabled`";
        "ctm" => "`message_rule.created_at`";
        "utm" => "`message_rule.updated_at`";
    }
    MESSAGE_SEND "message_send" "id" Some("tenant_id"), needs ["id" "rule_id" "info_id" "status" "ctm"] {
        "id" => "a send of an event of its own, whose rules are not applied";
        "tenant_id" => "the merchant";
        "rule_id" => "`message_send.rule_id`";
        "info_id" => "`message_send.template_id`";
        "user_type" => "`message_send.recipient_type`: 2 `recipient`; of 1 the table of persons is unknown";
        "msgid" => "`message_send.provider_message_id`";
        "uid" => "`message_send.recipient_id`, of `user_type` 2";
        "status" => "`message_send.status`: 0 `cancelled`, 1 `success`, 2 `uncertain`, 3 `failed`; nothing is sent again";
        "ctm" => "`message_send.created_at`";
        "stm" => "`message_send.sent_at`";
    }
}

/// What becomes of every column, as a table in Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| table | column | what becomes of it |\n|---|---|---|\n");
    for table in TABLES {
        for (column, becomes) in table.columns {
            text.push_str(&format!("| `{}` | `{column}` | {becomes} |\n", table.name));
        }
    }
    text
}
