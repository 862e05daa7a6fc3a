DROP TABLE report_bucket;
DROP TABLE report_stretch;
