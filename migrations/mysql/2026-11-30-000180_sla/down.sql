DROP TABLE sla_refresh;
DROP TABLE sla_clock;
DROP TABLE sla_stretch;
DROP TABLE sla_policy;
