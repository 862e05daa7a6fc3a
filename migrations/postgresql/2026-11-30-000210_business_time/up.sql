-- Reports know business time now: where there are business hours, all is counted anew from the beginning of the log.
UPDATE follower SET rev = 0 WHERE name = 'reports' AND tenant_id IN (SELECT tenant_id FROM business_hours);
