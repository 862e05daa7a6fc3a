DROP INDEX conversation_merged_into_id ON conversation;
DROP TABLE search_posting;
