DROP INDEX conversation_merged_into_id;
DROP TABLE search_posting;
