//! The tables of the agents' desk as Diesel sees them: presence, assignments, offers, transfers; the search index.

diesel::table! {
    canned_reply (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        scope -> Text,
        scope_id -> BigInt,
        shortcut -> Text,
        title -> Text,
        text -> Text,
        use_count -> BigInt,
        created_by -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    import_row (tenant_id, source, source_table, source_key) {
        tenant_id -> BigInt,
        source -> Text,
        source_table -> Text,
        source_key -> Text,
        target_id -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    rating (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        conversation_id -> BigInt,
        close_seq -> BigInt,
        agent_id -> Nullable<BigInt>,
        group_id -> Nullable<BigInt>,
        score -> SmallInt,
        comment -> Text,
        rated_at -> BigInt,
        changed_at -> BigInt,
    }
}

diesel::table! {
    search_posting (tenant_id, term, chunk) {
        tenant_id -> BigInt,
        term -> BigInt,
        chunk -> BigInt,
        postings -> Binary,
    }
}

diesel::table! {
    search_term (tenant_id, object_type, term, object_id) {
        tenant_id -> BigInt,
        object_type -> SmallInt,
        term -> BigInt,
        object_id -> BigInt,
    }
}

diesel::table! {
    agent_status (member_id) {
        member_id -> BigInt,
        tenant_id -> BigInt,
        status -> Text,
        reason -> Text,
        since -> Nullable<BigInt>,
        current_accept -> BigInt,
        rev -> BigInt,
        connected -> Bool,
        last_seen -> Nullable<BigInt>,
        last_assigned_at -> Nullable<BigInt>,
        idle_since -> Nullable<BigInt>,
        misses -> BigInt,
    }
}

diesel::table! {
    agent_connection (member_id, node_key) {
        member_id -> BigInt,
        node_key -> Text,
        tenant_id -> BigInt,
        leased_until -> BigInt,
        seen_at -> BigInt,
    }
}

diesel::table! {
    presence_change (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        member_id -> BigInt,
        at -> BigInt,
        status -> Text,
        effective_status -> Text,
        reason -> Text,
    }
}

diesel::table! {
    assignment (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        conversation_id -> BigInt,
        agent_id -> BigInt,
        reason -> Text,
        note -> Text,
        assigned_by -> Nullable<BigInt>,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        end_reason -> Nullable<Text>,
        from_agent_id -> Nullable<BigInt>,
        msg_count -> BigInt,
    }
}

diesel::table! {
    conversation_needs (conversation_id) {
        conversation_id -> BigInt,
        tenant_id -> BigInt,
        required_skills -> Text,
        preferred_skills -> Text,
        last_agent_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    conversation_reminder (conversation_id) {
        conversation_id -> BigInt,
        tenant_id -> BigInt,
        customer_seq -> BigInt,
        agent_seq -> BigInt,
        agent_id -> Nullable<BigInt>,
        restart_seq -> BigInt,
        restarted_at -> BigInt,
    }
}

diesel::table! {
    offer (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        conversation_id -> BigInt,
        agent_id -> BigInt,
        state -> Text,
        offered_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        rev -> BigInt,
        from_agent_id -> Nullable<BigInt>,
        offered_by -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        note -> Text,
    }
}

diesel::table! {
    transfer (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        conversation_id -> BigInt,
        from_agent_id -> Nullable<BigInt>,
        to_agent_id -> Nullable<BigInt>,
        from_group_id -> Nullable<BigInt>,
        to_group_id -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        note -> Text,
        transferred_by -> Nullable<BigInt>,
        at -> BigInt,
        msg_count -> BigInt,
    }
}

diesel::table! {
    business_hours (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        name -> Text,
        time_zone -> Text,
        weekly -> Text,
        exceptions -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    business_hours_group (tenant_id, group_id) {
        tenant_id -> BigInt,
        group_id -> BigInt,
        business_hours_id -> BigInt,
    }
}

diesel::table! {
    attachment (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        uploader_id -> BigInt,
        name -> Text,
        size -> BigInt,
        state -> Text,
        stored_file_id -> Nullable<BigInt>,
        media_type -> Nullable<Text>,
        width -> Nullable<BigInt>,
        height -> Nullable<BigInt>,
        has_thumbnail -> Bool,
        conversation_id -> Nullable<BigInt>,
        seq -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        sweep_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    stored_file (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        state -> Text,
        sha256 -> Nullable<Text>,
        size -> BigInt,
        media_type -> Nullable<Text>,
        width -> Nullable<BigInt>,
        height -> Nullable<BigInt>,
        thumbnail_type -> Nullable<Text>,
        created_at -> BigInt,
        sweep_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    tenant_usage (tenant_id) {
        tenant_id -> BigInt,
        bytes -> BigInt,
    }
}

diesel::table! {
    ban (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        kind -> Text,
        value -> Text,
        reason -> Text,
        expires_at -> Nullable<BigInt>,
        created_by -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    api_key (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        member_id -> BigInt,
        name -> Text,
        prefix -> Text,
        secret_hash -> Text,
        operations -> Text,
        networks -> Text,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        last_used_ip -> Text,
        created_by -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        revoked_by -> Nullable<BigInt>,
    }
}

diesel::table! {
    audit_event (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        actor_id -> Nullable<BigInt>,
        actor_name -> Text,
        api_key_id -> Nullable<BigInt>,
        action -> Text,
        target_type -> Text,
        target_id -> BigInt,
        facts_before -> Text,
        facts_after -> Text,
        ip -> Text,
        request_id -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    erasure (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        member_id -> BigInt,
        state -> Text,
        requested_by -> Nullable<BigInt>,
        requested_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        receipt -> Text,
    }
}

diesel::table! {
    export (id) {
        id -> BigInt,
        tenant_id -> BigInt,
        member_id -> Nullable<BigInt>,
        state -> Text,
        requested_by -> BigInt,
        requested_at -> BigInt,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        failure -> Nullable<Text>,
        open_key -> Nullable<BigInt>,
        rev -> BigInt,
        place -> Nullable<Text>,
        counts -> Text,
        line_count -> BigInt,
        byte_count -> BigInt,
        attempts -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_until -> BigInt,
        fence -> BigInt,
        sweep_at -> Nullable<BigInt>,
    }
}
