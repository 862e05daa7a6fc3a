DROP TABLE search_term;
