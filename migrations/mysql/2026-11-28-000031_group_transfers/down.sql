UPDATE assignment SET note = LEFT(note, 500);
ALTER TABLE assignment MODIFY note VARCHAR(500) NOT NULL;
DROP TABLE transfer;
