//! Saved filters, and searches by a filter.

use serde_json::json;

use super::recorder::{Recorder, string};
use crate::harness::Client;

/// A filter that is saved, used and changed, while this conversation meets it.
pub async fn filters(recorder: &mut Recorder<'_>, agent: &Client, conversation: &str) {
    let filter = json!({"all": [
        {"field": "agent_id", "operator": "equals", "value": "me"},
        {"field": "attributes.order_number", "operator": "is_set"},
        {"not": {"field": "last_at", "operator": "less_than", "value": {"seconds_ago": 259_200}}},
    ]});
    let body = json!({"name": "My orders", "filter": filter});
    let made = recorder.call("create_saved_filter", agent, "POST /saved-filters", Some(body)).await;
    let path = format!("/saved-filters/{}", string(&made["id"]));
    recorder.call("get_saved_filter", agent, &format!("GET {path}"), None).await;
    recorder.call("list_saved_filters", agent, "GET /saved-filters?limit=10", None).await;
    let body = json!({"filter": filter, "limit": 10});
    let call = "POST /conversations/search";
    recorder.call("search_conversations_by_filter", agent, call, Some(body)).await;
    let call = format!("GET {conversation}/saved-filters");
    recorder.call("list_met_filters", agent, &call, None).await;
    let change = json!({"name": "My orders of these days"});
    recorder.call("update_saved_filter", agent, &format!("PATCH {path}"), Some(change)).await;
    recorder.call("delete_saved_filter", agent, &format!("DELETE {path}"), None).await;
}
