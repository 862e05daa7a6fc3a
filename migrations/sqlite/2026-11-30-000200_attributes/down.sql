DROP TABLE customer_attribute;
DROP TABLE conversation_attribute;
DROP TABLE attribute;
