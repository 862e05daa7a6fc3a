DROP TABLE business_hours_group;
DROP TABLE business_hours;
