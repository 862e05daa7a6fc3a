DROP TABLE identity_use;
ALTER TABLE auth_session DROP COLUMN rotated_at;
ALTER TABLE auth_session DROP COLUMN refresh_siblings;
ALTER TABLE member DROP COLUMN mobile_verified;
ALTER TABLE member DROP COLUMN email_verified;
