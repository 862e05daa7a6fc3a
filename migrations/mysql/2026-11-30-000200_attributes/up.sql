-- What a tenant says that its conversations or its customers have. A deleted one gives up its key, and its row goes when
-- all its values are gone.
CREATE TABLE attribute (
    id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    target VARCHAR(32) NOT NULL,
    `key` VARCHAR(64) NOT NULL,
    title VARCHAR(100) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    choices MEDIUMTEXT NOT NULL,
    visible_to_customer BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE UNIQUE INDEX attribute_tenant_id_target_key ON attribute (tenant_id, target, `key`);

-- The values of conversations; one column has the value, by the kind of the attribute. Without any the value was removed.
-- number_value is in thousandths, date_value is YYYY-MM-DD.
CREATE TABLE conversation_attribute (
    conversation_id BIGINT NOT NULL,
    attribute_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    text_value VARCHAR(500),
    number_value BIGINT,
    boolean_value BOOLEAN,
    date_value VARCHAR(10),
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, attribute_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX conversation_attribute_text ON conversation_attribute (tenant_id, attribute_id, text_value);
CREATE INDEX conversation_attribute_number ON conversation_attribute (tenant_id, attribute_id, number_value);
CREATE INDEX conversation_attribute_date ON conversation_attribute (tenant_id, attribute_id, date_value);

-- The same of customers.
CREATE TABLE customer_attribute (
    member_id BIGINT NOT NULL,
    attribute_id BIGINT NOT NULL,
    tenant_id BIGINT NOT NULL,
    text_value VARCHAR(500),
    number_value BIGINT,
    boolean_value BOOLEAN,
    date_value VARCHAR(10),
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (member_id, attribute_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX customer_attribute_text ON customer_attribute (tenant_id, attribute_id, text_value);
CREATE INDEX customer_attribute_number ON customer_attribute (tenant_id, attribute_id, number_value);
CREATE INDEX customer_attribute_date ON customer_attribute (tenant_id, attribute_id, date_value);
