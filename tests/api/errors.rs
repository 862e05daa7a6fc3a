//! What bad input gets: every refusal is a problem document with a code of the table.

on_every_database! {
    /// A path that does not exist, and a method that a path does not have.
    async fn unknown_paths_and_methods_are_problems_too(app: TestApp) {
        let client = app.client();
        client.get("/nothing").await.refused(404, "not_found");
        let answer = client.delete(&format!("{}/healthz", app.base())).await;
        assert!(answer.header("allow").contains("GET"), "{answer}");
        answer.refused(405, "method_not_allowed");
    }
}
