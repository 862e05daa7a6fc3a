DROP TABLE identity_key;
DROP TABLE auth_session;
DROP TABLE member;
DROP TABLE tenant_log;
DROP TABLE tenant;
DROP TABLE lane_batch;
DROP TABLE node;
DROP TABLE instance;
