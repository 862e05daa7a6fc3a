DROP TABLE rating;
