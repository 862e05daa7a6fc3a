"""One conversation through the Python client that openapi-generator makes from the OpenAPI document.

Usage: BASE=… NEWER_BASE=… PASSWORD=… PYTHONPATH=<the generated folder> python journey.py
"""

import os

import deskwire_client as dw


def client(base, token=None):
    return dw.ApiClient(dw.Configuration(host=base, access_token=token))


def text(words):
    return dw.MessageContent(dw.TextContentInput(text=words))


def message(key, words):
    return dw.SendMessage(client_msg_id=key, kind=dw.MessageKind.TEXT, content=text(words))


def problem(error):
    """The body of an answer that is not 2xx."""
    return dw.Problem.from_json(error.body)


def refused(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except dw.ApiException as error:
        return problem(error)
    raise AssertionError("the call was not refused")


def main():
    base, newer = os.environ["BASE"], os.environ["NEWER_BASE"]
    login = dw.Login(tenant="demo", name="admin", password=os.environ["PASSWORD"], device="python")
    staff_token = dw.AuthApi(client(base)).login(login).access_token
    visitor_token = dw.VisitorsApi(client(base)).create_visitor(dw.CreateVisitor(tenant="demo")).access_token
    staff, visitor = client(base, staff_token), client(base, visitor_token)

    first = dw.FirstMessage(client_msg_id="m1", kind=dw.MessageKind.TEXT, content=text("Where is my parcel?"))
    opened = dw.ConversationsApi(visitor).open_conversation(dw.OpenConversation(subject="Order 1001", message=first))
    assert opened.created and opened.conversation.status == "open", opened
    conversation = opened.conversation.id

    sent = dw.MessagesApi(visitor).send_message(conversation, message("m2", "It is urgent."))
    again = dw.MessagesApi(visitor).send_message(conversation, message("m2", "It is urgent."))
    assert again.duplicate and not sent.duplicate and again.seq == sent.seq, "the same key is the same message"

    waiting = dw.ConversationsApi(staff).list_conversations(status="open", limit=200)
    assert conversation in [one.id for one in waiting.data]
    claimed = dw.ConversationsApi(staff).claim_conversation(conversation)
    assert claimed.status == "pending" and claimed.agent is not None
    dw.MessagesApi(staff).send_message(conversation, message("a1", "明天送到。"))

    seqs, after = [], 0
    while True:
        page = dw.MessagesApi(visitor).list_entries(conversation, after_seq=after, limit=2)
        seqs += [entry.seq for entry in page.data]
        if not page.more:
            break
        after = seqs[-1]
    assert seqs == list(range(1, len(seqs) + 1)) and len(seqs) > 2, seqs

    forbidden = refused(dw.ConversationsApi(visitor).claim_conversation, conversation)
    assert (forbidden.status, forbidden.code) == (403, "forbidden"), forbidden
    long = refused(dw.ConversationsApi(visitor).open_conversation, dw.OpenConversation.model_construct(subject="x" * 201))
    assert long.errors[0].pointer == "/subject" and long.errors[0].code == "too_long", long

    reason = dw.CloseConversation(reason=dw.GivenCloseReason.RESOLVED)
    outdated = refused(dw.ConversationsApi(staff).close_conversation, conversation, reason, if_match='"1"')
    assert (outdated.status, outdated.context["version"]) == (412, claimed.version), outdated
    present = f'"{claimed.version}"'
    assert dw.ConversationsApi(staff).close_conversation(conversation, reason, if_match=present).status == "closed"

    # A newer server says more than the document knew: nothing of it may make an answer unreadable.
    visitor = client(newer, visitor_token)
    kinds = [entry.kind for entry in dw.MessagesApi(visitor).list_entries(conversation, after_seq=0).data]
    assert "unknown_kind" in kinds and "text" in kinds, kinds
    assert dw.ConversationsApi(visitor).get_conversation(conversation).status == "unknown_closed"
    assert len(dw.SyncApi(visitor).list_inbox().data) == 1
    assert len(dw.ConversationsApi(client(newer, staff_token)).list_conversations().data) > 0
    assert dw.AuthApi(visitor).get_me().role == "unknown_customer"
    refusal = refused(dw.ConversationsApi(visitor).claim_conversation, conversation)
    assert refusal.code == "unknown_forbidden", refusal
    print(f"python: {len(seqs)} entries read through the generated client; a newer server is understood")


main()
