//! A word that the database itself refuses, for what must happen when a statement of a batch fails.

use deskwire::db::AnyConnection;
use diesel::connection::SimpleConnection;

/// From now on no entry may hold the word `poison`.
pub fn refuse(connection: &mut AnyConnection) {
    match connection {
        #[cfg(feature = "sqlite")]
        AnyConnection::Sqlite(inner) => inner.batch_execute(
            "CREATE TRIGGER poison BEFORE INSERT ON group_message WHEN NEW.content LIKE '%poison%' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END",
        ),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgresql(inner) => inner.batch_execute(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.content LIKE '%poison%' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER poison BEFORE INSERT ON group_message FOR EACH ROW EXECUTE FUNCTION poison()",
        ),
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(inner) => inner.batch_execute(
            "CREATE TRIGGER poison BEFORE INSERT ON group_message FOR EACH ROW \
             IF NEW.content LIKE '%poison%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison'; END IF",
        ),
    }
    .unwrap();
}
